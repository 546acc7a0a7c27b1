"""serving/logbook.py: which sightings are listed, and what a thread that cannot keep up loses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic

import cv2
import numpy as np
import pytest
from seen import LABELS, seen

from dives.recording import Recording
from realtime.frames import FrameResult, Picture
from serving import logbook as module
from serving.logbook import LOOK_S, MAX_PICTURES, MAX_RESULTS, SILENT_S, Entry, Logbook
from serving.recorder import Recorder

WAIT_S = 20.0


def until(reached: Callable[[], bool]) -> None:
    """Looks until it is so; the logbook's thread tells nobody."""
    deadline_s = monotonic() + WAIT_S
    while not reached():
        assert monotonic() < deadline_s
        threading.Event().wait(0.005)


def recorder(folder: Path, **options: float) -> Recorder:
    return Recorder(Recording.open(folder, ["reef"], LABELS), **options)


def feed(logbook: Logbook, *frames: tuple[int, int | None]) -> None:
    for index, label in frames:
        logbook.on_result(*seen(index, label))


def ended(logbook: Logbook) -> list[Entry]:
    return [entry for entry in logbook.newest(None, 100) if not entry.ongoing]


def test_sightings_are_listed_newest_first_with_the_one_under_way() -> None:
    logbook = Logbook(["reef", "pier"], LABELS)
    logbook.start()
    feed(logbook, (0, 1), (1, 1), (2, 2), (3, 2), (4, 0))
    logbook.on_result(*seen(1, 0, source="pier"))
    logbook.on_result(*seen(0, 0, source="~camera-1"))  # a page's own camera is its own affair
    until(lambda: len(logbook.newest(None, 100)) == 4)
    listed = logbook.newest("reef", 100)
    assert [entry.row.label for entry in listed] == ["Fish", "Turtle", "Octopus"]
    assert [entry.ongoing for entry in listed] == [True, False, False]
    assert [entry.source for entry in logbook.newest(None, 2)] == ["reef", "reef"]
    assert logbook.find(listed[1].id) == listed[1]
    assert logbook.find("nobody") is None
    with pytest.raises(KeyError):
        logbook.newest("atlantis", 1)
    assert logbook.stop(WAIT_S)
    assert len(ended(logbook)) == 4
    assert [entry.id for entry in logbook.newest("reef", 100)] == [entry.id for entry in listed]


def test_the_list_goes_on_page_by_page_and_from_the_disk_where_the_memory_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    recording = Recording.open(tmp_path, ["reef", "pier"], LABELS)
    logbook = Logbook(["reef", "pier"], LABELS, Recorder(recording))
    logbook.start()
    feed(logbook, *((2 * index, index % 3) for index in range(7)))
    logbook.on_result(*seen(3, 0, source="pier"))  # between two that only the disk remembers
    until(lambda: len(logbook.newest("pier", 1)) == 1)
    everything = logbook.newest(None, 100)
    assert [entry.row.peak_frame for entry in everything] == [12, 10, 8, 6, 4, 3, 2, 0]
    assert [entry.past for entry in everything] == [False, False, False, True, True, False, True, True]
    paged: list[Entry] = []
    while page := logbook.newest(None, 3, paged[-1].id if paged else None):
        paged += page
    assert paged == everything
    assert logbook.newest("pier", 9, everything[2].id) == [everything[5]]
    oldest = everything[-1]
    assert logbook.find(oldest.id) == oldest
    assert logbook.has(oldest, oldest.row.still)
    assert not logbook.has(oldest, "stills/nothing.jpg")
    with pytest.raises(KeyError):
        logbook.newest(None, 3, "0123456789abcdef")
    assert logbook.stop(WAIT_S)


