"""A library of dives: one folder that can be copied or moved, and a table of what is in it.

    DIR/library.db      the table, SQLite; made anew from the folders when it is lost or damaged
        library.db.damaged  what was in its place then
        library.lock    held by the server that uses the library
        dives/ID/       dive.json, original/<the video>, probe.json, thumbnail.jpg, results/, track.*, copy.mp4
        uploads/ID/     what is still being uploaded (dives/uploads.py)
        trash/          what is being deleted

The folders are the truth. A row says again what its folder holds, so that 500 dives are listed without opening 2,000
files; only how a dive stands in the queue is in the table alone. No path in any of them is absolute.
"""

from __future__ import annotations

import csv
import json
import logging
import re
import secrets
import shutil
import sqlite3
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dives.causes import JobCause
from dives.corrections import NAME as CORRECTIONS
from dives.corrections import plain, read_corrections
from dives.journal import NAME as JOURNAL
from dives.locking import lock
from dives.matching import corrected, read_keys
from dives.partial import sync_names, write_whole, writing
from dives.probe import read_probe
from dives.run_record import COMPLETE, FAILED, INCOMPLETE, read_run
from realtime.errors import LibraryError, ResultsError
from realtime.frames import iso_utc

log = logging.getLogger(__name__)

DATABASE, LOCK, DIVES, TRASH = "library.db", "library.lock", "dives", "trash"
DAMAGED = ".damaged"  # a table that could not be read is kept under its name and this
FACTS, ORIGINAL, RESULTS, THUMBNAIL, COPY = "dive.json", "original", "results", "thumbnail.jpg", "copy.mp4"
DIVELOG = "divelog"  # the folder of the dive log that was sent with the recording
WANTED = "wanted.json"  # another start or dive log that is to be joined (dives/times.py)
FACTS_VERSION = 1  # of dive.json
FACTS_LOCK = "dive.json.lock"
HIDDEN = ".adding-"  # a folder among the dives that is being put together (dives/adding.py)
CLOCK_S = 4.0  # a disk may write the time of a change to two seconds
HIDDEN_S = 24 * 3600.0  # older than this, whoever made it is gone
MAX_TITLE = 200
QUEUED, RUNNING, CANCELLED = "queued", "running", "cancelled"
STATES = frozenset((QUEUED, RUNNING, CANCELLED, COMPLETE, INCOMPLETE, FAILED))
COPY_WANTED, COPY_READY, COPY_FAILED = "wanted", "ready", "failed"
_ID = re.compile(r"[0-9a-f]{16}")

_TABLE = """
CREATE TABLE dives (
  id TEXT PRIMARY KEY, title TEXT NOT NULL, file_name TEXT NOT NULL, added_utc TEXT NOT NULL,
  recorded_utc TEXT NOT NULL, duration_s REAL, bytes INTEGER NOT NULL, width INTEGER, height INTEGER, rate REAL,
  every_s REAL, playable INTEGER, unplayable TEXT NOT NULL, offset_s REAL NOT NULL, thumbnail INTEGER NOT NULL,
  species TEXT NOT NULL, sightings INTEGER NOT NULL, has_results INTEGER NOT NULL,
  state TEXT NOT NULL, reason TEXT NOT NULL, copy TEXT NOT NULL, copy_reason TEXT NOT NULL,
  overlay TEXT NOT NULL DEFAULT '', overlay_reason TEXT NOT NULL DEFAULT '', overlay_cause TEXT NOT NULL DEFAULT '',
  times TEXT NOT NULL DEFAULT '', times_reason TEXT NOT NULL DEFAULT '', times_cause TEXT NOT NULL DEFAULT '',
  cause TEXT NOT NULL DEFAULT '', copy_cause TEXT NOT NULL DEFAULT '', unplayable_cause TEXT NOT NULL DEFAULT '',
  anew INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, reached INTEGER NOT NULL DEFAULT 0,
  turn INTEGER NOT NULL DEFAULT 0
)
"""
TABLE_VERSION = zlib.crc32(_TABLE.encode()) >> 1  # one with other columns is another one, and is made anew
# What SQLite says of a disk, and not of the table on it: a table is not made anew because there is no room for it.
_OF_THE_DISK = frozenset(
    (
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN),
        *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM),
    )
)


