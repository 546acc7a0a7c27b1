"""What a live source leaves on the disk while it runs: a folder like a dive's, that only grows.

    DIR/reef/frames-2026-05-17.csv   a line per classified frame, one file per UTC day, or several (-2, -3 …)
    DIR/reef/sightings.csv           a line per sighting that has ended
    DIR/reef/ongoing.csv             the one under way, as of a second ago; not there when there is none
    DIR/reef/stills/, DIR/reef/clips/

Whatever ends the process, each of them can be read: lines are written in one piece, everything else appears by rename.
A sighting that was under way when the process was killed is moved from ongoing.csv to sightings.csv at the next start.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

import av
import numpy as np
from numpy.typing import NDArray

from dives import stills
from dives.appending import AppendedCsv, open_numbered
from dives.locking import lock
from dives.partial import SUFFIX, write_whole
from dives.sighting_rows import COLUMNS, SightingRow, read_rows
from dives.writers import frames_csv
from realtime.errors import ResultsError, SettingsError
from realtime.frames import FrameResult

LOCK, ONGOING, CLIPS = ".reeflens.lock", "ongoing.csv", "clips"
ROOM, ROOM_BYTES = ".reeflens.room", 1 << 20  # what must fit before recording begins or goes on: a still, say
FRAMES_BYTES = 64 << 20  # some 450,000 lines, which spreadsheets still open; six hours at 20 results/s
LOOKED_BACK = 50  # lines of sightings.csv, for one that is in ongoing.csv as well


class SourceFolder:
    """The folder of one source. Every method may raise ResultsError; not thread-safe but for ``rows``."""

    def __init__(self, folder: Path, labels: Sequence[str]) -> None:
        self.folder = folder
        self._labels = labels
        self._columns = frames_csv.columns(labels)
        self._sightings: AppendedCsv | None = None
        self._frames: AppendedCsv | None = None
        self._day = ""

    def open(self, known: Collection[SightingRow] = ()) -> None:
        """Makes or reopens it. A sighting that ongoing.csv was left with has ended, unless it is among ``known``."""
        with writing_to(self.folder):
            self.close()
            for folder in (self.folder, self.folder / stills.FOLDER):
                folder.mkdir(exist_ok=True)
            for leftover in self.folder.glob(f"*/*{SUFFIX}"):
                leftover.unlink(missing_ok=True)
            self._sightings = open_numbered(self.folder, "sightings", COLUMNS)
            self._blank_missing()
            ended = read_rows(self._sightings.path, LOOKED_BACK)
            for row in read_rows(self.folder / ONGOING, 1):
                if any(row.is_same(other) for other in known):
                    return
                if not any(row.is_same(other) for other in ended):
                    self._sightings.append(self._blanked(row).texts(), sync=True)
            (self.folder / ONGOING).unlink(missing_ok=True)

    def blank_missing(self) -> None:
        """Takes out of the last LOOKED_BACK lines of sightings.csv the names of files that are not there."""
        with writing_to(self.folder):
            self._blank_missing()

    def frame(self, result: FrameResult) -> None:
        """A line for a classified frame."""
        day = f"{result.utc or datetime.now(UTC):%Y-%m-%d}"
        with writing_to(self.folder):
            if self._frames is None or day != self._day or self._frames.size >= FRAMES_BYTES:
                if self._frames is not None:
                    self._frames.close()
                stem = f"frames-{day}"
                self._frames = open_numbered(self.folder, stem, self._columns, max_bytes=FRAMES_BYTES)
                self._day = day
            self._frames.append(frames_csv.fields(result, self._labels))

    def ongoing(self, row: SightingRow) -> None:
        """The sighting under way, so far."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, row.texts()])
        with writing_to(self.folder):
            write_whole(self.folder / ONGOING, text.getvalue())

    def ended(self, row: SightingRow) -> None:
        """The sighting has ended with this."""
        with writing_to(self.folder):
            if self._sightings is None:
                raise OSError("the folder is not open")
            self._sightings.append(row.texts(), sync=True)
        with suppress(OSError):  # it is written, and must not be again; one that stays is known by its line
            (self.folder / ONGOING).unlink(missing_ok=True)

    def stem(self, row: SightingRow) -> str:
        """What the files of a sighting are called, and no other's: a clock that was set back tells a time twice."""
        if row.still or row.clip:
            return Path(row.still or row.clip).stem
        first = stem = stem_of(row)
        number = 1
        with writing_to(self.folder):
            while any((self.folder / name).exists() for name in (f"{stills.FOLDER}/{stem}.jpg", f"{CLIPS}/{stem}.mp4")):
                number += 1
                stem = f"{first}-{number}"
        return stem

    def still(self, stem: str, rgb: NDArray[np.uint8], cam: NDArray[np.uint8]) -> tuple[str, str]:
        """Saves the peak frame, plain and with its map; both paths relative to the folder."""
        with writing_to(self.folder):
            still = stills.save_still(self.folder / stills.FOLDER, stem, rgb, cam)
        return f"{stills.FOLDER}/{still.plain}", f"{stills.FOLDER}/{still.overlay}"

    def clip(self, stem: str) -> tuple[Path, str]:
        """Where a clip goes, and that relative to the folder."""
        with writing_to(self.folder):
            (self.folder / CLIPS).mkdir(exist_ok=True)
        return self.folder / CLIPS / f"{stem}.mp4", f"{CLIPS}/{stem}.mp4"

    def rows(self, newest: int | None) -> list[SightingRow]:
        """The newest sightings that have ended, in the order in which they did; None for all of them."""
        table = self._sightings  # None while another thread opens it anew
        with writing_to(self.folder):
            return read_rows(table.path, newest) if table is not None else []

    def _blank_missing(self) -> None:
        """A clip is named when its sighting ends, and complete seconds later: what was between them may be a kill."""
        if self._sightings is None:
            return
        path = self._sightings.path
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        mended = [*lines[:-LOOKED_BACK], *map(self._line_blanked, lines[-LOOKED_BACK:])]
        if mended != lines:
            self._sightings.close()
            self._sightings = None
            write_whole(path, "".join(mended))
            self._sightings = open_numbered(self.folder, "sightings", COLUMNS)

    def _line_blanked(self, line: str) -> str:
        try:
            row = SightingRow.read(next(csv.reader([line]), []))
        except (ValueError, csv.Error):
            return line  # the header, or one that is damaged
        blanked = self._blanked(row)
        if blanked == row:
            return line
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(blanked.texts())
        return text.getvalue()

    def _blanked(self, row: SightingRow) -> SightingRow:
        still, overlay, clip = (
            "" if path and _is_missing(self.folder / path) else path for path in (row.still, row.overlay, row.clip)
        )
        return replace(row, still=still, overlay=overlay, clip=clip)

    @property
    def gone(self) -> bool:
        """Whether files that are being written to were removed."""
        return any(table is not None and table.gone for table in (self._sightings, self._frames))

    def close(self) -> None:
        """Closes the files."""
        for table in (self._sightings, self._frames):
            if table is not None:
                table.close()
        self._sightings = self._frames = None