def test_the_still_is_of_the_peak(tmp_path: Path) -> None:
    logbook = Logbook(["reef"], LABELS, recorder(tmp_path))
    logbook.start()
    for index, probability in enumerate([0.6, 0.7, 0.95, 0.8]):
        logbook.on_result(*seen(index * 40, None))
        logbook.on_result(*seen(index * 40 + 1, 1, probability=probability, size_hw=(90, 1600)))
    logbook.on_result(*seen(200, 2, probability=0.6, size_hw=(90, 1600)))
    logbook.on_result(*seen(201, 2, probability=0.9, size_hw=(90, 1600)))
    assert logbook.stop(WAIT_S)
    newest = logbook.newest(None, 1)[0]
    assert (newest.row.peak_frame, newest.row.frames) == (201, 2)
    assert newest.still is not None
    assert newest.still.frame == 201
    small = cv2.imdecode(np.frombuffer(newest.still.plain, np.uint8), cv2.IMREAD_COLOR)
    path = logbook.file(newest, newest.row.still)
    assert path is not None
    large = cv2.imread(str(path))
    assert small.shape == (36, 640, 3)
    assert large.shape == (90, 1600, 3)
    assert abs(float(large.mean()) - 1) < 2  # frame 201 is of this brightness


def test_a_sighting_that_is_listed_is_on_the_disk_whatever_happens_next(tmp_path: Path) -> None:
    logbook = Logbook(["reef"], LABELS, recorder(tmp_path))
    logbook.start()
    feed(logbook, (0, 1))
    until(lambda: bool(logbook.newest(None, 1)))
    listed = logbook.newest(None, 1)[0]
    note = (tmp_path / "reef" / "ongoing.csv").read_text(encoding="utf-8")
    assert listed.row.texts() == note.splitlines()[1].split(",")
    assert logbook.file(listed, listed.row.still) is not None
    assert logbook.stop(WAIT_S)


def test_what_earlier_runs_recorded_is_listed_under_the_same_ids(tmp_path: Path) -> None:
    first = Logbook(["reef"], LABELS, recorder(tmp_path, clips_s=0.5))
    first.start()
    feed(first, (0, 1), (1, 1), (2, 2), *((index, None) for index in range(3, 40)))
    assert first.stop(WAIT_S)
    second = Logbook(["reef"], LABELS, recorder(tmp_path))
    second.start()
    assert [(entry.id, entry.row) for entry in second.newest(None, 9)] == [
        (entry.id, entry.row) for entry in first.newest(None, 9)
    ]
    entry = second.newest(None, 1)[0]
    assert entry.still is None
    assert second.file(entry, entry.row.still) is not None
    assert second.file(entry, entry.row.clip) is not None
    assert second.stop(WAIT_S)