class TableError(LibraryError):
    """The table of a library cannot be read or written now; it is as it was, and so are the folders."""


class NoDiveError(KeyError):
    """There is no dive of this id, or not any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiveFacts:
    """dive.json: what people gave. file_name: as they called it, text only; video: our name of it below original/.

    more: of a dive in several files those after ``video``, in their order. every_s: as for ProcessOptions. start_utc:
    when media time 0 was, "" to believe the recording. divelog: our name of the log below divelog/, "" for none;
    divelog_offset_s: as for DiveLog.
    """

    title: str
    file_name: str
    video: str
    added_utc: str
    every_s: float | None
    more: tuple[str, ...] = ()
    start_utc: str = ""
    divelog: str = ""
    divelog_offset_s: float | None = None
    schema_version: int = FACTS_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class DiveRow:
    """One dive as the library lists it.

    recorded_utc: when the video began, "" when nobody knows. duration_s, width, height, rate (frames/s), playable: None
    until it was looked at. unplayable: why browsers do not play the original, then ``copy`` is "wanted", "ready" or
    "failed"; else both are "". overlay: likewise of overlay.mp4, "" while nobody has asked for it. times: "wanted" or
    "failed" while another start or dive log is to be joined. offset_s: what a browser's clock shows at media time 0.
    species: label -> sightings, as people corrected them. state:
    "queued", "running", "cancelled", or as in run.json. attempts: times the work on it was begun without an end or a
    new row; reached: bytes of its journal then. cause, copy_cause, unplayable_cause: the reason beside it in a word
    (dives/causes.py, realtime/errors.py), "" where there is none.
    """

    id: str
    title: str
    file_name: str
    added_utc: str
    recorded_utc: str
    duration_s: float | None
    bytes: int
    width: int | None
    height: int | None
    rate: float | None
    every_s: float | None
    playable: bool | None
    unplayable: str
    offset_s: float
    thumbnail: bool
    species: dict[str, int]
    sightings: int
    has_results: bool
    state: str
    reason: str
    copy: str
    copy_reason: str
    anew: bool
    attempts: int
    reached: int
    cause: str
    copy_cause: str
    unplayable_cause: str
    overlay: str
    overlay_reason: str
    overlay_cause: str
    times: str
    times_reason: str
    times_cause: str


@dataclass(frozen=True, slots=True)
class Job:
    """The next thing to do.

    step: "times" (join another start or dive log), "dive" (look at it, classify it), "copy" (make one that browsers
    play), or "overlay".
    """

    dive: DiveRow
    step: str


class Library:
    """An open library; a context manager. All methods may be called from any thread and block only on the disk.

    Every one may raise TableError.
    """

    def __init__(self, root: Path, database: sqlite3.Connection, held: Any) -> None:
        self.root = root
        self._database = database
        self._held = held
        self._guard = threading.RLock()
        self._refused: set[str] = set()  # folders that are no dives, said once
        self._looked_s = 0.0  # when the folder of dives had last changed at the last look
        self._listed: list[DiveRow] | None = None  # as of the last change: every open page asks once a second

    @classmethod
    def open(cls, root: Path) -> Self:
        """Opens the library in the folder ``root``, which is made when it is missing.

        Raises LibraryError when another process uses it, or when it cannot be written.
        """
        try:
            (root / DIVES).mkdir(parents=True, exist_ok=True)
            held = (root / LOCK).open("a+b")
        except OSError as error:
            raise _no_library(root, error) from error
        try:
            lock(held, wait=False)
        except OSError as error:
            held.close()
            raise LibraryError(f"{root}: another server uses this library; stop it, or name another folder") from error
        try:
            library = cls(root, _open_database(root / DATABASE), held)
            library._take_stock()
        except OSError as error:
            held.close()
            raise _no_library(root, error) from error
        except BaseException:
            held.close()
            raise
        return library

    def close(self) -> None:
        """Lets others in. Safe to call twice."""
        with self._guard:
            self._database.close()
            self._held.close()

    # What there is

    def dives(self) -> list[DiveRow]:
        """All dives, the last added first, with those that somebody else put here (dives/adding.py)."""
        with self._guard:
            with suppress(OSError, TableError):  # a disk that is away or full is told by those who need it
                self._take_in()
            if self._listed is None:
                self._listed = self._rows("ORDER BY added_utc DESC, id")
            return list(self._listed)

    def dive(self, dive_id: str) -> DiveRow:
        """One dive. Raises NoDiveError when there is none of this id."""
        rows = self._rows("WHERE id = ?", dive_id)
        if not rows:
            raise NoDiveError(dive_id)
        return rows[0]

    def folder(self, dive_id: str) -> Path:
        """Where a dive lives. Raises NoDiveError for a text that is no id of ours."""
        if not _ID.fullmatch(dive_id):
            raise NoDiveError(dive_id)
        return self.root / DIVES / dive_id

    def video(self, dive_id: str) -> Path:
        """The original, the first of several. Raises NoDiveError, and LibraryError when dive.json cannot be read."""
        return original_of(self.folder(dive_id))

    def videos(self, dive_id: str) -> list[Path]:
        """The originals, in order. Raises NoDiveError, and LibraryError when dive.json cannot be read."""
        return originals_of(self.folder(dive_id))

    # What changes

    def adopt(self, staged: Path, dive_id: str) -> DiveRow:
        """Takes in a folder of this library that holds a dive.json and its video, and queues it. Safe to repeat.

        On return it stays, also past a loss of power. Raises OSError when it cannot be moved.
        """
        folder = self.folder(dive_id)
        if not folder.exists():
            staged.replace(folder)
        sync_names(folder.parent)  # also of one that was moved before: this may be what had failed
        with self._guard:
            if not self._rows("WHERE id = ?", dive_id):
                self._insert(folder)
            return self.dive(dive_id)

    def rename(self, dive_id: str, title: str) -> DiveRow:
        """Gives a dive another title. Raises NoDiveError, ValueError for a text that is none, and ResultsError."""
        title = clean_title(title)
        if not title:
            raise ValueError("title: expected some text")
        folder = self.folder(dive_id)
        with self._guard:
            self.dive(dive_id)
            with changing_facts(folder) as facts, self._changing() as table:
                # The table first: it fails before the folder has changed, if it does.
                table.execute("UPDATE dives SET title = ? WHERE id = ?", (title, dive_id))
                write_facts(folder, replace(facts, title=title))
            with writing(folder / FACTS):
                sync_names(folder)
            return self.dive(dive_id)

    def delete(self, dive_id: str) -> None:
        """Removes a dive with all its files, for good. Nothing may be working on it. Raises NoDiveError, OSError."""
        folder = self.folder(dive_id)
        with self._guard:
            self.dive(dive_id)
            # In one step: a server that is killed half-way leaves a dive, or something in the trash, never half a dive.
            gone = self.root / TRASH / f"{dive_id}-{secrets.token_hex(4)}"
            with suppress(FileNotFoundError):
                folder.replace(gone)
            try:
                self._forget(dive_id)
            except TableError:  # a disk that is full has room once the files are gone
                shutil.rmtree(gone, ignore_errors=True)
                self._forget(dive_id)
        shutil.rmtree(gone, ignore_errors=True)

    def refresh(self, dive_id: str) -> None:
        """Reads a dive's folder again into its row; how it stands in the queue is kept. A dive that is gone is none."""
        self._read_again(dive_id)

    def _read_again(self, dive_id: str, **more: object) -> None:
        """Writes what the dive's folder says, and ``more``, at once: nobody sees a dive done without its sightings."""
        with self._guard:
            try:
                row, seen = self.dive(dive_id), _summary(self.folder(dive_id))
            except TableError:
                raise
            except (NoDiveError, LibraryError):
                seen = {}
            else:
                if row.copy == COPY_FAILED and seen["copy"] == COPY_WANTED:
                    del (
                        seen["copy"],
                        seen["copy_reason"],
                        seen["copy_cause"],
                    )  # it stays failed until somebody asks again
                if row.overlay in (COPY_WANTED, COPY_FAILED) and not seen["overlay"]:
                    del seen["overlay"]  # likewise
                if row.times == COPY_FAILED and seen["times"]:
                    del seen["times"], seen["times_reason"], seen["times_cause"]
            if seen or more:
                self._set(dive_id, **(seen | more))

    # The queue

    def waiting(self) -> int:
        """How many dives are queued, or want a copy."""
        return len(self._rows("WHERE state = ? OR (copy = ? AND state != ?)", QUEUED, COPY_WANTED, FAILED))

    def next_job(self) -> Job | None:
        """What to work on now, oldest first; what takes seconds first, dives before copies; None for nothing."""
        finished = f"times = ? AND state IN ('{COMPLETE}', '{INCOMPLETE}')"
        if wanting := self._rows(f"WHERE {finished} ORDER BY turn, id LIMIT 1", COPY_WANTED):
            return Job(wanting[0], "times")
        if waiting := self._rows("WHERE state = ? ORDER BY turn, id LIMIT 1", QUEUED):
            return Job(waiting[0], "dive")
        for step in ("copy", "overlay"):
            if wanting := self._rows(f"WHERE {step} = ? AND state != ? ORDER BY turn, id LIMIT 1", COPY_WANTED, FAILED):
                return Job(wanting[0], step)
        return None

    def begin(self, dive_id: str) -> None:
        """The work on a dive begins. What was classified since it last began makes this a first attempt again."""
        journal = self.folder(dive_id) / RESULTS / JOURNAL
        reached = journal.stat().st_size if journal.exists() else 0
        with self._guard:
            row = self.dive(dive_id)
            attempts = 1 if reached > row.reached else row.attempts + 1
            self._set(dive_id, state=RUNNING, reason="", cause="", attempts=attempts, reached=reached)

    def end(self, dive_id: str, state: str, reason: str = "", cause: str = "") -> None:
        """The work on a dive is over; QUEUED puts it back in its old place."""
        attempts = {} if state == RUNNING else {"attempts": 0}
        self._read_again(dive_id, state=state, reason=reason, cause=cause, anew=0, **attempts)

    def put_back(self, dive_id: str) -> None:
        """Nothing went wrong, the server stops: the dive goes on where it was when it is back."""
        with self._guard, suppress(NoDiveError):
            self._set(dive_id, state=QUEUED, attempts=max(0, self.dive(dive_id).attempts - 1))

    def queue(self, dive_id: str, *, anew: bool = False) -> DiveRow:
        """Puts a dive at the end of the queue. anew: not after what was classified before. Raises NoDiveError."""
        with self._guard:
            row = self.dive(dive_id)
            if row.state not in (QUEUED, RUNNING):
                columns = {"anew": int(anew), "attempts": 0, "turn": self._turn()}
                self._set(dive_id, state=QUEUED, reason="", cause="", **columns)
            return self.dive(dive_id)

    def set_copy(self, dive_id: str, state: str, reason: str = "", cause: str = "") -> None:
        """How the copy for browsers stands."""
        self._set(dive_id, copy=state, copy_reason=reason, copy_cause=cause)

    def set_overlay(self, dive_id: str, state: str, reason: str = "", cause: str = "") -> None:
        """How overlay.mp4 stands."""
        self._set(dive_id, overlay=state, overlay_reason=reason, overlay_cause=cause)

    def set_times(self, dive_id: str, state: str, reason: str = "", cause: str = "") -> None:
        """How another start or dive log stands that is to be joined."""
        self._set(dive_id, times=state, times_reason=reason, times_cause=cause)

    def end_times(self, dive_id: str, *, joined: bool) -> None:
        """It is joined, and then that a log before it did not fit is no news; or nobody wants it any more."""
        with self._guard:
            mends = joined and self.dive(dive_id).cause == JobCause.DIVELOG
            self._read_again(dive_id, **({"reason": "", "cause": ""} if mends else {}))

    # Inside

    def _rows(self, where: str, *values: object) -> list[DiveRow]:
        columns = ", ".join(DiveRow.__dataclass_fields__)
        with self._guard:
            try:
                found = self._database.execute(f"SELECT {columns} FROM dives {where}", values).fetchall()
            except sqlite3.Error as error:
                raise TableError(f"{self.root / DATABASE}: cannot be read ({error})") from error
        return [_row(values) for values in found]

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One change of the table, whole or not at all."""
        with self._guard:
            try:
                with self._database:
                    yield self._database
            except sqlite3.Error as error:
                raise TableError(f"{self.root / DATABASE}: cannot be written ({error})") from error
            finally:
                self._listed = None

    def _set(self, dive_id: str, **columns: object) -> None:
        names = ", ".join(f"{name} = ?" for name in columns)
        with self._changing() as table:
            table.execute(f"UPDATE dives SET {names} WHERE id = ?", (*columns.values(), dive_id))

    def _forget(self, *dive_ids: str) -> None:
        with self._changing() as table:
            table.executemany("DELETE FROM dives WHERE id = ?", [(one,) for one in dive_ids])

    def _turn(self) -> int:
        return int(self._database.execute("SELECT COALESCE(MAX(turn), 0) + 1 FROM dives").fetchone()[0])

    def _insert(self, folder: Path) -> None:
        columns = _summary(folder) | _standing(folder)
        with self._changing() as table:
            columns |= {"id": folder.name, "turn": self._turn()}
            marks = ", ".join("?" * len(columns))
            table.execute(f"INSERT INTO dives ({', '.join(columns)}) VALUES ({marks})", (*columns.values(),))

    def _take_stock(self) -> None:
        """Makes the table agree with the folders, and takes up what a killed server left."""
        shutil.rmtree(self.root / TRASH, ignore_errors=True)
        (self.root / TRASH).mkdir(exist_ok=True)  # now: a disk that is full may have no room for it when it is needed
        for entry in (self.root / DIVES).glob(f"{HIDDEN}*"):
            if time.time() - entry.stat().st_mtime > HIDDEN_S:
                shutil.rmtree(entry, ignore_errors=True)
        with self._guard:
            self._forget(*({row.id for row in self._rows("")} - {entry.name for entry in self._folders()}))
            called = self._called_otherwise()
            with self._changing() as table:
                table.execute("UPDATE dives SET state = ? WHERE state = ?", (QUEUED, RUNNING))
                table.executemany("UPDATE dives SET title = ? WHERE id = ?", called)
            self._take_in()

    def _called_otherwise(self) -> list[tuple[str, str]]:
        """(title, id) of dives whose dive.json has another title: a rename that was killed between the two."""
        found = []
        for row in self._rows(""):
            with suppress(LibraryError):  # whoever wants the dive is told
                if (title := read_facts(self.folder(row.id)).title) != row.title:
                    found.append((title, row.id))
        return found

    def _take_in(self) -> None:
        """Lists folders that are not in the table, the oldest first, if any came or went since the last look."""
        changed_s = (self.root / DIVES).stat().st_mtime
        if changed_s == self._looked_s and time.time() - changed_s > CLOCK_S:
            return
        listed = {row.id for row in self._rows("")}
        newcomers = [entry for entry in self._folders() if entry.name not in listed | self._refused]
        for folder in sorted(newcomers, key=lambda folder: (_age_s(folder), folder.name)):
            try:
                self._insert(folder)
            except TableError:
                raise
            except LibraryError as error:  # one folder that is none of ours keeps nobody from the others
                log.warning("left out of the library: %s", error)
                self._refused.add(folder.name)
        self._looked_s = changed_s

    def _folders(self) -> list[Path]:
        return [entry for entry in (self.root / DIVES).iterdir() if _ID.fullmatch(entry.name)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_facts(folder: Path) -> DiveFacts:
    """A dive's dive.json. Raises LibraryError."""
    try:
        raw = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        if raw.get("schema_version") != FACTS_VERSION:
            raise LibraryError(f"{folder / FACTS}: of another version of Reeflens ({raw.get('schema_version')})")
        known = {name: raw[name] for name in DiveFacts.__dataclass_fields__ if name in raw}
        facts = DiveFacts(**known | {"more": tuple(raw.get("more", ()))})
        for name in (facts.video, *facts.more, *filter(None, [facts.divelog])):
            if Path(name).name != name or name in ("", ".", ".."):
                raise ValueError(f"{name!r} is no file name")
        return facts
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LibraryError(f"{folder / FACTS}: cannot be read ({error})") from error


