"""One dive in several files: which files belong together, and how they become one recording on one time line.

Cameras cut a long recording into chapters of 4 GB or so. The parts of one dive are put end to end by the length
that each container states, and their frames are numbered through.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from realtime.errors import SourceError
from realtime.frames import Frame
from realtime.sources import SourceInfo, VideoFile, moment_after, natural_order

# How GoPros name chapters: GX010123.MP4, GX020123.MP4 …; older ones GOPR0123.MP4, GP010123.MP4, GP020123.MP4 …
NEWER = re.compile(r"G(?P<letter>[A-Z])(?P<chapter>\d\d)(?P<recording>\d{4})", re.IGNORECASE)
OLDER = re.compile(r"GOPR(?P<recording>\d{4})", re.IGNORECASE)
SAME_TIME_S = 5.0  # cameras round the start to whole seconds, and need a moment between two files


@dataclass(frozen=True, slots=True)
class Chapter:
    """One file of a dive.

    offset_s: media time of the dive at the file's own 0. length_s: as its container states. frames: as announced.
    first_frame: number within the dive of its frame 0; None until reading has come to it. problem: why it gives none.
    timed: whether a wall clock at the start of the dive tells that of its frames: not after a gap of unknown length.
    pause_s: for how long the camera was off since the dive began, by its own clock: media time goes on without it.
    """

    path: Path
    offset_s: float
    length_s: float = 0.0
    frames: int | None = None
    first_frame: int | None = None
    problem: str = ""
    timed: bool = True
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of a dive that is missing. at_s: where. length_s: how long; None when nothing tells."""

    at_s: float
    length_s: float | None
    reason: str


