"""A dive in two files is one dive: one table, stills from the right file, and it can be interrupted."""

from __future__ import annotations

import json

import cv2
import pytest
from result_files import lines, record, results

from dives import segments
from dives.process import ProcessOptions, process

EVERY_FRAME = ProcessOptions()
RESUMED = ProcessOptions(resume=True)


def test_frames_of_joined_chapters_are_numbered_within_their_files_and_stills_are_from_the_right_one(
    two_chapters, engine, tmp_path
):
    whole = process(two_chapters, tmp_path / "out", engine, EVERY_FRAME)
    rows = lines(whole.folder)
    assert [(row["file"], int(row["frame"])) for row in rows] == [
        (chapter.name, frame) for chapter, frames in zip(two_chapters, (25, 30), strict=True) for frame in range(frames)
    ]
    assert [float(row["media_s"]) for row in rows] == pytest.approx([k / 10 for k in range(55)])
    found = lines(whole.folder, "sightings.csv")
    assert [line["label"] for line in found] == ["Fish", "Octopus", "Turtle", "Fish", "Octopus", "Turtle"]
    assert [line["peak_file"] for line in found] == [two_chapters[0].name] * 3 + [two_chapters[1].name] * 3
    for line in found:
        still = cv2.imread(str(whole.folder / line["still"]))[..., ::-1].mean(axis=(0, 1))
        assert still.argmax() == int(line["peak_frame"]) // 10 % 3
    coco = json.loads((whole.folder / "coco.json").read_text(encoding="utf-8"))
    assert [video["name"] for video in coco["videos"]] == [chapter.name for chapter in two_chapters]
    assert (coco["images"][-1]["video_id"], coco["images"][-1]["frame_index"]) == (2, 29)
    named = ", ".join(chapter.name for chapter in two_chapters)
    assert named in (whole.folder / "report.html").read_text(encoding="utf-8")
    before = results(whole.folder)
    again = process(two_chapters, whole.folder, engine, RESUMED)  # reads no frame, and so finds no chapter's first
    assert results(again.folder) == before


def test_a_chapter_that_cannot_be_read_holds_no_frames(two_chapters, engine, tmp_path):
    last = two_chapters[1].rename(tmp_path / "GX030042.MP4")
    broken = tmp_path / "GX020042.MP4"
    broken.write_bytes(b"not a video")
    for options in (EVERY_FRAME, RESUMED):
        run = process([two_chapters[0], broken, last], tmp_path / "out", engine, options)
        assert run.state == "incomplete"
        rows = lines(run.folder)
        assert {row["file"] for row in rows} == {two_chapters[0].name, last.name}
        assert (rows[25]["file"], rows[25]["frame"]) == (last.name, "0")


def test_joined_chapters_resumed_after_interruptions_equal_those_read_in_one_go(
    two_chapters, counting, tmp_path, monkeypatch
):
    whole = results(process(two_chapters, tmp_path / "whole", counting, EVERY_FRAME).folder)
    counting.fail_at = counting.runs + 5  # in the second chapter
    with pytest.raises(KeyboardInterrupt):
        process(two_chapters, tmp_path / "out", counting, EVERY_FRAME)
    assert [row["file"] for row in lines(tmp_path / "out")] == [two_chapters[0].name] * 25 + [two_chapters[1].name] * 7

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
            process(two_chapters, tmp_path / "out", counting, RESUMED, interrupt)
    assert record(tmp_path / "out")["state"] == "incomplete"
    assert not (tmp_path / "out" / "frames.csv").exists()  # which file its last rows are in was not known
    assert results(process(two_chapters, tmp_path / "out", counting, RESUMED).folder) == whole
