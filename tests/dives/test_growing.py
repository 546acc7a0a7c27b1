"""What is classified can be read while the rest is being classified, and after a kill."""

from __future__ import annotations

from dataclasses import replace

import pytest
from clips import write_clip
from mortal import CAN_KILL, process_until_killed
from raw_rows import raw
from result_files import results

from dives.growing import GrowingTables
from dives.process import ProcessOptions, process


def partial(folder, name):
    return (folder / f"{name}.partial").read_text(encoding="utf-8").splitlines()


def without_stills(lines):
    return [line.rpartition(",")[0] for line in lines]


@pytest.mark.skipif(not CAN_KILL, reason="no kill -9 here")
@pytest.mark.parametrize("chapters", [1, 3])
def test_a_run_that_was_killed_leaves_tables_that_can_be_read(chapters, engine, toy_model, tmp_path):
    # A colour a second, so that a sighting is over before the kill.
    clips = [write_clip(tmp_path / f"GX0{k + 1}0042.MP4", frames=120 // chapters, rate=10) for k in range(chapters)]
    whole = process(clips, tmp_path / "whole", engine, ProcessOptions())
    frames, sightings = ((whole.folder / name).read_text().splitlines() for name in ("frames.csv", "sightings.csv"))
    out = tmp_path / "cut"
    read = []
    for batches in (6, 4):  # the second run goes on after the first
        process_until_killed(batches, clips, out, toy_model)
        read.append(len(partial(out, "frames.csv")))
        assert partial(out, "frames.csv") == frames[: read[-1]]
        said = partial(out, "sightings.csv")
        assert without_stills(said) == without_stills(sightings[: len(said)])
    assert 1 + 8 <= read[0] < read[1] <= 1 + 120
    assert len(said) > 1
    run = process(clips, out, engine, ProcessOptions(resume=True))
    assert results(run.folder) == results(whole.folder)
    assert not list(out.glob("*.partial"))


def test_a_run_that_goes_on_leaves_the_earlier_tables_readable_until_it_has_its_own(engine, tmp_path):
    clip = write_clip(tmp_path / "a.mp4", frames=40, rate=10)
    options = ProcessOptions(resume=True)
    told = []

    def interrupt(progress):
        if progress.phase == "classify" and progress.done >= 16 and not told:
            told.append(progress.done)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process(clip, tmp_path / "out", engine, options, interrupt)
    before = (tmp_path / "out" / "frames.csv").read_text().splitlines()
    seen = []

    def look(progress):
        if progress.phase == "classify" and not seen:
            seen.extend(partial(tmp_path / "out", "frames.csv"))
            assert not (tmp_path / "out" / "frames.csv").exists()

    process(clip, tmp_path / "out", engine, options, look)
    assert seen[: len(before)] == before


def test_nothing_is_opened_before_the_first_row_and_what_is_written_stays(dive, tmp_path):
    (tmp_path / "frames.csv.partial").write_text("of an earlier run")
    facts = dive(3)
    with GrowingTables(lambda: replace(facts)) as growing:
        assert (tmp_path / "frames.csv.partial").read_text() == "of an earlier run"
        growing.add([raw(k, k / 10, 0) for k in range(2)])
        assert len(partial(tmp_path, "frames.csv")) == 3
    assert len(partial(tmp_path, "frames.csv")) == 3
    assert len(partial(tmp_path, "sightings.csv")) == 1