class JoinedVideo:
    """Several files as one recording: a Source.

    Frames are numbered through the dive, and ``media_s`` is the chapter's offset plus the time within it. Offsets are
    known before anything is read, so that they are the same however often reading is interrupted; ``first_frame`` of a
    chapter is known when it is reached, since containers may announce frames that do not decode. A chapter that
    cannot be opened, that breaks off, or whose number is missing leaves a gap in ``gaps``; its length is taken from
    the wall clocks of the chapters around it where these tell, and is otherwise none; frames after such a one have no
    wall clock. The other chapters are read nevertheless, and SourceError is raised at the very end.

    start: wall clock of media time 0, where the first chapter that is there begins; outranks the containers'. Raises
    SourceError when no chapter can be read, when two share a file name, and when one does not say how long it is.
    """

    def __init__(self, paths: Sequence[Path], *, name: str | None = None, start: datetime | None = None) -> None:
        self.name = name if name is not None else paths[0].name
        self.damaged_packets = 0
        self.guessed_stamps = 0
        self.restarts = 0
        self.gaps: list[Gap] = []
        self._broken: list[str] = []
        self._stop = threading.Event()
        if len({path.name.casefold() for path in paths}) < len(paths):
            raise SourceError(self.name, "two chapters have the same file name, and results could not tell them apart")
        self.chapters = self._lay_out(paths, start)

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        for number, chapter in enumerate(self.chapters):
            if chapter.problem or self._stop.is_set():
                continue
            self.chapters[number] = replace(chapter, first_frame=index)
            last_s = 0.0
            try:
                with VideoFile(chapter.path, name=chapter.path.name) as video:
                    try:
                        for frame in video:
                            if self._stop.is_set():
                                return
                            last_s = frame.media_s
                            yield self._placed(frame, index, chapter)
                            index += 1
                    finally:
                        self.damaged_packets += video.damaged_packets
                        self.guessed_stamps += video.guessed_stamps
                        self.restarts += video.restarts
            except SourceError as error:
                self._broken.append(str(error))
                self.gaps.append(Gap(chapter.offset_s + last_s, chapter.length_s - last_s, str(error)))
        if self._broken and not self._stop.is_set():
            raise SourceError(self.name, f"the dive has gaps: {'; '.join(self._broken)}")

    def utc_of(self, index: int, media_s: float) -> datetime | None:
        """The wall clock of a frame of the dive, None where nobody knows; reading has to have come to its chapter."""
        begun = [one for one in self.chapters if one.first_frame is not None and one.first_frame <= index]
        return self._utc(media_s, begun[-1]) if begun else None

    def was_read(self, first_frames: Sequence[int | None]) -> None:
        """Takes over what an earlier reading found: ``first_frame`` of every chapter."""
        self.chapters = [
            replace(chapter, first_frame=first) for chapter, first in zip(self.chapters, first_frames, strict=True)
        ]

    def close(self) -> None:
        """Stops the iteration; may be called from any thread."""
        self._stop.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _placed(self, frame: Frame, index: int, chapter: Chapter) -> Frame:
        media_s = chapter.offset_s + frame.media_s
        utc = self._utc(media_s, chapter)
        source = self.info.utc_source if utc is not None else ""
        return replace(frame, source=self.name, index=index, media_s=media_s, utc=utc, utc_source=source)

    def _utc(self, media_s: float, chapter: Chapter) -> datetime | None:
        if self.info.start_utc is None or not chapter.timed:
            return None
        return moment_after(self.info.start_utc, media_s + chapter.pause_s)

    def _lay_out(self, paths: Sequence[Path], start: datetime | None) -> list[Chapter]:
        chapters: list[Chapter] = []
        first: SourceInfo | None = None
        end_s = 0.0
        lost: list[str] = []  # since the last good chapter
        before: int | None = None
        timed, beheaded = True, False
        starts: list[datetime | None] = []
        for path in paths:
            if words := _lost_before(path, before):
                lost.append(words)
                self._broken.append(words)
            before = found.chapter if (found := _gopro(path)) else None
            try:
                with VideoFile(path, name=path.name) as video:
                    info, length_s = video.info, video.length_s
            except SourceError as error:
                lost.append(str(error))
                self._broken.append(str(error))
                chapters.append(Chapter(path, end_s, problem=error.reason))
                continue
            if length_s is None:
                raise SourceError(self.name, f"{path.name} does not say how long it is; process it without --join")
            if lost:
                gap_s = _gap(first, info, end_s)
                self.gaps.append(Gap(end_s, gap_s, "; ".join(lost)))
                beheaded |= first is None
                if first is not None and gap_s is None:
                    timed = False
                    if start or first.start_utc:
                        self._broken.append(f"for how long is not known, nor the time of day from {path.name} on")
                end_s += gap_s or 0.0
                lost = []
            first = first or info
            starts.append(info.start_utc)
            pause_s = _gap(first, info, end_s) or 0.0
            if pause_s <= SAME_TIME_S:
                pause_s = 0.0
            chapters.append(Chapter(path, end_s, length_s, info.frames, timed=timed, pause_s=pause_s))
            end_s += length_s
        if lost:
            self.gaps.append(Gap(end_s, None, "; ".join(lost)))
        if first is None:
            raise SourceError(self.name, f"no chapter of this dive can be read: {'; '.join(self._broken)}")
        counts = [chapter.frames for chapter in chapters if not chapter.problem]
        self.info = replace(first, duration_s=end_s, frames=None if None in counts else sum(filter(None, counts)))
        if beheaded and len(starts) > 1 and starts.count(starts[0]) == len(starts):
            # The camera gave all of them the start of a chapter that is not there.
            self.info = replace(self.info, start_utc=None, utc_source="")
        if start is not None:
            self.info = replace(self.info, start_utc=start.astimezone(UTC), utc_source="start")
        return chapters


