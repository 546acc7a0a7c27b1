from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from clips import truncate, write_clip, write_noise
from result_files import results

from dives import process as process_module
from dives import remaking, segments
from dives.corrections import Verdict, add_correction, read_keys
from dives.divelog import DiveLog, MisfitError
from dives.journal import NAME as JOURNAL
from dives.process import ProcessOptions, process
from realtime.engine import Engine
from realtime.errors import ResultsError, SettingsError, SourceError

TABLES = {
    *("frames.csv", "frames.parquet", "sightings.csv", "dive.vtt", "dive.srt", "cams.npy", "viame.csv", "coco.json"),
    "report.html",
}
REPOSITORY = Path(__file__).parents[2]
EVERY_FRAME = ProcessOptions()
RESUMED = ProcessOptions(resume=True)


class Counting(Engine):
    """Counts the frames it is given; does what it is told at a certain run."""

    frames = 0
    runs = 0
    fail_at: int | None = None

    def run(self, frames, explain=None):
        self.runs += 1
        if self.runs == self.fail_at:
            raise KeyboardInterrupt
        self.frames += len(frames)
        return super().run(frames, explain)


@pytest.fixture
def counting(toy_model):
    with Counting.open(toy_model, provider="cpu", threads=1) as opened:
        yield opened


@pytest.fixture
def clip(tmp_path):
    """60 frames, 2.4 s: red, green, blue, red, green, blue."""
    return write_clip(tmp_path / "dive.mp4", frames=60, metadata={"creation_time": "2026-05-01T09:30:00Z"})


def record(folder):
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def lines(folder, name="frames.csv"):
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_dive_becomes_a_folder_of_results(clip, engine, tmp_path):
    run = process(clip, tmp_path / "out", engine, EVERY_FRAME)
    assert {entry.name for entry in run.folder.iterdir()} == TABLES | {"occurrence.csv", "run.json", "stills", JOURNAL}
    assert (run.state, run.decoded, run.classified, run.error) == ("complete", 60, 60, None)
    table = lines(run.folder)
    assert [int(line["frame"]) for line in table] == list(range(60))
    assert [float(line["media_s"]) for line in table] == pytest.approx([k / 25 for k in range(60)], abs=1e-6)
    assert [line["label_1"] for line in table[::10]] == ["Fish", "Octopus", "Turtle"] * 2
    assert (table[25]["utc"], table[25]["utc_source"]) == ("2026-05-01T09:30:01.000Z", "container")
    assert np.load(run.folder / "cams.npy").shape == (60, 2, 2)


def test_run_json_says_what_was_run_with_what(clip, engine, toy_model, tmp_path):
    run = process(clip, tmp_path / "out", engine, EVERY_FRAME)
    found = record(run.folder)
    assert (found["state"], found["reason"]) == ("complete", "")
    assert found["counts"]["announced"] == found["counts"]["decoded"] == found["counts"]["classified"] == 60
    assert found["counts"]["skipped"] == {"between samples": 0, "damaged packets": 0}
    assert found["counts"]["sightings"] == len(run.sightings)
    assert found["model"]["sha256"] == engine.sha256
    assert (found["model"]["name"], found["model"]["provider"]) == (toy_model.name, "CPUExecutionProvider")
    assert found["time"] == {"start_utc": "2026-05-01T09:30:00.000Z", "utc_source": "container"}
    assert found["options"] == {
        **{"every_s": None, "start_utc": "", "overlay": False, "resume": False},
        **{"divelog": "", "divelog_offset_s": 0.0},
    }
    assert set(found["files"]) == TABLES | {"stills", "occurrence.csv"}
    assert found["timing"]["frames_per_s"] > 0
    assert found["versions"]["av"] == av.__version__


def test_stable_labels_become_sightings(tmp_path, engine):
    # Ten frames a second: each colour stays for a second, twice the smoother's time constant.
    clip = write_clip(tmp_path / "slow.mp4", frames=30, rate=10)
    run = process(clip, tmp_path / "out", engine, EVERY_FRAME)
    assert [sighting.label_index for sighting in run.sightings] == [0, 1, 2]
    assert [line["label"] for line in lines(run.folder, "sightings.csv")] == ["Fish", "Octopus", "Turtle"]


def test_b_frames_come_in_order_of_display(tmp_path, engine):
    clip = write_clip(tmp_path / "dive.mp4", frames=30, options={"bf": "3", "g": "30"})
    run = process(clip, tmp_path / "out", engine, EVERY_FRAME)
    times = [float(line["media_s"]) for line in lines(run.folder)]
    assert times == pytest.approx([k / 25 for k in range(30)], abs=1e-3)
    assert [line["label_1"] for line in lines(run.folder)] == ["Fish"] * 10 + ["Octopus"] * 10 + ["Turtle"] * 10


def test_samples_are_taken_by_time_and_keep_their_frame_numbers(clip, counting, tmp_path):
    run = process(clip, tmp_path / "out", counting, ProcessOptions(every_s=0.5, overlay=True))
    assert [(line["frame"], line["media_s"]) for line in lines(run.folder)] == [
        ("0", "0.000000"),
        ("13", "0.520000"),
        ("25", "1.000000"),
        ("38", "1.520000"),
        ("50", "2.000000"),
    ]
    assert counting.frames == 5
    assert record(run.folder)["counts"]["skipped"]["between samples"] == 55
    with av.open(str(run.folder / "overlay.mp4")) as container:
        assert len(list(container.decode(video=0))) == 5