def write_facts(folder: Path, facts: DiveFacts) -> None:
    """Writes a dive's dive.json. Raises ResultsError."""
    write_whole(folder / FACTS, json.dumps(asdict(facts), ensure_ascii=False, indent=1) + "\n")


@contextmanager
def changing_facts(folder: Path) -> Iterator[DiveFacts]:
    """A dive's dive.json, which nobody else writes until this is over: a server and a job may both be at it.

    To be held for no longer than reading and writing take. Raises LibraryError, and ResultsError where the disk does
    not let it be held.
    """
    with ExitStack() as stack:
        with writing(folder / FACTS):
            held = stack.enter_context((folder / FACTS_LOCK).open("ab"))
            lock(held, wait=True)
        yield read_facts(folder)


def original_of(folder: Path) -> Path:
    """The original video of a dive's folder, the first of several. Raises LibraryError."""
    return originals_of(folder)[0]


def originals_of(folder: Path) -> list[Path]:
    """The original videos of a dive's folder, in order. Raises LibraryError."""
    facts = read_facts(folder)
    return [folder / ORIGINAL / name for name in (facts.video, *facts.more)]


def new_id() -> str:
    """An id that nobody can guess and every file system takes."""
    return secrets.token_hex(8)


def clean_title(text: str) -> str:
    """One line of printable text of at most MAX_TITLE characters; may be empty."""
    return plain(text)[:MAX_TITLE].strip()