def join_chapters(paths: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Sorts recordings into dives: the chapters of each in order, dives in the order of their first file.

    Files that a GoPro named as chapters of one recording, in one folder, belong together, in the order of their
    numbers. Other videos continue the one given before them when codec, picture size and frame rate are the same and
    the wall clocks of their containers follow on each other within 5 s, or neither has one. Anything else, and
    what cannot be read, is a dive of its own.
    """
    dives: list[list[Path]] = []
    recordings: dict[tuple[Path, str, str], list[Path]] = {}
    before: Path | None = None
    for path in paths:
        if found := _gopro(path):
            recording = path.resolve().parent, found.letter, found.recording
            if recording in recordings:
                recordings[recording].append(path)
            else:
                dives.append(recordings.setdefault(recording, [path]))
            before = None
        elif before is not None and _continues(before, path):
            dives[-1].append(path)
            before = path
        else:
            dives.append([path])
            before = path
    for chapters in recordings.values():
        chapters.sort(key=_chapter)
    return [tuple(chapters) for chapters in dives]


def in_order(paths: Sequence[Path]) -> list[Path]:
    """The files of one dive in the order in which they were recorded.

    The chapters of a GoPro's recording by their numbers, others by the wall clock of their containers; by their names,
    as people count, where a clock is missing, and where a camera gave all its files the same time.
    """
    named = sorted(paths, key=lambda path: natural_order(path.name))
    found = {path: _gopro(path) for path in named}
    if len({(one.letter, one.recording) if one else None for one in found.values()}) == 1 and all(found.values()):
        return sorted(named, key=_chapter)
    clocks: dict[Path, datetime] = {}
    for path in named:
        try:
            with VideoFile(path) as video:
                clock = video.info.clock_utc
        except SourceError:
            clock = None
        if clock is None:
            return named
        clocks[path] = clock
    return sorted(named, key=clocks.__getitem__)


def _continues(before: Path, path: Path) -> bool:
    try:
        with VideoFile(before) as first, VideoFile(path) as second:
            a, b, length_s = first.info, second.info, first.length_s
    except SourceError:
        return False
    same = (a.codec, a.size_hw) == (b.codec, b.size_hw) and round(a.rate or 0.0, 1) == round(b.rate or 0.0, 1)
    if not same or length_s is None:
        return False
    # By one and the same clock: satellites may have been heard in one of them alone, and differ by the zone.
    if a.clock_utc is None or b.clock_utc is None:
        return a.clock_utc is b.clock_utc
    return abs((b.clock_utc - a.clock_utc).total_seconds() - length_s) <= SAME_TIME_S


@dataclass(frozen=True, slots=True)
class _GoPro:
    letter: str
    recording: str
    chapter: int

    @property
    def first(self) -> int:
        return 0 if self.letter == "P" else 1


def _gopro(path: Path) -> _GoPro | None:
    if found := NEWER.fullmatch(path.stem):
        return _GoPro(found["letter"].upper(), found["recording"], int(found["chapter"]))
    if found := OLDER.fullmatch(path.stem):
        return _GoPro("P", found["recording"], 0)
    return None


def _chapter(path: Path) -> int:
    found = _gopro(path)
    return found.chapter if found else 0


def _lost_before(path: Path, before: int | None) -> str:
    """Words for the chapters that a GoPro must have written between chapter ``before`` and ``path``; often ""."""
    found = _gopro(path)
    if found is None:
        return ""
    lost = range(found.first if before is None else before + 1, found.chapter)
    if not lost:
        return ""
    which = f"chapter {lost[0]} is" if len(lost) == 1 else f"chapters {lost[0]} to {lost[-1]} are"
    return f"{path.name}: {which} missing before it"


def _gap(first: SourceInfo | None, after: SourceInfo, end_s: float) -> float | None:
    """Seconds between ``end_s`` of the time line that ``first`` began and a chapter; None when no clock tells.

    Some cameras give every chapter the start of the first, which tells nothing.
    """
    if first is None or first.clock_utc is None or after.clock_utc is None:
        return None
    gap_s = (after.clock_utc - first.clock_utc).total_seconds() - end_s
    return gap_s if gap_s > 0.0 else None
