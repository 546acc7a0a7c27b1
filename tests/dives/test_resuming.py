"""Interrupted anywhere a dive goes on and ends in the same bytes; nothing is classified twice."""

from __future__ import annotations

import json

import pytest
from clips import write_clip
from result_files import TABLES, lines, record, results

from dives.journal import NAME as JOURNAL
from dives.process import ProcessOptions, process
from realtime.engine import Engine
from realtime.errors import ResultsError

EVERY_FRAME = ProcessOptions()
RESUMED = ProcessOptions(resume=True)


@pytest.fixture
def uninterrupted(clip, engine, tmp_path):
    return results(process(clip, tmp_path / "whole", engine, EVERY_FRAME).folder)


def test_interrupted_anywhere_it_ends_in_the_same_bytes(clip, counting, tmp_path, uninterrupted):
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


def test_cut_at_any_byte_it_ends_in_the_same_bytes(clip, engine, tmp_path, uninterrupted):
    out, journal = tmp_path / "out", uninterrupted[JOURNAL]
    for cut in (0, 100, len(journal) // 3, len(journal) // 2, len(journal) - 1):
        out.mkdir(exist_ok=True)
        (out / JOURNAL).write_bytes(journal[:cut])
        (out / "frames.csv.partial").write_text("left behind")
        process(clip, out, engine, RESUMED)
        assert results(out) == uninterrupted


def test_samples_go_on_where_they_stopped(clip, counting, tmp_path):
    sampled = ProcessOptions(every_s=0.1)
    whole = results(process(clip, tmp_path / "whole", counting, sampled).folder)
    counting.fail_at = counting.runs + 3
    with pytest.raises(KeyboardInterrupt):
        process(clip, tmp_path / "out", counting, sampled)
    counting.fail_at = None
    process(clip, tmp_path / "out", counting, ProcessOptions(every_s=0.1, resume=True))
    assert results(tmp_path / "out") == whole


def test_a_finished_dive_is_not_classified_again(clip, counting, tmp_path):
    process(clip, tmp_path / "out", counting, EVERY_FRAME)
    before, counting.frames = results(tmp_path / "out"), 0
    run = process(clip, tmp_path / "out", counting, RESUMED)
    assert (counting.frames, run.continued_from, run.frames_per_s) == (0, 60, 0.0)
    assert (run.state, run.decoded) == ("complete", 60)
    assert results(tmp_path / "out") == before


def test_stills_outlive_a_resume_but_not_their_journal(clip, counting, tmp_path, uninterrupted):
    out = process(clip, tmp_path / "out", counting, EVERY_FRAME).folder
    still = next((out / "stills").glob("*-overlay.jpg"))
    for lost, kept in (("run.json", True), (JOURNAL, False)):
        still.write_bytes(b"another model's")
        (out / lost).unlink()
        process(clip, out, counting, RESUMED)
        assert (still.read_bytes() == b"another model's") == kept
    assert results(out) == uninterrupted


def test_an_overlay_can_be_asked_for_afterwards(clip, counting, tmp_path, uninterrupted):
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


def test_what_the_frames_were_classified_on_is_told_whoever_draws_the_overlay(clip, engine, tmp_path):
    process(clip, tmp_path / "out", engine, EVERY_FRAME)
    told = record(tmp_path / "out")
    told["model"] |= {"provider": "CUDAExecutionProvider", "provider_share": 0.98, "provider_note": "on a GPU"}
    (tmp_path / "out" / "run.json").write_text(json.dumps(told))
    process(clip, tmp_path / "out", engine, ProcessOptions(overlay=True, resume=True))
    assert record(tmp_path / "out")["model"] == told["model"]
    assert "CUDAExecutionProvider (on a GPU)" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_resume_without_an_earlier_run_begins(clip, engine, tmp_path):
    assert process(clip, tmp_path / "out", engine, RESUMED).continued_from == 0


def test_another_video_model_or_option_is_refused_by_name(clip, engine, tmp_path):
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


def test_without_resume_another_option_starts_anew_and_leaves_nothing_old(clip, counting, tmp_path):
    process(clip, tmp_path / "out", counting, ProcessOptions(overlay=True))
    counting.frames = 0
    run = process(clip, tmp_path / "out", counting, ProcessOptions(every_s=1.0))
    assert (counting.frames, run.classified) == (3, 3)
    process(clip, tmp_path / "fresh", counting, ProcessOptions(every_s=1.0))
    assert results(tmp_path / "out") == results(tmp_path / "fresh")


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