def test_a_start_of_the_user_outranks_the_container(clip, engine, tmp_path):
    start = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
    run = process(clip, tmp_path / "out", engine, ProcessOptions(start_utc=start))
    assert lines(run.folder)[0]["utc"] == "2026-06-01T12:00:00.000Z"
    assert record(run.folder)["time"] == {"start_utc": "2026-06-01T12:00:00.000Z", "utc_source": "start"}


def test_a_folder_of_pictures_is_a_dive_too(tmp_path, engine):
    pictures = tmp_path / "stills"
    pictures.mkdir()
    for k, bgr in enumerate([(0, 0, 255), (0, 255, 0), (255, 0, 0)]):
        cv2.imwrite(str(pictures / f"{k}.png"), np.full((20 + k, 30, 3), bgr, np.uint8))
    (pictures / "3.jpg").write_bytes(b"not a picture")
    run = process(pictures, tmp_path / "out", engine, ProcessOptions(overlay=True))
    assert [line["label_1"] for line in lines(run.folder)] == ["Fish", "Octopus", "Turtle"]
    counts = record(run.folder)["counts"]
    assert counts["skipped"]["unreadable files"] == 1
    assert [entry["name"] for entry in counts["unreadable"]] == ["3.jpg"]
    with av.open(str(run.folder / "overlay.mp4")) as container:
        assert len(list(container.decode(video=0))) == 3


def test_pictures_are_named_past_those_that_cannot_be_read(tmp_path, engine):
    pictures = tmp_path / "stills"
    pictures.mkdir()
    for k, bgr in enumerate([(0, 0, 255), (0, 255, 0), (255, 0, 0)]):
        cv2.imwrite(str(pictures / f"{2 * k}.png"), np.full((20, 30, 3), bgr, np.uint8))
    (pictures / "1.jpg").write_bytes(b"not a picture")
    for options in (EVERY_FRAME, RESUMED):
        run = process(pictures, tmp_path / "out", engine, options)
        named = [(line["file"], line["frame"], line["label_1"]) for line in lines(run.folder)]
        assert named == [("0.png", "0", "Fish"), ("2.png", "0", "Octopus"), ("4.png", "0", "Turtle")]
        seen = lines(run.folder, "sightings.csv")
        assert [line["peak_file"] for line in seen] == ["0.png", "2.png", "4.png"]
        for line in seen:
            original = cv2.imread(str(pictures / line["peak_file"]))
            assert np.abs(cv2.imread(str(run.folder / line["still"])).astype(int) - original).max() < 8


def test_a_sightings_still_is_its_best_frame(tmp_path, engine):
    clip = write_clip(tmp_path / "slow.mp4", frames=30, rate=10, options={"bf": "2", "g": "30"})
    run = process(clip, tmp_path / "out", engine, EVERY_FRAME)
    colours = []
    for number, line in enumerate(lines(run.folder, "sightings.csv"), start=1):
        assert line["id"] == str(number)
        assert line["still"] == f"stills/{number:04d}-{line['label'].lower()}-{int(line['peak_frame']):06d}.jpg"
        colours.append(int(cv2.imread(str(run.folder / line["still"]))[..., ::-1].mean(axis=(0, 1)).argmax()))
    assert colours == [0, 1, 2]
    assert record(run.folder)["counts"]["missing_stills"] == 0


def test_ctrl_c_while_stills_are_made_keeps_the_tables(tmp_path, engine):
    clip = write_clip(tmp_path / "slow.mp4", frames=30, rate=10)

    def interrupt(progress):
        if progress.phase == "stills":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process(clip, tmp_path / "out", engine, EVERY_FRAME, interrupt)
    assert record(tmp_path / "out")["state"] == "incomplete"
    assert {entry.name for entry in (tmp_path / "out").iterdir()} >= TABLES
    assert [bool(line["still"]) for line in lines(tmp_path / "out", "sightings.csv")] == [True, False, False]
    assert "not complete: interrupted" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    run = process(clip, tmp_path / "out", engine, RESUMED)
    whole = process(clip, tmp_path / "whole", engine, EVERY_FRAME)
    assert results(run.folder) == results(whole.folder)


@pytest.fixture
def chapters(tmp_path):
    """25 and 30 frames at 10 a second; each begins red, and changes colour every ten frames."""
    return [
        write_clip(tmp_path / f"GX0{number}0042.MP4", frames=frames, rate=10, metadata={"creation_time": began})
        for number, frames, began in [(1, 25, "2026-05-01T09:30:00Z"), (2, 30, "2026-05-01T09:30:02.5Z")]
    ]


