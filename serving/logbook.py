"""Which animals were seen on the live sources: a thread that follows the results, keeps the sightings, and records.

Results come from the inference thread, which never waits: they are queued, at most MAX_RESULTS of them, and of these
only MAX_PICTURES with their picture, since a decoded 4K frame is 12 MB. What finds no place is counted as lost.
In memory stay the newest KEPT sightings of each source, STILLS_KEPT of them with stills of some 60 kB each. Older ones
are read from the disk for whoever asks, when they are recorded.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dives.corrections import Correction, Verdict
from dives.sighting_rows import SightingRow
from realtime.frames import Frame, FrameResult, Picture
from realtime.overlay import draw_overlay
from realtime.parts import Part
from realtime.sightings import MERGE_GAP_S, Sighting, SightingTracker
from serving.recorder import Recorder, RecordingStatus
from serving.said import Said

log = logging.getLogger(__name__)

MAX_RESULTS = 512  # 20 s at 25 results/s: what a disk may take to wake up
MAX_PICTURES = 16
KEPT = 500  # sightings per source, and the most that are listed at a time
STILLS_KEPT = 50  # per source: 6 MB
STILL_MAX_SIDE = 640
STILL_QUALITY = 85
TICK_S = 0.5
HANGS_S = 30.0  # a disk that went to sleep takes seconds
NOTE_S = 1.0  # how often a sighting under way is noted: what a killed process may lose of its end
LOOK_S = 30.0  # how often it is looked whether files were removed, or something was said, meanwhile
SILENT_S = MERGE_GAP_S + 1.0  # without results for so long its animal is not in view any more
_ID = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class SmallStill:
    """The peak of a sighting as two JPEGs in memory. frame: which one it is."""

    frame: int
    plain: bytes
    overlay: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A sighting in the list. still: in memory, of the newest ones. past: read from the disk, not in memory.

    since: when it began, or when the latest before it did, if the clock was set back; what the list is sorted by.
    """

    id: str
    source: str
    row: SightingRow
    ongoing: bool
    since: str
    still: SmallStill | None = None
    past: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    result: FrameResult
    picture: Picture | None


class _Source:
    """One source's tracker and list."""

    def __init__(self) -> None:
        self.tracker = SightingTracker()
        self.ended: deque[Entry] = deque(maxlen=KEPT)  # oldest first
        self.ongoing: Entry | None = None
        self.peak: tuple[int, Picture, NDArray[np.uint8]] | None = None  # frame, picture and map, not yet a still
        self.latest = ""  # Entry.since of the newest
        self.noted_s = 0.0
        self.result_s = 0.0


