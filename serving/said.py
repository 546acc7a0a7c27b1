"""What people say of sightings while these are recorded: kept beside them, and known without asking the disk.

``corrections.jsonl`` of a source's folder, as dives/corrections.py keeps it. The list of sightings is asked for every
few seconds by every page, so what the files say is held in memory and read anew when they have changed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from dives.corrections import NAME, Correction, SightingKey, Verdict, add_correction, read_corrections, undo_correction
from dives.matching import corrected
from dives.recording import ONGOING
from dives.sighting_rows import SightingRow, read_rows
from realtime.errors import ReeflensError, ResultsError

log = logging.getLogger(__name__)

OFF, GONE, UNREADABLE = "off", "gone", "unreadable"
_WHY = {
    OFF: "nothing is kept of this sighting: start the server with --record to say what it was",
    GONE: "this sighting is not in the recording: its files were removed, or the disk does not take them",
    UNREADABLE: "what was said before cannot be read; mend or remove the line that the server's log names",
}

_Words = dict[tuple[str, str], list[Correction]]  # by when the sighting began and the model's label


class NotSayableError(ReeflensError):
    """A word on a sighting has no place to be kept; ``cause`` is one word for why: OFF, GONE or UNREADABLE."""

    def __init__(self, cause: str) -> None:
        super().__init__(_WHY[cause])
        self.cause = cause


class Said:
    """The words on the sightings recorded in ``folders``, by source. Every method may be called from any thread."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders
        self._lock = threading.Lock()  # one reads at a time, or what is older could replace what is newer
        self._words: dict[str, _Words] = {}  # of a source: replaced, never changed
        self._marks: dict[str, tuple[int, int] | None] = {}  # of the file when it was read
        self._unread: set[str] = set()

    def look(self) -> None:
        """Reads the files that have changed. One that cannot be read is logged, once, and counts as empty."""
        for source in self._folders:
            with self._lock, suppress(ResultsError):
                self._read(source)

    def of(self, source: str, row: SightingRow) -> Correction | None:
        """The word that stands on a sighting, as of the last look; asks no disk."""
        said = self._words.get(source, {}).get((row.start_utc, row.label), ())
        return corrected([live_key(row)], said).words[0]

    def say(self, source: str, row: SightingRow, verdict: Verdict | None, truth: str = "", *, by: str = "") -> None:
        """Keeps a word on a sighting, on the disk when this returns; None takes the last one back.

        Raises ValueError for one that makes no sense, NotSayableError, and ResultsError when the disk does not take
        it. Asks the disk.
        """
        if source not in self._folders:
            raise NotSayableError(OFF)
        folder, key = self._folders[source], live_key(row)
        if not _holds(folder, row):
            raise NotSayableError(GONE)
        with self._lock:
            try:
                self._read(source)
            except ResultsError as error:
                raise NotSayableError(UNREADABLE) from error
            if verdict is not None:
                add_correction(folder, key, verdict, truth, by=by)
            elif (word := self.of(source, row)) is not None:
                undo_correction(folder, word.sighting, by=by)  # it was said when the peak was another frame, perhaps
            with suppress(ResultsError):  # the word is kept; the next look says what is wrong
                self._read(source)

    def _read(self, source: str) -> None:
        folder = self._folders[source]
        mark = _mark(folder / NAME)  # before it is read: a line that comes meanwhile is found by the next look
        if source in self._marks and mark == self._marks[source]:
            return
        words: _Words = {}
        try:
            for word in read_corrections(folder):
                words.setdefault((word.sighting.file, word.sighting.label), []).append(word)
        except ResultsError as error:
            if source not in self._unread:
                log.warning("%s", error)
            self._unread.add(source)
            self._words[source] = {}
            raise
        self._unread.discard(source)
        self._words[source], self._marks[source] = words, mark


def live_key(row: SightingRow) -> SightingKey:
    """The key of a live source's sighting, as ``dives.matching.read_keys`` reads it from the table."""
    return SightingKey(
        file=row.start_utc,
        label=row.label,
        peak_frame=row.peak_frame,
        start_s=row.start_s,
        end_s=row.end_s,
        peak_s=row.peak_s,
    )


def _holds(folder: Path, row: SightingRow) -> bool:
    """Whether the tables have it. One that ends meanwhile is in sightings.csv before it leaves the other."""
    with suppress(OSError):
        # The newest table first: one of other columns, of another version, is followed by sightings-2.csv.
        for path in (folder / ONGOING, *sorted(folder.glob("sightings*.csv"), reverse=True)):
            if any(row.is_same(other) for other in read_rows(path, None)):
                return True
    return False


def _mark(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        there = path.stat()
        return there.st_size, there.st_mtime_ns
    return None