def now_utc() -> str:
    """ISO 8601 with milliseconds and Z."""
    return iso_utc(datetime.now(UTC))


def _no_library(root: Path, error: OSError) -> LibraryError:
    return LibraryError(f"{root}: no library can be kept here ({(error.strerror or str(error)).lower()})")


def _open_database(path: Path) -> sqlite3.Connection:
    """The table; one that is damaged, or of another version, is put aside and made anew from the folders.

    Raises LibraryError when the disk does not let it be used.
    """
    for attempt in (1, 2):
        try:
            return _connect(path)
        except sqlite3.Error as error:
            of_the_disk = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in _OF_THE_DISK
            if of_the_disk or attempt == 2:
                raise LibraryError(f"{path}: cannot be used ({error})") from error
            aside = path.with_name(path.name + DAMAGED)
            path.replace(aside)
            log.warning("%s: %s; made anew from the folders, and kept as %s", path, error, aside.name)
            for leftover in ("-journal", "-wal", "-shm"):  # they would be taken for the new one's
                path.with_name(path.name + leftover).unlink(missing_ok=True)
    raise AssertionError("unreachable")


def _connect(path: Path) -> sqlite3.Connection:
    """Raises sqlite3.Error for a table that is damaged, as far as that can be told."""
    existed = path.exists()
    database = sqlite3.connect(path, check_same_thread=False)
    try:
        # One file, whole after every change: write-ahead files would be left behind by whoever copies the folder.
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("PRAGMA synchronous = FULL")
        version = int(database.execute("PRAGMA user_version").fetchone()[0])
        if not existed:
            with database:
                database.execute(_TABLE)
                database.execute(f"PRAGMA user_version = {TABLE_VERSION}")
        elif version != TABLE_VERSION:
            raise sqlite3.DatabaseError(f"version {version}, expected {TABLE_VERSION}")
        # Not quick_check, which takes an index at its word: a dive that the index lacks could be there twice.
        elif (found := database.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(found)
        for values in database.execute(f"SELECT {', '.join(DiveRow.__dataclass_fields__)} FROM dives"):
            if (row := _row(values)).state not in STATES:
                raise sqlite3.DatabaseError(f"dive {row.id!r} is {row.state!r}")
    except (ValueError, TypeError) as error:
        database.close()
        raise sqlite3.DatabaseError(f"a row cannot be read ({error})") from error
    except BaseException:
        database.close()
        raise
    return database


def _row(found: tuple[Any, ...]) -> DiveRow:
    values = dict(zip(DiveRow.__dataclass_fields__, found, strict=True))
    for name in ("thumbnail", "has_results", "anew"):
        values[name] = bool(values[name])
    values["playable"] = None if values["playable"] is None else bool(values["playable"])
    values["species"] = json.loads(values["species"])
    return DiveRow(**values)


def _age_s(folder: Path) -> float:
    """When a dive came in, as far as its files tell: those that wait are taken in this order."""
    facts = folder / FACTS
    return facts.stat().st_mtime if facts.exists() else 0.0


def _summary(folder: Path) -> dict[str, Any]:
    """What a dive's folder says of itself, as columns."""
    facts, probe, run = read_facts(folder), read_probe(folder), read_run(folder / RESULTS)
    species = _species(folder / RESULTS)
    videos = [video for video in originals_of(folder) if video.exists()]
    unplayable = probe.unplayable if probe else ""
    copy = "" if not unplayable else COPY_READY if (folder / COPY).exists() else COPY_WANTED
    return {
        "title": facts.title,
        "file_name": facts.file_name,
        "added_utc": facts.added_utc,
        "every_s": facts.every_s,
        "recorded_utc": (run or {}).get("time", {}).get("start_utc", "")
        or facts.start_utc
        or (probe.start_utc if probe else ""),
        "duration_s": probe.duration_s if probe else None,
        "bytes": sum(video.stat().st_size for video in videos),
        "width": probe.size_hw[1] if probe else None,
        "height": probe.size_hw[0] if probe else None,
        "rate": probe.rate if probe else None,
        "playable": None if probe is None else int(not unplayable),
        "unplayable": unplayable,
        "unplayable_cause": probe.unplayable_cause if probe else "",
        "offset_s": probe.offset_s if probe and not unplayable else 0.0,
        "thumbnail": int((folder / THUMBNAIL).exists()),
        "species": json.dumps(species, ensure_ascii=False),
        "sightings": sum(species.values()),
        "has_results": int((folder / RESULTS / "frames.csv").exists()),
        "copy": copy,
        "copy_reason": "",
        "copy_cause": "",
        "overlay": COPY_READY if (folder / RESULTS / "overlay.mp4").exists() else "",
        "times": COPY_WANTED if (folder / WANTED).exists() else "",
        "times_reason": "",
        "times_cause": "",
    }


def _standing(folder: Path) -> dict[str, str]:
    """How a dive stands, as far as its folder tells: for a table that is made anew."""
    run = read_run(folder / RESULTS)
    if run is not None and run["state"] in (COMPLETE, INCOMPLETE, FAILED):
        return {"state": run["state"], "reason": str(run.get("reason", ""))}
    return {"state": QUEUED, "reason": ""}


def _species(results: Path) -> dict[str, int]:
    """Label -> number of sightings, by the last word on each, most first; empty when there is no table."""
    try:
        with (results / "sightings.csv").open(encoding="utf-8", newline="") as file:
            labels: list[str | None] = [line["label"] for line in csv.DictReader(file)]
    except (OSError, KeyError, UnicodeDecodeError, csv.Error):
        return {}
    if (results / CORRECTIONS).exists():
        with suppress(
            ResultsError
        ):  # the player says what is wrong with them; what the model saw is there all the same
            said = corrected(read_keys(results), read_corrections(results))
            labels = [label if word is None else word.truth for label, word in zip(labels, said.words, strict=False)]
            labels += [word.truth for word in said.missed]
    return dict(Counter(filter(None, labels)).most_common())