class Logbook:
    """The sightings of ``sources``. ``on_result`` may be called from any thread, and the list read from any.

    labels: of the model. recorder: what puts them on the disk, owned from now on. clock: monotonic.
    """

    def __init__(
        self,
        sources: Collection[str],
        labels: Sequence[str],
        recorder: Recorder | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._labels = labels
        self._recorder = recorder
        self._said = Said(recorder.folders if recorder is not None else {})
        self._clock = clock
        self._sources = {name: _Source() for name in sources}
        self._queue: deque[_Seen] = deque()
        self._pictures = 0  # in the queue
        self._lost: Counter[str] = Counter({"busy": 0, "pictures": 0, "errors": 0})
        self._wake = threading.Condition()
        self._stopping = False
        self._lock = threading.Lock()  # guards the lists of every source; held for moments
        self._there: frozenset[tuple[str, str]] = frozenset()  # files of the list, by source; replaced, never changed
        self._clips = 0  # complete when it was looked last
        self._look_s = 0.0
        self.part = Part("logbook", self._work, hangs_s=HANGS_S)

    def start(self) -> None:
        """Reads what earlier runs recorded, and starts the thread."""
        for name, source in self._sources.items():
            rows = self._recorder.rows(name, KEPT) if self._recorder is not None else []
            source.ended.extend(_in_order(name, rows))
            source.latest = source.ended[-1].since if source.ended else ""
        self._look()
        self.part.start()

    def stop(self, timeout: float) -> bool:
        """Ends the sightings under way and waits at most ``timeout`` seconds until all is written; whether it is."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        self.part.join(timeout)
        return not self.part.is_alive()

    def on_result(self, frame: Frame, result: FrameResult) -> None:
        """Takes a result; never waits. Those of sources that are not ours are passed over."""
        if result.source not in self._sources:
            return
        wanted = result.stable.index is not None or (self._recorder is not None and self._recorder.clips)
        with self._wake:
            if len(self._queue) >= MAX_RESULTS or self._stopping:
                self._lost["busy"] += 1
                return
            picture = frame.picture if wanted else None
            if picture is not None and self._pictures >= MAX_PICTURES:
                self._lost["pictures"] += 1
                picture = None
            self._pictures += picture is not None
            self._queue.append(_Seen(result, picture))
            self._wake.notify()

    @property
    def waiting(self) -> int:
        """How many results are not yet followed; at most MAX_RESULTS."""
        return len(self._queue)

    def newest(self, source: str | None, limit: int, before: str | None = None) -> list[Entry]:
        """At most ``limit`` sightings, newest first: those that began last; with ``before``, from after that one on.

        before: an id. Asks the disk for what is too old for the memory, and only then. Raises KeyError for an unknown
        source or id.
        """
        chosen = {source: self._sources[source]} if source is not None else self._sources
        last = None
        if before is not None and (last := self.find(before)) is None:
            raise KeyError(before)
        with self._lock:
            found = [entry for each in chosen.values() for entry in _entries(each)]
            # Of these there may be older ones on the disk, from here on.
            full = {name: _order(each.ended[0]) for name, each in chosen.items() if len(each.ended) == KEPT}
        page = _page(found, limit, last)
        deep = [name for name, oldest in full.items() if len(page) < limit or _order(page[-1]) < oldest]
        if self._recorder is None or not deep:
            return page
        known = {entry.id for entry in found}
        past = (entry for name in deep for entry in self._past(name) if entry.id not in known)
        return _page([*found, *past], limit, last)

    def find(self, sighting: str) -> Entry | None:
        """The sighting of this id. Asks the disk for one that is not in memory."""
        with self._lock:
            entries = (entry for source in self._sources.values() for entry in _entries(source))
            found = next((entry for entry in entries if entry.id == sighting), None)
        if found is not None or self._recorder is None or not _ID.fullmatch(sighting):
            return found
        past = (
            entry for name, source in self._sources.items() if len(source.ended) == KEPT for entry in self._past(name)
        )
        return next((entry for entry in past if entry.id == sighting), None)

    def has(self, entry: Entry, path: str) -> bool:
        """Whether a file of a sighting was there when it was looked last; asks the disk, which may hang, only for one
        that is from there.
        """
        return self.file(entry, path) is not None if entry.past else (entry.source, path) in self._there

    def file(self, entry: Entry, path: str) -> Path | None:
        """Where a file of a sighting is; None when it is not there, or not yet. Asks the disk."""
        if self._recorder is None or not path:
            return None
        found = self._recorder.file(entry.source, path)
        return found if found.is_file() else None

    @property
    def records(self) -> bool:
        """Whether sightings are recorded, so that something can be said of them."""
        return self._recorder is not None

    def said(self, entry: Entry) -> Correction | None:
        """The word that stands on a sighting; one that another program wrote is known after LOOK_S. Asks no disk."""
        return self._said.of(entry.source, entry.row)

    def say(self, entry: Entry, verdict: Verdict | None, truth: str = "", *, by: str = "") -> None:
        """Keeps a word on a sighting, or takes the last one back; raises what ``Said.say`` raises. Asks the disk."""
        self._said.say(entry.source, entry.row, verdict, truth, by=by)

    def recording(self) -> RecordingStatus:
        """How recording is going."""
        status = self._recorder.status() if self._recorder is not None else RecordingStatus()
        return replace(status, lost={**status.lost, **self._lost})

    def _work(self) -> None:
        while (seen := self._take()) is not None:
            with self.part.busy():
                if isinstance(seen, _Seen):
                    self._safely(partial(self._follow, seen))
                self._safely(self._tick)
        for name in self._sources:
            self._safely(partial(self._finish, name))
        if self._recorder is not None:
            self._safely(self._recorder.close)

    def _take(self) -> _Seen | bool | None:
        """The next result, True when none came for TICK_S, None when it is time to stop."""
        with self._wake:
            self._wake.wait_for(lambda: self._queue or self._stopping, TICK_S)
            if not self._queue:
                return None if self._stopping else True
            seen = self._queue.popleft()
            self._pictures -= seen.picture is not None
            return seen

    def _safely(self, work: Callable[[], object]) -> None:
        """A picture that cannot be converted, or a mistake of ours, costs one step and not all that follow."""
        try:
            work()
        except Exception:  # whatever it is
            if not self._lost["errors"]:
                log.exception("the list of sightings lost something")
            self._lost["errors"] += 1

    def _follow(self, seen: _Seen) -> None:
        result = seen.result
        source = self._sources[result.source]
        source.result_s = self._clock()
        if self._recorder is not None:
            self._recorder.frame(result, seen.picture)
        ended = source.tracker.step(result)
        if ended is not None:
            self._end(result.source, ended)
        current = source.tracker.current
        if current is None:
            return
        if current.peak_frame == result.index and seen.picture is not None:
            cam = result.explaining(current.label_index, -1).cam
            source.peak = (result.index, seen.picture, cam)
        if source.ongoing is None:
            self._begin(result.source, current)
        elif source.result_s - source.noted_s >= NOTE_S:
            self._note(source.ongoing, current)

    def _begin(self, name: str, current: Sighting) -> None:
        row = SightingRow.of(current, self._labels)
        if self._recorder is not None:
            row = self._recorder.begin(name, row)
        source = self._sources[name]
        source.latest = max(source.latest, row.start_utc)
        self._note(Entry(_id(name, row), name, row, ongoing=True, since=source.latest), current)

    def _note(self, before: Entry, sighting: Sighting) -> None:
        """Brings the disk and the list up to date, the disk first: what was listed once is never lost."""
        name, source = before.source, self._sources[before.source]
        entry = self._updated(before, sighting)
        if self._recorder is not None:
            self._recorder.ongoing(name, entry.row)
        with self._lock:
            source.ongoing = entry
        source.noted_s = self._clock()

    def _end(self, name: str, sighting: Sighting) -> None:
        source = self._sources[name]
        assert source.ongoing is not None  # a sighting has begun before it ends
        entry = replace(self._updated(source.ongoing, sighting), ongoing=False)
        if self._recorder is not None:
            self._recorder.ended(name, entry.row)
        with self._lock:
            source.ongoing = None
            source.ended.append(entry)
            if len(source.ended) > STILLS_KEPT:
                oldest = len(source.ended) - STILLS_KEPT - 1
                source.ended[oldest] = replace(source.ended[oldest], still=None)
        source.peak = None

    def _updated(self, entry: Entry, sighting: Sighting) -> Entry:
        """With what the sighting has become, and a still of its peak if that is another one."""
        source, files = self._sources[entry.source], entry.row
        row = SightingRow.of(sighting, self._labels)
        row = replace(row, still=files.still, overlay=files.overlay, clip=files.clip)
        entry = replace(entry, row=row)
        if source.peak is None:
            return entry
        peak, source.peak = source.peak, None
        updated: list[Entry] = []
        self._safely(lambda: updated.append(self._with_still(entry, *peak)))
        return updated[0] if updated else entry

    def _with_still(self, entry: Entry, frame: int, picture: Picture, cam: NDArray[np.uint8]) -> Entry:
        if self._recorder is None:
            return replace(entry, still=_small(frame, picture.rgb(STILL_MAX_SIDE), cam))
        rgb = picture.rgb()
        if saved := self._recorder.still(entry.source, entry.row, rgb, cam):
            entry = replace(entry, row=replace(entry.row, still=saved[0], overlay=saved[1]))
            self._there |= {(entry.source, path) for path in saved}
        return replace(entry, still=_small(frame, _shrunk(rgb), cam))

    def _tick(self) -> None:
        now_s = self._clock()
        for name, source in self._sources.items():
            if source.ongoing is not None and now_s - source.result_s > SILENT_S:
                self._finish(name)
        if self._recorder is not None:
            self._recorder.tick()
            if now_s - self._look_s >= LOOK_S or self._recorder.status().clips != self._clips:
                self._look()

    def _look(self) -> None:
        """Which files of the list are there, and what is said of it."""
        if self._recorder is None:
            return
        self._said.look()
        self._look_s, self._clips = self._clock(), self._recorder.status().clips
        with self._lock:
            entries = [entry for source in self._sources.values() for entry in _entries(source)]
        files = ((entry, path) for entry in entries for path in (entry.row.still, entry.row.overlay, entry.row.clip))
        self._there = frozenset((entry.source, path) for entry, path in files if self.file(entry, path) is not None)

    def _past(self, name: str) -> Iterator[Entry]:
        """All that is recorded of a source, oldest first."""
        assert self._recorder is not None
        for entry in _in_order(name, self._recorder.past(name)):
            yield replace(entry, past=True)

    def _finish(self, name: str) -> None:
        ended = self._sources[name].tracker.finish()
        if ended is not None:
            self._end(name, ended)


def _entries(source: _Source) -> Iterable[Entry]:
    yield from source.ended
    if source.ongoing is not None:
        yield source.ongoing


def _in_order(source: str, rows: Iterable[SightingRow]) -> Iterator[Entry]:
    """What was recorded, as it was written: one after another."""
    since = ""
    for row in rows:
        since = max(since, row.start_utc)
        yield Entry(_id(source, row), source, row, ongoing=False, since=since)


def _order(entry: Entry) -> tuple[str, bool, str, float, str]:
    """What the list is sorted by; no two are alike."""
    row = entry.row
    return entry.since, row.start_utc != entry.since, row.start_utc, row.start_s, entry.id


def _page(entries: Iterable[Entry], limit: int, last: Entry | None) -> list[Entry]:
    older = entries if last is None else (entry for entry in entries if _order(entry) < _order(last))
    return heapq.nlargest(limit, older, key=_order)


def _id(source: str, row: SightingRow) -> str:
    """The same whenever it is asked: a sighting is known by its source, its label and when it began."""
    text = f"{source}\n{row.label}\n{row.start_utc}\n{row.start_s:.6f}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _shrunk(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    share = STILL_MAX_SIDE / max(rgb.shape[:2])
    if share >= 1.0:
        return rgb
    size = (max(1, round(rgb.shape[1] * share)), max(1, round(rgb.shape[0] * share)))
    small: NDArray[np.uint8] = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return small


def _small(frame: int, rgb: NDArray[np.uint8], cam: NDArray[np.uint8]) -> SmallStill:
    return SmallStill(frame, _jpeg(rgb), _jpeg(draw_overlay(rgb, cam)))


def _jpeg(rgb: NDArray[np.uint8]) -> bytes:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, STILL_QUALITY])
    if not done:
        raise ValueError("the JPEG encoder gave nothing")
    return bytes(data.tobytes())
