"""Recordings that cannot be read, or break off, and folders that cannot be written."""

from __future__ import annotations

import os

import av
import numpy as np
import pytest
from clips import truncate, write_clip
from result_files import lines, record, results

from dives.process import ProcessOptions, process
from realtime.errors import ResultsError, SourceError

EVERY_FRAME = ProcessOptions()


def test_a_source_without_a_frame_touches_nothing(tmp_path, engine):
    (tmp_path / "notes.mp4").write_text("not a video")
    truncate(write_clip(tmp_path / "no-index.mp4"), 0.5)
    for name in ("gone.mp4", "notes.mp4", "no-index.mp4"):
        with pytest.raises(SourceError, match=str(tmp_path / name)):
            process(tmp_path / name, tmp_path / "out", engine, EVERY_FRAME)
    assert not (tmp_path / "out").exists()


def test_earlier_results_outlive_a_source_that_is_gone(clip, engine, tmp_path):
    run = process(clip, tmp_path / "out", engine, EVERY_FRAME)
    before = results(run.folder)
    clip.unlink()
    with pytest.raises(SourceError, match="no such file"):
        process(clip, tmp_path / "out", engine, EVERY_FRAME)
    assert results(run.folder) == before


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_file_cut_half_way_gives_results_up_to_the_break(tmp_path, engine, suffix):
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


def test_a_file_in_the_place_of_the_folder_is_a_sentence(clip, engine, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ResultsError, match=r"out: cannot be written \(file exists\)"):
        process(clip, tmp_path / "out", engine, EVERY_FRAME)
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_a_sentence(clip, engine, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(ResultsError, match="permission denied"):
        process(clip, tmp_path / "locked" / "out", engine, EVERY_FRAME)


def test_of_a_recording_that_breaks_off_what_was_read_counts(tmp_path, engine):
    whole = write_clip(tmp_path / "dive.mkv", frames=250)
    run = process(truncate(whole, 0.6), tmp_path / "out", engine, EVERY_FRAME)
    counts = record(run.folder)["counts"]
    assert counts["read_s"] == pytest.approx(counts["classified"] / 25, abs=0.01)
    assert run.state == "incomplete"


def test_the_report_of_a_dive_that_breaks_off_names_no_place_of_this_disk(tmp_path, engine):
    clip = truncate(write_clip(tmp_path / "cut.mkv"), 0.6)
    run = process(clip, tmp_path / "out", engine, ProcessOptions())
    report = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "the file breaks off at" in report
    assert str(tmp_path) not in report