def test_frames_of_joined_chapters_are_numbered_within_their_files_and_stills_are_from_the_right_one(
    chapters, engine, tmp_path
):
    whole = process(chapters, tmp_path / "out", engine, EVERY_FRAME)
    rows = lines(whole.folder)
    assert [(row["file"], int(row["frame"])) for row in rows] == [
        (chapter.name, frame) for chapter, frames in zip(chapters, (25, 30), strict=True) for frame in range(frames)
    ]
    assert [float(row["media_s"]) for row in rows] == pytest.approx([k / 10 for k in range(55)])
    found = lines(whole.folder, "sightings.csv")
    assert [line["label"] for line in found] == ["Fish", "Octopus", "Turtle", "Fish", "Octopus", "Turtle"]
    assert [line["peak_file"] for line in found] == [chapters[0].name] * 3 + [chapters[1].name] * 3
    for line in found:
        still = cv2.imread(str(whole.folder / line["still"]))[..., ::-1].mean(axis=(0, 1))
        assert still.argmax() == int(line["peak_frame"]) // 10 % 3
    coco = json.loads((whole.folder / "coco.json").read_text(encoding="utf-8"))
    assert [video["name"] for video in coco["videos"]] == [chapter.name for chapter in chapters]
    assert (coco["images"][-1]["video_id"], coco["images"][-1]["frame_index"]) == (2, 29)
    assert ", ".join(chapter.name for chapter in chapters) in (whole.folder / "report.html").read_text(encoding="utf-8")
    before = results(whole.folder)
    again = process(chapters, whole.folder, engine, RESUMED)  # reads no frame, and so finds no chapter's first
    assert results(again.folder) == before


def test_a_chapter_that_cannot_be_read_holds_no_frames(chapters, engine, tmp_path):
    last = chapters[1].rename(tmp_path / "GX030042.MP4")
    broken = tmp_path / "GX020042.MP4"
    broken.write_bytes(b"not a video")
    for options in (EVERY_FRAME, RESUMED):
        run = process([chapters[0], broken, last], tmp_path / "out", engine, options)
        assert run.state == "incomplete"
        rows = lines(run.folder)
        assert {row["file"] for row in rows} == {chapters[0].name, last.name}
        assert (rows[25]["file"], rows[25]["frame"]) == (last.name, "0")


def test_joined_chapters_resumed_after_interruptions_equal_those_read_in_one_go(
    chapters, counting, tmp_path, monkeypatch
):
    whole = results(process(chapters, tmp_path / "whole", counting, EVERY_FRAME).folder)
    counting.fail_at = counting.runs + 5  # in the second chapter
    with pytest.raises(KeyboardInterrupt):
        process(chapters, tmp_path / "out", counting, EVERY_FRAME)
    assert [row["file"] for row in lines(tmp_path / "out")] == [chapters[0].name] * 25 + [chapters[1].name] * 7

    def hold(segment, frame, row):
        segment._stop.wait()

    told = []

    def interrupt(progress):
        told.append(progress)
        if len(told) == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # once more, before the second chapter is reached
        patch.setattr(segments, "TICK_S", 0.01)
        patch.setattr(segments.Segment, "_compare", hold)
        with pytest.raises(KeyboardInterrupt):
            process(chapters, tmp_path / "out", counting, RESUMED, interrupt)
    assert record(tmp_path / "out")["state"] == "incomplete"
    assert not (tmp_path / "out" / "frames.csv").exists()  # which file its last rows are in was not known
    assert results(process(chapters, tmp_path / "out", counting, RESUMED).folder) == whole


def test_stills_of_a_recording_whose_stamps_begin_anew_are_the_right_frames(tmp_path, engine):
    # The second part has stamps of its own at the very times to which its first frames were moved.
    parts = [write_clip(tmp_path / f"{frames}.ts", frames=frames, rate=10) for frames in (25, 60)]
    twice = tmp_path / "twice.ts"
    twice.write_bytes(b"".join(part.read_bytes() for part in parts))
    run = process(twice, tmp_path / "out", engine, EVERY_FRAME)
    assert record(run.folder)["counts"]["restarts"] == 1
    colour_of = {int(row["frame"]): ("Fish", "Octopus", "Turtle").index(row["label_1"]) for row in lines(run.folder)}
    for line in lines(run.folder, "sightings.csv"):
        still = cv2.imread(str(run.folder / line["still"]))[..., ::-1].mean(axis=(0, 1))
        assert still.argmax() == colour_of[int(line["peak_frame"])]
    assert "clock began anew 1 time;" in (run.folder / "report.html").read_text(encoding="utf-8")


def test_depth_and_temperature_are_in_every_table_and_in_the_report(chapters, engine, tmp_path):
    (tmp_path / "log.csv").write_text(
        "time,depth_m,temperature_c\n2026-05-01T09:29:00,10,24\n2026-05-01T09:31:00,10,24\n", encoding="utf-8"
    )
    log = DiveLog.read(tmp_path / "log.csv")
    run = process(chapters, tmp_path / "out", engine, ProcessOptions(divelog=log))
    rows = pq.read_table(run.folder / "frames.parquet").to_pylist()
    assert {(row["depth_m"], row["temperature_c"]) for row in rows} == {(10.0, 24.0)}
    assert {(row["depth_m"], row["temperature_c"]) for row in lines(run.folder)} == {("10.00", "24.00")}
    assert {line["max_depth_m"] for line in lines(run.folder, "sightings.csv")} == {"10.00"}
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert page.count("10.0\xa0m · 24\xa0°C") == 6
    assert "dive 1 of 1 in log.csv" in page