class Stuck(Recorder):
    """Hangs at the first frame until it is let go, as a network disk may."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Recording.open(folder, ["reef"], LABELS))
        self.reached, self.go_on = threading.Event(), threading.Event()

    def frame(self, result: FrameResult, picture: Picture | None) -> None:
        self.reached.set()
        assert self.go_on.wait(WAIT_S)
        super().frame(result, picture)


def test_a_disk_that_hangs_never_holds_up_the_results_and_what_is_lost_is_counted(tmp_path: Path) -> None:
    stuck = Stuck(tmp_path)
    logbook = Logbook(["reef"], LABELS, stuck)
    logbook.start()
    feed(logbook, (0, 1))
    assert stuck.reached.wait(WAIT_S)
    feed(logbook, *((index, 1) for index in range(1, MAX_RESULTS + 11)))
    lost = logbook.recording().lost
    assert (lost["busy"], lost["pictures"]) == (10, MAX_RESULTS - MAX_PICTURES)
    assert sum(item.picture is not None for item in logbook._queue) == MAX_PICTURES
    assert not logbook.stop(0.01)
    stuck.go_on.set()
    assert logbook.stop(WAIT_S)
    assert logbook.recording().rows == MAX_RESULTS + 1


def test_a_source_that_falls_silent_ends_its_sighting() -> None:
    now_s = [100.0]
    logbook = Logbook(["reef"], LABELS, clock=lambda: now_s[0])
    logbook.start()
    feed(logbook, (0, 1))
    until(lambda: bool(logbook.newest(None, 1)))
    assert logbook.newest(None, 1)[0].ongoing
    now_s[0] += SILENT_S + 0.1
    until(lambda: len(ended(logbook)) == 1)
    assert logbook.stop(WAIT_S)


class Unreadable:
    """A picture that cannot be converted."""

    size_hw = (6, 8)

    def model_input(self, size: int) -> np.ndarray:
        raise ValueError("broken")

    def rgb(self, max_side: int | None = None) -> np.ndarray:
        raise ValueError("broken")


def test_a_picture_that_cannot_be_read_costs_a_still_and_not_what_follows(caplog: pytest.LogCaptureFixture) -> None:
    logbook = Logbook(["reef"], LABELS)
    logbook.start()
    frame, result = seen(0, 1)
    object.__setattr__(frame, "picture", Unreadable())
    logbook.on_result(frame, result)
    feed(logbook, (1, 2), (2, 2))
    assert logbook.stop(WAIT_S)
    assert [(entry.row.label, entry.still is None) for entry in logbook.newest(None, 9)] == [
        ("Turtle", False),
        ("Octopus", True),
    ]
    assert logbook.recording().lost["errors"] == 1
    assert len(caplog.records) == 1


def test_memory_is_bounded_by_dropping_the_stills_of_old_sightings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STILLS_KEPT", 3)
    logbook = Logbook(["reef"], LABELS)
    logbook.start()
    feed(logbook, *((index, index % 3) for index in range(8)))
    assert logbook.stop(WAIT_S)
    listed = logbook.newest(None, 100)
    assert [entry.still is not None for entry in listed] == [True] * 3 + [False] * 5


def test_the_list_asks_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    kept = recorder(tmp_path, clips_s=0.5)
    logbook = Logbook(["reef"], LABELS, kept, clock=lambda: now_s[0])
    logbook.start()
    for index in range(60):
        feed(logbook, (index, 1 if index < 2 else None))
        until(lambda: not logbook._queue)  # each with its picture
    until(lambda: bool(ended(logbook)) and logbook.has(ended(logbook)[0], ended(logbook)[0].row.clip))
    (entry,) = ended(logbook)
    asked: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(kept, "file", lambda source, path: asked.append(path))
        assert logbook.has(entry, entry.row.still)
        assert logbook.has(entry, entry.row.overlay)
        assert not logbook.has(entry, "clips/other.mp4")
        assert asked == []
    (tmp_path / "reef" / entry.row.still).unlink()
    now_s[0] += LOOK_S
    until(lambda: not logbook.has(entry, entry.row.still))
    assert logbook.has(entry, entry.row.clip)
    assert logbook.stop(WAIT_S)


def test_the_newest_comes_first_also_after_the_clock_was_set_back(tmp_path: Path) -> None:
    logbook = Logbook(["reef"], LABELS, recorder(tmp_path))
    logbook.start()
    feed(logbook, (0, 1), (1, 2))
    for index, label in ((2, 0), (3, 1)):
        frame, result = seen(index, label)
        logbook.on_result(frame, replace(result, utc=result.utc - timedelta(days=3)))
    until(lambda: len(logbook.newest(None, 9)) == 4)
    listed = logbook.newest(None, 9)
    assert [entry.row.label for entry in listed] == ["Octopus", "Fish", "Turtle", "Octopus"]
    assert logbook.newest(None, 2, listed[1].id) == listed[2:]
    assert logbook.stop(WAIT_S)
    again = Logbook(["reef"], LABELS, recorder(tmp_path))
    again.start()
    assert [entry.id for entry in again.newest(None, 9)] == [entry.id for entry in listed]
    assert again.stop(WAIT_S)
