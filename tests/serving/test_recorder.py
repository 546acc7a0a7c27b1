"""serving/recorder.py: a disk that fails and comes back."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from seen import LABELS, seen

from dives.clips import ClipWriter
from dives.recording import Recording, SourceFolder
from dives.sighting_rows import SightingRow
from realtime.errors import ResultsError
from realtime.sightings import SightingTracker
from serving import recorder as module
from serving.recorder import CHECK_S, RETRY_S, Recorder


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorder(tmp_path: Path, clock: Clock) -> Recorder:
    return Recorder(Recording.open(tmp_path / "rec", ["reef"], LABELS), clips_s=1.0, clock=clock)


def row(index: int) -> SightingRow:
    tracker = SightingTracker()
    tracker.step(seen(index, 1)[1])
    sighting = tracker.finish()
    assert sighting is not None
    return SightingRow.of(sighting, LABELS)


def feed(recorder: Recorder, *indices: int) -> None:
    for index in indices:
        frame, result = seen(index, 1)
        recorder.frame(result, frame.picture)


def test_what_is_written_is_counted(recorder: Recorder) -> None:
    feed(recorder, 0, 1)
    begun = recorder.begin("reef", row(1))
    assert begun.clip == "clips/20260517T093000100Z-Octopus.mp4"
    assert recorder.still("reef", begun, np.zeros((9, 9, 3), np.uint8), np.zeros((2, 2), np.uint8)) is not None
    recorder.ongoing("reef", begun)
    recorder.ended("reef", begun)
    feed(recorder, *range(2, 14))
    status = recorder.status()
    assert (status.state, status.reason) == ("on", "")
    assert (status.rows, status.sightings, status.stills, status.clips, status.errors) == (14, 1, 1, 1, 0)
    assert recorder.file("reef", begun.clip).is_file()
    assert recorder.rows("reef", 5) == [begun]


def test_a_folder_that_is_removed_stops_the_recording_says_so_once_and_goes_on_when_it_is_back(
    recorder: Recorder, clock: Clock, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.WARNING)
    folder = tmp_path / "rec"
    feed(recorder, 0)
    recorder.ongoing("reef", row(0))
    shutil.rmtree(folder)
    clock.now_s += CHECK_S
    recorder.tick()
    assert recorder.status().state == "retrying"
    assert recorder.status().reason == "the folder: cannot be recorded to (its files were removed)"
    for index in range(5):  # while it is away
        clock.now_s += RETRY_S
        feed(recorder, index + 1)
        recorder.tick()
    assert recorder.still("reef", row(0), np.zeros((9, 9, 3), np.uint8), np.zeros((2, 2), np.uint8)) is None
    recorder.ended("reef", row(0))
    status = recorder.status()
    assert (status.state, status.errors, status.waiting, status.lost["disk"]) == ("retrying", 1, 1, 6)
    assert status.reason == "no such file or directory"
    assert str(tmp_path) not in status.reason
    folder.mkdir()
    clock.now_s += RETRY_S
    recorder.tick()
    status = recorder.status()
    assert (status.state, status.reason, status.waiting, status.sightings) == ("on", "", 0, 1)
    feed(recorder, 9)
    assert recorder.rows("reef", 5) == [row(0)]
    clock.now_s += RETRY_S
    recorder.tick()
    assert [record.message.partition(":")[0].partition(" to ")[0] for record in caplog.records] == [
        "recording has stopped and is tried again every 5 s",
        "recording",
    ]
    recorder.close()


def test_a_full_disk_that_takes_a_line_now_and_then_is_told_once(
    recorder: Recorder, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise ResultsError("only 50 of 111 bytes were taken")

    with monkeypatch.context() as disk:
        disk.setattr(SourceFolder, "frame", full)
        for index in range(10):  # every time it can be opened again, and then written to no more
            feed(recorder, index)
            clock.now_s += RETRY_S
            recorder.tick()
            assert recorder.status().state == "on"
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "recording has stopped and is tried again every 5 s"
    ]
    feed(recorder, 10)
    clock.now_s += RETRY_S
    recorder.tick()
    assert caplog.messages[1:] == [f"recording to {recorder._recording.folder} goes on"]


def test_it_is_not_tried_at_every_frame(recorder: Recorder, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(recorder._recording.folder)
    clock.now_s += CHECK_S
    recorder.tick()
    tried: list[object] = []
    monkeypatch.setattr(recorder._recording, "reopen", tried.append)
    feed(recorder, *range(50))
    assert tried == []
    clock.now_s += RETRY_S
    feed(recorder, 50)
    assert len(tried) == 1


def test_only_so_many_sightings_wait_and_the_others_are_counted_as_lost(
    recorder: Recorder, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(recorder._recording.folder)
    clock.now_s += CHECK_S
    recorder.tick()
    for index in range(module.MAX_WAITING + 3):
        recorder.ended("reef", replace(row(0), start_s=float(index)))
    assert recorder.status().waiting == module.MAX_WAITING
    assert recorder.status().lost["disk"] == 3


def test_a_clip_that_fails_is_given_up_and_the_rest_goes_on(recorder: Recorder) -> None:
    feed(recorder, 0)
    (recorder._recording.sources["reef"].folder / "clips").touch()
    assert recorder.begin("reef", row(0)).clip == ""
    feed(recorder, 1)
    assert (recorder.status().state, recorder.status().lost["clips"], recorder.status().rows) == ("on", 1, 2)


def test_no_line_names_a_clip_that_was_given_up(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sighting has ended and its clip goes on, the next is under way: then the disk refuses the clips."""
    feed(recorder, 0, 1)
    first = recorder.begin("reef", row(1))
    recorder.ongoing("reef", first)
    recorder.ended("reef", first)
    feed(recorder, 2)
    second = recorder.begin("reef", row(2))
    recorder.ongoing("reef", second)
    assert first.clip
    assert second.clip
    assert recorder.rows("reef", 5) == [first]

    def refuse(*_: object) -> None:
        raise ResultsError("clips: cannot be written (no space left on device)")

    with monkeypatch.context() as patched:
        patched.setattr(ClipWriter, "add", refuse)
        feed(recorder, 3)
    assert recorder.status().lost["clips"] == 1
    recorder.ended("reef", second)
    assert recorder.rows("reef", 5) == [replace(first, clip=""), replace(second, clip="")]
    assert list(recorder.file("reef", "clips").iterdir()) == []
    assert recorder.status().state == "on"


def test_after_the_disk_failed_no_line_names_a_clip_that_was_given_up(
    recorder: Recorder, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed(recorder, 0, 1)
    first = recorder.begin("reef", row(1))
    recorder.ended("reef", first)
    feed(recorder, 2)
    second = recorder.begin("reef", row(2))
    recorder.ongoing("reef", second)

    def refuse(*_: object) -> None:
        raise ResultsError("rec: cannot be recorded to (input/output error)")

    with monkeypatch.context() as patched:
        patched.setattr(SourceFolder, "frame", refuse)
        feed(recorder, 3)
    assert recorder.status().state == "retrying"
    recorder.ended("reef", second)
    clock.now_s += RETRY_S
    recorder.tick()
    assert recorder.rows("reef", 5) == [replace(first, clip=""), replace(second, clip="")]