def test_going_on_without_the_log_keeps_the_depth_that_was_joined(clip, engine, tmp_path):
    start = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
    rows = "".join(f"{(start + timedelta(seconds=s)).isoformat()},{5 + s / 7},{20 - s / 9}\n" for s in range(-1, 6))
    (tmp_path / "log.csv").write_text(f"time,depth_m,temperature_c\n{rows}", encoding="utf-8")
    log = DiveLog.read(tmp_path / "log.csv", offset_s=0.25)
    before = process(clip, tmp_path / "out", engine, ProcessOptions(divelog=log))
    tables = results(before.folder)
    assert b"5." in tables["sightings.csv"]
    states = set()  # what a kill would leave, in any phase: a finished dive
    overlay = ProcessOptions(resume=True, overlay=True)
    after = process(clip, tmp_path / "out", engine, overlay, lambda _: states.add(record(tmp_path / "out")["state"]))
    assert states == {"complete"}
    assert {name: data for name, data in results(after.folder).items() if name in tables} == tables
    assert record(after.folder)["divelog"] == dict(before.divelog) != {}
    assert "divelog.csv" in record(after.folder)["files"]
    (after.folder / "divelog.csv").unlink()
    with pytest.raises(ResultsError, match="give the log again with --divelog"):
        process(clip, tmp_path / "out", engine, RESUMED)
    assert results(after.folder)["sightings.csv"] == tables["sightings.csv"]
    process(clip, tmp_path / "out", engine, EVERY_FRAME)
    assert not (after.folder / "divelog.csv").exists()
    assert record(after.folder)["divelog"] == {}


OTHER_START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def logs(tmp_path):
    """Of the clips' own time, and of OTHER_START."""
    for name, day in (("own", "2026-05-01T09"), ("other", "2026-06-01T11")):
        rows = f"{day}:29:00Z,10\n{day}:31:00Z,12\n" if name == "own" else f"{day}:59:00Z,20\n2026-06-01T12:01:00Z,25\n"
        (tmp_path / f"{name}.csv").write_text(f"time,depth_m\n{rows}", encoding="utf-8")
    return {name: DiveLog.read(tmp_path / f"{name}.csv") for name in ("own", "other")}


def made(folder):
    """Every file but what tells of the runs themselves: rows, times, and whether one was resumed."""
    found = {**results(folder), "run.json": record(folder)}
    found.pop(JOURNAL)
    found["run.json"]["options"].pop("resume")
    found["run.json"].pop("timing")
    return found


class TestAnotherClock:
    """A dive that is complete is given another start or dive log: nothing of it is classified again."""

    def test_all_files_are_those_of_a_dive_that_was_given_them_at_once(self, chapters, counting, tmp_path, logs):
        given = {"start_utc": OTHER_START, "divelog": logs["other"], "overlay": True}
        whole = process(chapters, tmp_path / "whole", counting, ProcessOptions(**given))
        process(chapters, tmp_path / "out", counting, ProcessOptions(divelog=logs["own"], overlay=True))
        counting.frames = 0
        again = process(chapters, tmp_path / "out", counting, ProcessOptions(resume=True, **given))
        assert (counting.frames, again.classified, again.folder) == (0, 55, tmp_path / "out")
        assert made(again.folder) == made(whole.folder)
        assert not list(tmp_path.glob("out.*"))

    def test_it_stays_until_another_is_given_or_it_is_left_out(self, clip, counting, tmp_path, logs):
        plain = process(clip, tmp_path / "plain", counting, EVERY_FRAME)
        given = ProcessOptions(start_utc=OTHER_START, divelog=logs["other"])
        before = made(process(clip, tmp_path / "out", counting, given).folder)
        counting.frames = 0
        assert made(process(clip, tmp_path / "out", counting, RESUMED).folder) == before
        without = ProcessOptions(resume=True, keep_start=False, keep_divelog=False)
        run = process(clip, tmp_path / "out", counting, without)
        assert (counting.frames, made(run.folder)) == (0, made(plain.folder))

    def test_a_log_that_does_not_fit_changes_nothing(self, clip, engine, tmp_path, logs):
        process(clip, tmp_path / "out", engine, EVERY_FRAME)
        before = made(tmp_path / "out")
        with pytest.raises(MisfitError, match=r"the nearest dive in other\.csv") as caught:
            process(clip, tmp_path / "out", engine, ProcessOptions(resume=True, divelog=logs["other"]))
        assert caught.value.cause == "elsewhere"
        assert made(tmp_path / "out") == before

    @pytest.mark.parametrize("moved", range(4))
    def test_a_kill_leaves_the_old_files_or_the_new_ones_and_what_was_said(
        self, clip, engine, tmp_path, monkeypatch, moved
    ):
        """moved: how much is in its place when it comes; 0: it comes before the new ones are whole."""
        whole = made(process(clip, tmp_path / "whole", engine, ProcessOptions(start_utc=OTHER_START)).folder)
        out = process(clip, tmp_path / "out", engine, EVERY_FRAME).folder
        before = made(out)
        other = ProcessOptions(start_utc=OTHER_START, resume=True)

        class Killed(BaseException):
            pass

        def kill(*args):
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(*((remaking, "_move") if moved else (process_module, "find_corrections")), kill)
            patch.setattr(shutil, "rmtree", lambda *args, **named: None)  # nor does a kill tidy up
            with pytest.raises(Killed):
                process(clip, out, engine, other)
        assert made(out) == before
        if moved:
            ready = tmp_path / "out.ready"
            for name in json.loads((ready / "manifest.json").read_text())[: 5 * (moved - 1)]:
                (ready / name).replace(out / name)
        add_correction(out, read_keys(out)[0], Verdict.RIGHT)
        after = made(process(clip, out, engine, other).folder)
        assert after.pop("corrections.jsonl")
        assert after.pop("sightings-checked.csv")
        assert after["sightings.csv"] == whole["sightings.csv"]
        assert after["frames.csv"] == whole["frames.csv"]
        assert record(out)["time"] == {"start_utc": "2026-06-01T12:00:00.000Z", "utc_source": "start"}
        assert not list(tmp_path.glob("out.*"))

    def test_nobody_else_writes_meanwhile(self, clip, engine, tmp_path):
        out = process(clip, tmp_path / "out", engine, EVERY_FRAME).folder
        told = []

        def meanwhile(progress):
            if not told:
                told.append(progress)
                with pytest.raises(ResultsError, match="another run is writing here"):
                    process(clip, out, engine, RESUMED)

        process(clip, out, engine, ProcessOptions(start_utc=OTHER_START, resume=True), meanwhile)
        assert told

    def test_a_journal_of_an_earlier_version_names_its_start_and_can_be_continued(self, clip, counting, tmp_path):
        out = process(clip, tmp_path / "out", counting, EVERY_FRAME).folder
        head, _, rows = (out / JOURNAL).read_bytes().partition(b"\n")
        header = json.loads(head)
        header["facts"]["--start"] = "2026-01-01T00:00:00.000Z"
        (out / JOURNAL).write_bytes(json.dumps(header).encode() + b"\n" + rows)
        counting.frames = 0
        process(clip, out, counting, RESUMED)
        assert counting.frames == 0