class Recording:
    """The folders of all sources in one that nobody else records to; a context manager. Not thread-safe."""

    def __init__(self, folder: Path, sources: Mapping[str, SourceFolder]) -> None:
        self.folder = folder
        self.sources = sources
        self._lock: BinaryIO | None = None

    @classmethod
    def open(cls, folder: Path, sources: Collection[str], labels: Sequence[str]) -> Self:
        """Makes ``folder`` and one in it per source, or goes on in them.

        Raises ResultsError when it cannot be written or another server records there, SettingsError when two sources
        would share a folder.
        """
        recording = cls(folder, {name: SourceFolder(folder / place, labels) for name, place in _places(sources)})
        with writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            recording.reopen({})
        except BaseException:
            recording.close()
            raise
        return recording

    def reopen(self, known: Mapping[str, Collection[SightingRow]]) -> None:
        """After a failure. The folder itself is not made again: it may be where a disk was mounted.

        known: by source, sightings that are still under way or still to be written.
        """
        self.close()
        with writing_to(self.folder):
            self._lock = cast(BinaryIO, (self.folder / LOCK).open("a+b", buffering=0))
        try:
            lock(self._lock, wait=False)
        except OSError as error:
            raise ResultsError(
                f"{self.folder}: another server is recording there; choose another folder with --record"
            ) from error
        with writing_to(self.folder):
            self._check_room()
        for name, source in self.sources.items():
            source.open(known.get(name, ()))

    def _check_room(self) -> None:
        """A disk that is full lets everything be opened, and would pass for one that is well until the next line."""
        try:
            with (self.folder / ROOM).open("wb", buffering=0) as file:
                rest = memoryview(bytes(ROOM_BYTES))
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
        finally:
            (self.folder / ROOM).unlink(missing_ok=True)

    def check(self) -> None:
        """Raises ResultsError when files that are being written to were removed, which no write would tell."""
        if any(source.gone for source in self.sources.values()):
            raise ResultsError(f"{self.folder}: cannot be recorded to (its files were removed)")

    def close(self) -> None:
        """Closes everything and lets others in."""
        for source in self.sources.values():
            with suppress(OSError):
                source.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def stem_of(row: SightingRow) -> str:
    """What the files of a sighting are called, such as ``20260517T093012345Z-Sea_Turtle``: in order of time."""
    moment = re.sub(r"[-:.]", "", row.start_utc) or f"{row.start_s:013.3f}"
    label = re.sub(r"[^\w-]+", "_", row.label)
    return f"{moment}-{label[:64]}"


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turns the system's errors into one sentence with the folder."""
    try:
        yield
    except OSError as error:
        raise ResultsError(f"{folder}: cannot be recorded to ({reason_of(error)})") from error
    except ResultsError as error:
        if isinstance(error.__cause__, (OSError, av.error.FFmpegError)):
            raise ResultsError(f"{folder}: cannot be recorded to ({reason_of(error)})") from error.__cause__
        raise


def reason_of(error: Exception) -> str:
    """The system's own words for why writing failed, in lower case."""
    cause = error.__cause__ if isinstance(error, ResultsError) else error
    return (getattr(cause, "strerror", None) or str(error)).lower()


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True  # any other error is the disk's, and says nothing of the file
    return False


def _places(sources: Collection[str]) -> Iterator[tuple[str, str]]:
    taken: dict[str, str] = {}
    for name in sources:
        place = name.rstrip(" .")  # which Windows cannot have at the end
        if other := taken.get(place.casefold()):
            raise SettingsError(f"--record: sources {other!r} and {name!r} would share a folder; rename one")
        taken[place.casefold()] = name
        yield name, place
