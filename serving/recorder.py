"""Recording that outlives its disk: what fails is said once, what can wait waits, and the rest is counted as lost.

                   a write fails, or files were removed
        on ──────────────────────────────────────────────▶ retrying
         ▲                                                    │
         └────────────────────────────────────────────────────┘  every RETRY_S the folder is opened again

While retrying, lines of frames and stills are lost; sightings that end wait in memory, up to MAX_WAITING. The log says
that it stopped, and that it goes on once the disk has taken everything for RETRY_S.
Everything here is called on the logbook's one thread, except ``status``.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dives.clips import MAX_SIDE, SourceClips
from dives.recording import Recording, reason_of
from dives.sighting_rows import SightingRow
from realtime.errors import ResultsError
from realtime.frames import FrameResult, Picture

log = logging.getLogger(__name__)

RETRY_S = 5.0
CHECK_S = 1.0
MAX_WAITING = 1000  # sightings; 300 kB


@dataclass(frozen=True, slots=True)
class RecordingStatus:
    """How recording is going. state: "off", "on" or "retrying"; reason: why the disk does not take it, without a path.

    rows, sightings, stills, clips: written since the start. errors: times it failed. waiting: sightings that ended
    meanwhile and are still to be written. lost: by cause, "disk" (lines and stills while it failed), "busy" (lines that
    the thread did not come to), "pictures" (stills or clip pictures that it did not come to), "clips" (given up, or not
    begun as several were under way).
    """

    state: str = "off"
    reason: str = ""
    rows: int = 0
    sightings: int = 0
    stills: int = 0
    clips: int = 0
    errors: int = 0
    waiting: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)


class Recorder:
    """Writes to ``recording``, which it owns from now on. clips_s: seconds of clip around a sighting, None for none."""

    def __init__(
        self, recording: Recording, *, clips_s: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._recording = recording
        self._clock = clock
        self._clips = {name: SourceClips(clips_s) for name in recording.sources} if clips_s is not None else {}
        self._counts: Counter[str] = Counter()
        self._lost: Counter[str] = Counter({"disk": 0, "clips": 0})
        self._reason = ""
        self._retry_s: float | None = None  # when to try again; None while all is well
        # When to say that it goes on. A full disk can be opened, and may take a line.
        self._goes_on_s: float | None = None
        self._check_s = clock() + CHECK_S
        self._waiting: deque[tuple[str, SightingRow]] = deque(maxlen=MAX_WAITING)
        self._ongoing: dict[str, SightingRow] = {}
        # Names of clips by source; those given up for as long as rows of the newest sighting may name them.
        self._under_way: dict[str, set[str]] = {name: set() for name in recording.sources}
        self._given_up: dict[str, set[str]] = {name: set() for name in recording.sources}

    @property
    def clips(self) -> bool:
        """Whether every picture is wanted, and not only those of sightings."""
        return bool(self._clips)

    @property
    def folders(self) -> dict[str, Path]:
        """Where each source is recorded; from any thread."""
        return {name: source.folder for name, source in self._recording.sources.items()}

    def status(self) -> RecordingStatus:
        """Now; from any thread."""
        return RecordingStatus(
            state="on" if self._retry_s is None else "retrying",
            reason=self._reason,
            rows=self._counts["rows"],
            sightings=self._counts["sightings"],
            stills=self._counts["stills"],
            clips=self._counts["clips"],
            errors=self._counts["errors"],
            waiting=len(self._waiting),
            lost=dict(self._lost),
        )

    def rows(self, source: str, newest: int) -> list[SightingRow]:
        """What earlier runs wrote, oldest first."""
        found: list[SightingRow] = []
        self._attempt(lambda: found.extend(self._recording.sources[source].rows(newest)))
        return found

    def past(self, source: str) -> list[SightingRow]:
        """All sightings of a source that have ended, as far as they can be read; oldest first. From any thread."""
        try:
            return self._recording.sources[source].rows(None)
        except ResultsError as error:
            log.info("older sightings of %s cannot be read: %s", source, error)
            return []

    def file(self, source: str, path: str) -> Path:
        """Where a file of a row is, or was; from any thread."""
        return self._recording.sources[source].folder / path

    def frame(self, result: FrameResult, picture: Picture | None) -> None:
        """A classified frame, and its picture if it is to be on a clip."""
        folder = self._recording.sources[result.source]
        if self._attempt(lambda: folder.frame(result)):
            self._counts["rows"] += 1
        else:
            self._lost["disk"] += 1
        clips = self._clips.get(result.source)
        if clips is not None and picture is not None:
            small = picture.rgb(MAX_SIDE)
            self._clip(result.source, lambda: clips.frame(small, result.media_s))

    def begin(self, source: str, row: SightingRow) -> SightingRow:
        """A sighting begins; the row with its clip's name, if there will be one."""
        clips = self._clips.get(source)
        if clips is None:
            return row
        self._given_up[source].clear()  # the rows that named them have ended
        begun: list[str] = []

        def begin() -> list[Path]:
            folder = self._recording.sources[source]
            path, name = folder.clip(folder.stem(row))
            self._under_way[source].add(name)
            if clips.begin(path):
                begun.append(name)
            else:
                self._under_way[source].discard(name)
                self._lost["clips"] += 1
            return []

        self._clip(source, begin)
        return replace(row, clip=begun[0]) if begun else row

    def still(
        self, source: str, row: SightingRow, rgb: NDArray[np.uint8], cam: NDArray[np.uint8]
    ) -> tuple[str, str] | None:
        """Saves the peak of a sighting; the names of the files, or None."""
        folder = self._recording.sources[source]
        saved: list[tuple[str, str]] = []
        if self._attempt(lambda: saved.append(folder.still(folder.stem(row), rgb, cam))):
            self._counts["stills"] += 1
            return saved[0]
        self._lost["disk"] += 1
        return None

    def ongoing(self, source: str, row: SightingRow) -> None:
        """A sighting is under way, and so far this."""
        row = self._ongoing[source] = self._without_lost_clip(source, row)
        self._attempt(lambda: self._recording.sources[source].ongoing(row))

    def ended(self, source: str, row: SightingRow) -> None:
        """A sighting has ended with this."""
        self._ongoing.pop(source, None)
        if (clips := self._clips.get(source)) is not None:
            clips.end(row.end_s)
        if len(self._waiting) == MAX_WAITING:
            self._lost["disk"] += 1
        self._waiting.append((source, self._without_lost_clip(source, row)))
        self._attempt(self._write_waiting)

    def tick(self) -> None:
        """Time has passed: looks whether the files are still there, and tries again when it is time."""
        now_s = self._clock()
        if self._retry_s is not None:
            self._attempt(lambda: None)
        elif now_s >= self._check_s:
            self._check_s = now_s + CHECK_S
            self._attempt(self._recording.check)
        if self._retry_s is None and self._goes_on_s is not None and now_s >= self._goes_on_s:
            log.warning("recording to %s goes on", self._recording.folder)
            self._goes_on_s = None

    def close(self) -> None:
        """Completes the clips and closes the folder."""
        for source, clips in self._clips.items():
            self._clip(source, clips.finish)
        self._recording.close()

    def _attempt(self, write: Callable[[], object]) -> bool:
        """Writes, if the disk takes it; a failure is told, and the next attempts wait."""
        try:
            if self._retry_s is not None:
                if self._clock() < self._retry_s:
                    return False
                self._reopen()
            write()
        except ResultsError as error:
            self._failed(error)
            return False
        return True

    def _reopen(self) -> None:
        known: dict[str, list[SightingRow]] = {name: [row] for name, row in self._ongoing.items()}
        for source, row in self._waiting:
            known.setdefault(source, []).append(row)
        self._recording.reopen(known)
        self._write_waiting()
        self._reason, self._retry_s, self._goes_on_s = "", None, self._clock() + RETRY_S

    def _write_waiting(self) -> None:
        while self._waiting:
            source, row = self._waiting[0]
            self._recording.sources[source].ended(row)
            self._waiting.popleft()
            self._counts["sightings"] += 1

    def _failed(self, error: ResultsError) -> None:
        if self._retry_s is None:
            if self._goes_on_s is None:
                log.warning("recording has stopped and is tried again every %.0f s: %s", RETRY_S, error)
            self._counts["errors"] += 1
            for source, clips in self._clips.items():
                clips.abandon()
                self._give_up(source)
        self._reason = reason_of(error).replace(str(self._recording.folder), "the folder")
        self._retry_s = self._clock() + RETRY_S

    def _clip(self, source: str, work: Callable[[], list[Path]]) -> None:
        """Clips are worth less than the rest: what goes wrong with one gives it up, and nothing else."""
        if self._retry_s is not None:
            return
        try:
            finished = work()
        except ResultsError as error:
            log.info("a clip is given up: %s", error)  # a disk that is full says so with the next line
            self._lost["clips"] += 1
            self._give_up(source)
            self._attempt(self._recording.sources[source].blank_missing)
            return
        self._counts["clips"] += len(finished)
        self._under_way[source] -= {f"{path.parent.name}/{path.name}" for path in finished}

    def _give_up(self, source: str) -> None:
        """None of the clips under way will be complete: no line may name them, written already or not."""
        self._given_up[source] |= self._under_way[source]
        self._under_way[source].clear()
        waiting = [(name, self._without_lost_clip(name, row)) for name, row in self._waiting]
        self._waiting = deque(waiting, maxlen=MAX_WAITING)
        if source in self._ongoing:
            self._ongoing[source] = self._without_lost_clip(source, self._ongoing[source])

    def _without_lost_clip(self, source: str, row: SightingRow) -> SightingRow:
        return replace(row, clip="") if row.clip in self._given_up[source] else row