def test_of_a_recording_that_breaks_off_what_was_read_counts(tmp_path, engine):
    whole = write_clip(tmp_path / "dive.mkv", frames=250)
    run = process(truncate(whole, 0.6), tmp_path / "out", engine, EVERY_FRAME)
    counts = record(run.folder)["counts"]
    assert counts["read_s"] == pytest.approx(counts["classified"] / 25, abs=0.01)
    assert run.state == "incomplete"


def test_what_is_left_of_occurrences_goes_with_the_other_tables(clip, engine, tmp_path):
    process(clip, tmp_path / "out", engine, EVERY_FRAME)
    assert (tmp_path / "out" / "occurrence.csv").exists()
    run = process(write_clip(tmp_path / "other.mp4"), tmp_path / "out", engine, EVERY_FRAME)  # has no wall clock
    assert not (run.folder / "occurrence.csv").exists()
    assert "occurrence.csv" not in record(run.folder)["files"]


def test_a_start_for_pictures_is_refused(tmp_path, engine):
    with pytest.raises(SourceError, match="--start is for a video"):
        process(tmp_path, tmp_path / "out", engine, ProcessOptions(start_utc=datetime(2026, 1, 1, tzinfo=UTC)))


def test_progress_rises_to_its_total_in_every_phase(clip, engine, tmp_path):
    told = []
    process(clip, tmp_path / "out", engine, ProcessOptions(overlay=True), told.append)
    for phase in ("classify", "write", "overlay"):
        of_phase = [progress for progress in told if progress.phase == phase]
        assert [p.done for p in of_phase] == sorted(p.done for p in of_phase)
        assert (of_phase[-1].done, of_phase[-1].total) == (60, 60)
        assert of_phase[-1].duration_s == pytest.approx(2.4, abs=0.05)


def test_every_file_and_column_is_documented(clip, engine, tmp_path):
    run = process(clip, tmp_path / "out", engine, ProcessOptions(overlay=True))
    text = (REPOSITORY / "docs" / "results.md").read_text(encoding="utf-8")
    columns = [
        name
        for table in ("frames.csv", "sightings.csv")
        for name in (run.folder / table).read_text().splitlines()[0].split(",")
        if not name.startswith(("label_", "probability_"))
    ]
    found = record(run.folder)
    keys = {*found, *found["source"], *found["counts"], *found["timing"]} - {
        "schema_version",
        "name",
        "path",
        "kind",
        "codec",
    }
    keys -= {"reason", "begun_utc", "finished_utc"}
    names = {entry.name for entry in run.folder.iterdir()}
    assert [name for name in {*names, *columns, *keys} if f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_s": 0.0}, "--every"),
        ({"every_s": float("nan")}, "--every"),
        ({"start_utc": datetime(2026, 1, 1)}, "--start"),  # noqa: DTZ001 - a time without its zone is the point
    ],
)
def test_options_without_meaning_are_refused(options, message):
    with pytest.raises(SettingsError, match=message):
        ProcessOptions(**options)


