"""Which text stands on the screen from when to when: what WebVTT and SubRip have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import ClassVar

from dives.partial import PartialFile
from dives.writers.base import Dive
from realtime.frames import FrameResult
from realtime.pauses import paused
from realtime.sightings import Sighting

SHORTEST_MS = 1  # players drop a cue without length
LONE_FRAME_S = 1 / 30  # how long the only frame of a video stays, when it says nothing of its rate


@dataclass(frozen=True, slots=True)
class Cue:
    """Text from start_ms to end_ms of media time, milliseconds, end_ms > start_ms >= 0."""

    start_ms: int
    end_ms: int
    text: str


class SubtitleWriter(ABC):
    """One cue per sighting: from its first frame until the frame after its last, which is when a player moves on."""

    name: ClassVar[str]

    def begin(self, dive: Dive, files: ExitStack) -> None:
        """Opens the file."""
        self._dive = dive
        self._file = files.enter_context(PartialFile(dive.folder / self.name, "w"))
        self._last: FrameResult | None = None
        self._interval_s = 1.0 / dive.info.rate if dive.info.rate else LONE_FRAME_S
        self._shown_until_s: dict[float, float] = {}  # time of a frame that may end a sighting -> of the one after

    def frame(self, row: FrameResult) -> None:
        """Notes when the frame before left the screen."""
        last = self._last
        if last is not None:
            gap_s = row.media_s - last.media_s
            if gap_s > 0.0:
                self._interval_s = gap_s
            # Within one stable label only a gap can end a sighting, so that long stretches cost no memory.
            if last.stable.index is not None and (
                row.stable.index != last.stable.index
                or not 0.0 <= gap_s <= self._dive.merge_gap_s
                or paused(last.media_s, last.utc, row.media_s, row.utc)
            ):
                self._shown_until_s[last.media_s] = row.media_s
        self._last = row

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Writes all cues and completes the file."""
        for text in self.lines(list(self._cues(sightings))):
            self._file.write(text)
        self._file.commit()

    @abstractmethod
    def lines(self, cues: Sequence[Cue]) -> Iterator[str]:
        """The whole file as pieces of text."""

    def _cues(self, sightings: Sequence[Sighting]) -> Iterator[Cue]:
        for sighting in sightings:
            longest_s = sighting.end_s + self._dive.merge_gap_s  # a cue does not outlive its animal over a hole
            until_s = min(self._shown_until_s.get(sighting.end_s, sighting.end_s + self._interval_s), longest_s)
            start_ms = max(0, round(sighting.start_s * 1000))
            end_ms = max(start_ms + SHORTEST_MS, round(until_s * 1000))
            label = " ".join(self._dive.contract.labels[sighting.label_index].split())
            yield Cue(start_ms, end_ms, f"{label} {sighting.mean_probability:.0%}")


def clock(ms: int, point: str) -> str:
    """Milliseconds as HH:MM:SS and three digits after ``point``."""
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{ms:03d}"