class TestBadInput:
    def test_a_source_without_a_frame_touches_nothing(self, tmp_path, engine):
        (tmp_path / "notes.mp4").write_text("not a video")
        truncate(write_clip(tmp_path / "no-index.mp4"), 0.5)
        for name in ("gone.mp4", "notes.mp4", "no-index.mp4"):
            with pytest.raises(SourceError, match=str(tmp_path / name)):
                process(tmp_path / name, tmp_path / "out", engine, EVERY_FRAME)
        assert not (tmp_path / "out").exists()

    def test_earlier_results_outlive_a_source_that_is_gone(self, clip, engine, tmp_path):
        run = process(clip, tmp_path / "out", engine, EVERY_FRAME)
        before = results(run.folder)
        clip.unlink()
        with pytest.raises(SourceError, match="no such file"):
            process(clip, tmp_path / "out", engine, EVERY_FRAME)
        assert results(run.folder) == before

    @pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
    def test_a_file_cut_half_way_gives_results_up_to_the_break(self, tmp_path, engine, suffix):
        options = {"movflags": "faststart"}  # an index at the end would be cut off, and nothing could be read
        whole = tmp_path / f"cut{suffix}"
        with av.open(str(whole), "w", options=options if suffix == ".mp4" else {}) as container:
            stream = container.add_stream("libx264", rate=25, options={"g": "5"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            noise = np.random.default_rng(0)
            for _ in range(100):
                picture = noise.integers(0, 255, (48, 64, 3), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(stream.encode())
        run = process(truncate(whole, 0.6), tmp_path / "out", engine, ProcessOptions(overlay=True))
        assert run.state == "incomplete"
        assert isinstance(run.error, SourceError)
        assert 20 < run.classified < 100
        found = record(run.folder)
        assert (found["state"], found["reason"]) == ("incomplete", str(run.error))
        assert found["counts"]["classified"] == run.classified == len(lines(run.folder))
        assert len(np.load(run.folder / "cams.npy")) == run.classified
        with av.open(str(run.folder / "overlay.mp4")) as container:
            assert len(list(container.decode(video=0))) == run.classified

    def test_a_file_in_the_place_of_the_folder_is_a_sentence(self, clip, engine, tmp_path):
        (tmp_path / "out").write_text("mine")
        with pytest.raises(ResultsError, match=r"out: cannot be written \(file exists\)"):
            process(clip, tmp_path / "out", engine, EVERY_FRAME)
        assert (tmp_path / "out").read_text() == "mine"

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_without_permission_is_a_sentence(self, clip, engine, tmp_path):
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(ResultsError, match="permission denied"):
            process(clip, tmp_path / "locked" / "out", engine, EVERY_FRAME)


class TestResume:
    @pytest.fixture
    def uninterrupted(self, clip, engine, tmp_path):
        return results(process(clip, tmp_path / "whole", engine, EVERY_FRAME).folder)

    def test_interrupted_anywhere_it_ends_in_the_same_bytes(self, clip, counting, tmp_path, uninterrupted):
        for fail_at in range(1, 9):
            out = tmp_path / f"at-{fail_at}"
            counting.frames = counting.runs = 0
            counting.fail_at = fail_at
            with pytest.raises(KeyboardInterrupt):
                process(clip, out, counting, EVERY_FRAME)
            assert record(out)["state"] == "incomplete"
            classified = record(out)["counts"].get("classified", 0)  # what there is can be read at once
            assert TABLES & {entry.name for entry in out.iterdir()} == (TABLES if classified else set())
            if classified:
                assert len((out / "frames.csv").read_text().splitlines()) == 1 + classified
            counting.fail_at = None
            run = process(clip, out, counting, RESUMED)
            assert run.continued_from == (fail_at - 1) * 8
            assert counting.frames == 60  # nothing was classified twice
            assert results(out) == uninterrupted
            assert record(out)["counts"]["decoded"] == 60

    def test_cut_at_any_byte_it_ends_in_the_same_bytes(self, clip, engine, tmp_path, uninterrupted):
        out, journal = tmp_path / "out", uninterrupted[JOURNAL]
        for cut in (0, 100, len(journal) // 3, len(journal) // 2, len(journal) - 1):
            out.mkdir(exist_ok=True)
            (out / JOURNAL).write_bytes(journal[:cut])
            (out / "frames.csv.partial").write_text("left behind")
            process(clip, out, engine, RESUMED)
            assert results(out) == uninterrupted

    def test_samples_go_on_where_they_stopped(self, clip, counting, tmp_path):
        sampled = ProcessOptions(every_s=0.1)
        whole = results(process(clip, tmp_path / "whole", counting, sampled).folder)
        counting.fail_at = counting.runs + 3
        with pytest.raises(KeyboardInterrupt):
            process(clip, tmp_path / "out", counting, sampled)
        counting.fail_at = None
        process(clip, tmp_path / "out", counting, ProcessOptions(every_s=0.1, resume=True))
        assert results(tmp_path / "out") == whole

    def test_a_finished_dive_is_not_classified_again(self, clip, counting, tmp_path):
        process(clip, tmp_path / "out", counting, EVERY_FRAME)
        before, counting.frames = results(tmp_path / "out"), 0
        run = process(clip, tmp_path / "out", counting, RESUMED)
        assert (counting.frames, run.continued_from, run.frames_per_s) == (0, 60, 0.0)
        assert (run.state, run.decoded) == ("complete", 60)
        assert results(tmp_path / "out") == before

    def test_stills_outlive_a_resume_but_not_their_journal(self, clip, counting, tmp_path, uninterrupted):
        out = process(clip, tmp_path / "out", counting, EVERY_FRAME).folder
        still = next((out / "stills").glob("*-overlay.jpg"))
        for lost, kept in (("run.json", True), (JOURNAL, False)):
            still.write_bytes(b"another model's")
            (out / lost).unlink()
            process(clip, out, counting, RESUMED)
            assert (still.read_bytes() == b"another model's") == kept
        assert results(out) == uninterrupted

    def test_an_overlay_can_be_asked_for_afterwards(self, clip, counting, tmp_path, uninterrupted):
        process(clip, tmp_path / "out", counting, EVERY_FRAME)
        counting.frames = 0
        states = set()  # what a kill would leave, in any phase: a finished dive
        overlay = ProcessOptions(overlay=True, resume=True)

        def look(_):
            now = record(tmp_path / "out")
            states.add((now["state"], "finished_utc" in now["timing"]))

        process(clip, tmp_path / "out", counting, overlay, look)
        assert (states, counting.frames) == ({("complete", True)}, 0)
        assert results(tmp_path / "out").keys() == uninterrupted.keys() | {"overlay.mp4"}

    def test_what_the_frames_were_classified_on_is_told_whoever_draws_the_overlay(self, clip, engine, tmp_path):
        process(clip, tmp_path / "out", engine, EVERY_FRAME)
        told = record(tmp_path / "out")
        told["model"] |= {"provider": "CUDAExecutionProvider", "provider_share": 0.98, "provider_note": "on a GPU"}
        (tmp_path / "out" / "run.json").write_text(json.dumps(told))
        process(clip, tmp_path / "out", engine, ProcessOptions(overlay=True, resume=True))
        assert record(tmp_path / "out")["model"] == told["model"]
        assert "CUDAExecutionProvider (on a GPU)" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")

    def test_resume_without_an_earlier_run_begins(self, clip, engine, tmp_path):
        assert process(clip, tmp_path / "out", engine, RESUMED).continued_from == 0

    def test_another_video_model_or_option_is_refused_by_name(self, clip, engine, tmp_path):
        from toy_onnx import write_toy_model

        process(clip, tmp_path / "out", engine, EVERY_FRAME)
        before = results(tmp_path / "out")
        other_clip = write_clip(tmp_path / "other.mp4", frames=61)
        with pytest.raises(ResultsError, match="the source was"):
            process(other_clip, tmp_path / "out", engine, RESUMED)
        with pytest.raises(ResultsError, match=r"--every was not given and is now 2\.0"):
            process(clip, tmp_path / "out", engine, ProcessOptions(every_s=2.0, resume=True))
        other_model = write_toy_model(tmp_path / "other.onnx", labels=("a", "b"))
        with (
            Engine.open(other_model, provider="cpu", threads=1) as other,
            pytest.raises(ResultsError, match="the model was sha256"),
        ):
            process(clip, tmp_path / "out", other, RESUMED)
        assert results(tmp_path / "out") == before
        assert record(tmp_path / "out")["state"] == "complete"

    def test_without_resume_another_option_starts_anew_and_leaves_nothing_old(self, clip, counting, tmp_path):
        process(clip, tmp_path / "out", counting, ProcessOptions(overlay=True))
        counting.frames = 0
        run = process(clip, tmp_path / "out", counting, ProcessOptions(every_s=1.0))
        assert (counting.frames, run.classified) == (3, 3)
        process(clip, tmp_path / "fresh", counting, ProcessOptions(every_s=1.0))
        assert results(tmp_path / "out") == results(tmp_path / "fresh")


def python(script: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]


class TestDisasters:
    """In a process of its own, so that it can be killed and its disk be full."""

    KILLED = """
        import sys
        from pathlib import Path
        from dives.process import ProcessOptions, process
        from realtime.engine import Engine

        class Pausing(Engine):
            runs = 0
            def run(self, frames, explain=None):
                self.runs += 1
                if self.runs == 4:
                    print("three batches are written", flush=True)
                    sys.stdin.read()
                return super().run(frames, explain)

        clip, out, model = map(Path, sys.argv[1:])
        with Pausing.open(model, provider="cpu", threads=1) as engine:
            process(clip, out, engine, ProcessOptions(overlay=True))
    """

    FULL = """
        import json, resource, sys
        from pathlib import Path
        from dives.process import ProcessOptions, process
        from realtime.engine import Engine
        from realtime.errors import ResultsError

        clip, out, model = map(Path, sys.argv[1:4])
        with Engine.open(model, provider="cpu", threads=1) as engine:
            for limit in map(int, sys.argv[4:]):
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
                message = ""
                try:
                    process(clip, out, engine, ProcessOptions(overlay=True, resume=True))
                except ResultsError as error:
                    message = str(error)
                run = json.loads((out / "run.json").read_text())
                print(json.dumps([message, run["state"], run["reason"], sorted(p.name for p in out.iterdir())]))
    """

    def test_killed_and_resumed_it_ends_in_the_same_bytes(self, clip, engine, toy_model, tmp_path):
        whole = results(process(clip, tmp_path / "whole", engine, ProcessOptions(overlay=True)).folder)
        out = tmp_path / "out"
        with subprocess.Popen(
            python(self.KILLED, clip, out, toy_model),
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as running:
            assert running.stdout.readline() == "three batches are written\n"
            running.kill()
        assert record(out)["state"] == "running"
        with (out / JOURNAL).open("ab") as journal:
            journal.write(b"half a record")
        run = process(clip, out, engine, ProcessOptions(overlay=True, resume=True))
        assert run.continued_from == 24
        assert results(out) == whole

    def test_two_runs_do_not_mix_in_one_folder(self, clip, engine, toy_model, tmp_path):
        with subprocess.Popen(
            python(self.KILLED, clip, tmp_path / "out", toy_model),
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as running:
            assert running.stdout.readline() == "three batches are written\n"
            with pytest.raises(ResultsError, match="another run is writing here"):
                process(clip, tmp_path / "out", engine, EVERY_FRAME)
            running.communicate("go on")
        assert record(tmp_path / "out")["state"] == "complete"
        assert len(lines(tmp_path / "out")) == 60

    KILLED_AT = """
        import os, signal, sys
        from pathlib import Path
        from dives import partial
        from dives.process import ProcessOptions, process
        from realtime.engine import Engine

        # Killed without a last word when the file of this name is complete but not yet called so.
        commit = partial.PartialFile.commit
        def killed(file):
            if file.path.name == sys.argv[4]:
                os.kill(os.getpid(), signal.SIGKILL)
            commit(file)
        partial.PartialFile.commit = killed

        clip, out, model = map(Path, sys.argv[1:4])
        with Engine.open(model, provider="cpu", threads=1) as engine:
            process(clip, out, engine, ProcessOptions(overlay=True, resume=True))
    """

    @pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
    def test_killed_three_times_while_results_are_written_it_ends_in_the_same_bytes(
        self, clip, engine, toy_model, tmp_path
    ):
        whole = results(process(clip, tmp_path / "whole", engine, ProcessOptions(overlay=True)).folder)
        second_still = sorted(name for name in whole if name.startswith("stills/"))[2].removeprefix("stills/")
        for name in ("frames.parquet", second_still, "overlay.mp4"):
            ended = subprocess.run(
                python(self.KILLED_AT, clip, tmp_path / "out", toy_model, name), cwd=REPOSITORY, check=False
            )
            assert ended.returncode == -9
            assert record(tmp_path / "out")["state"] == "running"
            assert not list((tmp_path / "out").rglob(name))
        run = process(clip, tmp_path / "out", engine, ProcessOptions(overlay=True, resume=True))
        assert run.continued_from == 56  # the batches that were full
        assert results(tmp_path / "out") == whole

    @pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file size")
    def test_a_full_disk_keeps_what_was_written_at_every_stage(self, engine, toy_model, tmp_path):
        clip = write_noise(tmp_path / "dive.mp4", frames=60)
        whole = results(process(clip, tmp_path / "whole", engine, ProcessOptions(overlay=True)).folder)
        journal, overlay = (len(whole[name]) for name in (JOURNAL, "overlay.mp4"))
        table = max(len(whole[name]) for name in TABLES)
        assert 2500 < journal < table < overlay - 200
        limits = (2500, journal, table + 100, overlay - 1, 10 * overlay)  # results() shortens the report a little
        ended = subprocess.run(
            python(self.FULL, clip, tmp_path / "out", toy_model, *limits),
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        )
        *full, none = map(json.loads, ended.stdout.splitlines())
        stages = [JOURNAL, "", "overlay.mp4", "overlay.mp4"]
        for stage, (message, state, reason, names) in zip(stages, full, strict=True):
            why = r"(file too large|only \d+ of \d+ bytes were taken)"
            assert re.search(rf"{stage or '/out/.*'}: cannot be written \({why}\)", message)
            assert (state, reason) == ("failed", message)
            unfinished = {name for name in names if name.endswith(".partial")}
            assert unfinished <= {"frames.csv.partial", "sightings.csv.partial"}  # to look into
            assert set(names) >= TABLES or stage != "overlay.mp4"  # the tables were finished before
        assert none[:3] == ["", "complete", ""]
        assert results(tmp_path / "out") == whole


def test_the_report_of_a_dive_that_breaks_off_names_no_place_of_this_disk(tmp_path, engine):
    clip = truncate(write_clip(tmp_path / "cut.mkv"), 0.6)
    run = process(clip, tmp_path / "out", engine, ProcessOptions())
    report = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "the file breaks off at" in report
    assert str(tmp_path) not in report
