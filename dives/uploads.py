"""Uploads that survive: a reload of the page, a lost network, a killed server. One folder per upload below uploads/.

    begin -> append at an offset, as often as it takes -> finish, alone or several as one dive

The file's own size is the offset: what is there was written, and what was acknowledged is on the disk. Names come from
people and stay text; what things are called on the disk is ours (dives/naming.py).
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import BinaryIO

from dives.library import (
    DIVELOG,
    FACTS,
    ORIGINAL,
    TRASH,
    DiveFacts,
    DiveRow,
    Library,
    NoDiveError,
    clean_title,
    new_id,
    now_utc,
)
from dives.naming import log_name, title_of, video_name
from dives.partial import sync_names, write_whole
from realtime.errors import LibraryError, ReeflensError, ResultsError
from realtime.frames import iso_utc
from realtime.sources import natural_order

log = logging.getLogger(__name__)

UPLOADS, UPLOAD, DATA = "uploads", "upload.json", "data.part"
JOINS = "joins"  # in the dive.json of an upload that becomes a dive: id of another upload -> its place in the folder
MAX_NAME = 255  # characters of a file's name that are kept
KEPT_S = 7 * 24 * 3600.0  # an upload that nobody touched for a week is given up
CLOCK_SET_S = 3600.0  # no clock goes wrong by so much on its own between two uploads; summer time does not move it
MIN_FREE_BYTES = 1_000_000_000  # a full disk stops databases, logs and other people's work
MAX_OPEN = 100
CLAIMED = "it is becoming a dive"


class UploadError(ReeflensError):
    """An upload cannot go on like this. kind: "too-big", "full", "crowded", "offset", "busy" or "gone"."""

    def __init__(self, kind: str, reason: str, *, offset: int = 0) -> None:
        super().__init__(reason)
        self.kind = kind
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Limits:
    """What may come in, in bytes. quota: of the whole library, 0 for as much as the disk holds."""

    upload: int
    quota: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One upload. modified_ms: the file's own date, by which a page knows it again. offset: bytes that are here."""

    id: str
    name: str
    size: int
    modified_ms: int
    every_s: float | None
    begun_utc: str
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class With:
    """What belongs to an upload that becomes a dive.

    more: ids of uploads that are files of the same dive, in any order. divelog: id of the one that is its dive log;
    divelog_offset_s: seconds by which the log's clock is ahead of the camera's. start_utc: when the dive's first
    picture was taken; None to believe the recording.
    """

    more: tuple[str, ...] = ()
    divelog: str = ""
    divelog_offset_s: float | None = None
    start_utc: datetime | None = None


class Uploads:
    """The open uploads of a library. All methods may be called from any thread and block only on the disk.

    Raises LibraryError when the library has no place for them.
    """

    def __init__(
        self,
        library: Library,
        limits: Limits,
        *,
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._library = library
        self._limits = limits
        self._free_bytes = free_bytes
        self._clock = clock
        self._steady = steady
        self._ahead_s = clock() - steady()  # changes when somebody sets the clock
        self._root = library.root / UPLOADS
        self._guard = threading.Lock()  # for moments: whoever sends waits for it
        self._beginning = threading.Lock()  # room is promised to one after another, and counting a library takes time
        self._writing: set[str] = set()
        try:
            self._root.mkdir(exist_ok=True)
            self._tidy()
        except OSError as error:
            raise LibraryError(f"{self._root}: cannot be used ({_words(error)})") from error

    @property
    def limits(self) -> Limits:
        """What may come in."""
        return self._limits

    def begin(self, name: str, size: int, *, modified_ms: int = 0, every_s: float | None = None) -> Upload:
        """Makes room for a file. Raises UploadError when there is none, ValueError for a size that makes no sense."""
        if size < 1:
            raise ValueError(f"size: expected at least 1 byte, received {size}")
        with self._beginning:
            with self._guard:
                given_up = self._expire()
            _remove(given_up)
            waiting = self.open()
            if len(waiting) >= MAX_OPEN:
                raise UploadError("crowded", f"{len(waiting)} uploads are open; finish or cancel one first")
            self._check_room(size, sum(upload.size - upload.offset for upload in waiting))
            upload = Upload(
                id=new_id(),
                name=clean_title(name[: 4 * MAX_NAME])[:MAX_NAME] or "video",
                size=size,
                modified_ms=modified_ms,
                every_s=every_s,
                begun_utc=now_utc(),
            )
            folder = self._root / upload.id
            try:
                folder.mkdir()
                (folder / DATA).touch()
                write_whole(folder / UPLOAD, json.dumps(asdict(upload), ensure_ascii=False))
                sync_names(folder)
                sync_names(self._root)
            except (OSError, ResultsError) as error:
                shutil.rmtree(folder, ignore_errors=True)
                raise UploadError("full", f"the library cannot take it ({_words(error)})") from error
        return upload

    def get(self, upload_id: str) -> Upload:
        """How far an upload is. Raises UploadError "gone" for one that is not there (any more)."""
        folder = self._folder(upload_id)
        try:
            raw = json.loads((folder / UPLOAD).read_text(encoding="utf-8"))
            raw["offset"] = (folder / DATA).stat().st_size
            return Upload(**raw)
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise UploadError("gone", "this upload is not here any more; begin it again") from error

    def open(self) -> list[Upload]:
        """All that are not finished, oldest first."""
        found = []
        for entry in self._root.iterdir():
            try:
                found.append(self.get(entry.name))
            except UploadError:
                continue
        return sorted(found, key=lambda upload: (upload.begun_utc, upload.id))

    @contextmanager
    def appending(self, upload_id: str, offset: int) -> Iterator[Appending]:
        """Opens an upload for bytes from ``offset`` on; leaving brings them to the disk itself.

        Raises UploadError: "offset" when that is not where it stands, "busy" when someone else is writing.
        """
        upload = self.get(upload_id)
        with self._guard:
            if upload_id in self._writing:
                raise UploadError("busy", "another page is sending this file")
            self._writing.add(upload_id)
        try:
            upload = self.get(upload_id)
            if offset != upload.offset:
                raise UploadError(
                    "offset", f"expected bytes from {upload.offset} on, received from {offset}", offset=upload.offset
                )
            try:
                file = (self._folder(upload_id) / DATA).open("ab", buffering=0)
            except OSError as error:
                raise UploadError("full", f"the library cannot take it ({_words(error)})") from error
            with file:
                try:
                    yield Appending(file, upload, self)
                finally:
                    try:
                        os.fsync(file.fileno())
                    except OSError as error:
                        with suppress(OSError):  # nobody knows which of these bytes are there
                            file.truncate(offset)
                        raise UploadError("full", f"the disk does not take it ({_words(error)})") from error
        finally:
            with self._guard:
                self._writing.discard(upload_id)

    def finish(self, upload_id: str, with_: With | None = None) -> DiveRow:
        """A whole upload becomes a dive, which is queued. Safe to repeat: an answer that was lost costs nothing.

        with_: what belongs to it. Raises UploadError "offset" while bytes are missing of any, "busy" while any is
        written to or when one is becoming another dive, "gone" for an id that is neither upload nor dive; ValueError
        when the same upload is named twice or the start has no zone.
        """
        with_ = with_ or With()
        try:
            return self._library.dive(upload_id)
        except NoDiveError:
            pass
        ids = [upload_id, *with_.more, *([with_.divelog] if with_.divelog else [])]
        if len(set(ids)) < len(ids):
            raise ValueError("more, divelog: expected each upload once")
        if with_.start_utc is not None and with_.start_utc.tzinfo is None:
            raise ValueError("start_utc: expected a time with its zone")
        folder = self._folder(upload_id)
        try:
            if self._library.folder(upload_id).exists():  # moved, and then there was no room in the table
                return self._library.adopt(folder, upload_id)
            with self._guard:
                if (folder / FACTS).exists():  # begun, and then there was no room on the disk
                    return self._adopt(folder)
                if self._writing.intersection(ids):
                    raise UploadError("busy", "another page is sending this file")
                self._refuse_claimed(ids)
                uploads = [self.get(one) for one in ids]
                for upload in uploads:
                    _refuse_part(upload)
                (folder / ORIGINAL).mkdir(exist_ok=True)
                facts, joins = _facts(uploads, with_)
                # At once, whom it joins too: half a plan that a kill leaves would be carried out with the next one.
                plan = asdict(facts) | {JOINS: joins}
                write_whole(folder / FACTS, json.dumps(plan, ensure_ascii=False, indent=1) + "\n")
                return self._adopt(folder)
        except (OSError, ResultsError, LibraryError) as error:
            raise UploadError("full", f"all of it is here, and the library cannot take it ({_words(error)})") from error

    def whole(self, upload_id: str) -> tuple[Upload, Path]:
        """An upload all of which is here, and its bytes. Raises UploadError "offset", "busy" or "gone"."""
        with self._guard:
            if upload_id in self._writing:
                raise UploadError("busy", "another page is sending this file")
            self._refuse_claimed([upload_id])
            upload = self.get(upload_id)
        _refuse_part(upload)
        return upload, self._folder(upload_id) / DATA

    def give(self, upload_id: str, to: Path) -> None:
        """Moves the bytes of a whole upload to ``to``, in this library. Raises as ``whole``, and "full"."""
        _, data = self.whole(upload_id)
        try:
            to.parent.mkdir(exist_ok=True)
            data.replace(to)
            sync_names(to.parent)
        except OSError as error:
            raise UploadError("full", f"the library cannot take it ({_words(error)})") from error
        shutil.rmtree(self._folder(upload_id), ignore_errors=True)

    def cancel(self, upload_id: str) -> None:
        """Gives an upload up and removes what came of it.

        Raises UploadError "gone", or "busy" while it is written to or is on its way to become a dive, which can be
        deleted when it is one.
        """
        self.get(upload_id)
        with self._guard:
            if upload_id in self._writing:
                raise UploadError("busy", "a page is sending this file")
            self._refuse_claimed([upload_id])
            gone = self._throw_away(self._folder(upload_id))
        _remove([gone])

    def used_bytes(self) -> int:
        """What the library takes on the disk; what comes and goes meanwhile may count or not, or twice."""
        used = 0
        for folder, folders, names in os.walk(self._library.root):
            folders.sort(key=lambda name: name != UPLOADS)  # first: what becomes a dive meanwhile must not be missed
            for name in names:
                with suppress(OSError):  # it is gone, which is what others do while this counts
                    used += Path(folder, name).lstat().st_size
        return used

    def _check_room(self, size: int, promised: int = 0) -> None:
        if size > self._limits.upload:
            raise UploadError("too-big", f"{_size(size)} is more than one file may have ({_size(self._limits.upload)})")
        if self._limits.quota:
            left = self._limits.quota - self.used_bytes() - promised
            if size > left:
                raise UploadError(
                    "full", f"the library may hold {_size(self._limits.quota)}, of which {_size(max(0, left))} are left"
                )
        free = self._free_bytes(self._root) - promised - MIN_FREE_BYTES
        if size > free:
            raise UploadError(
                "full", f"the disk has {_size(max(0, free))} left for this, and the file is {_size(size)}"
            )

    def _folder(self, upload_id: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{16}", upload_id):
            raise UploadError("gone", "there is no such upload")
        return self._root / upload_id

    def _adopt(self, folder: Path) -> DiveRow:
        """From here on it is a dive; every step can be taken again after a crash."""
        video, joins = _plan(folder)
        sync_names(folder)  # a file that moved by a plan that is lost would be nobody's
        moves = {self._root / upload_id / DATA: folder / place for upload_id, place in joins.items()}
        for data, place in (moves | {folder / DATA: folder / ORIGINAL / video}).items():
            if data.exists():
                place.parent.mkdir(exist_ok=True)
                data.replace(place)
        # Also where nothing was left to move: a sync that failed may have been all that was missing.
        for place in (folder / ORIGINAL, folder / DIVELOG, folder):
            if place.is_dir():
                sync_names(place)
        for upload_id in joins:  # not before: their bytes must have the new name on the disk
            shutil.rmtree(self._root / upload_id, ignore_errors=True)
        (folder / UPLOAD).unlink(missing_ok=True)
        return self._library.adopt(folder, folder.name)

    def _refuse_claimed(self, upload_ids: Sequence[str]) -> None:
        """Raises UploadError "busy" where one of these is on its way to become a dive, or a file of one."""
        if self._claimed().intersection(upload_ids):
            raise UploadError("busy", CLAIMED)

    def _claimed(self) -> set[str]:
        """Ids of uploads that have begun to become a dive, and of those that are files of it."""
        claimed = set()
        for entry in self._root.iterdir():
            if (entry / FACTS).exists():
                claimed.add(entry.name)
                with suppress(LibraryError):  # a plan that cannot be read keeps nobody from the rest
                    claimed.update(_plan(entry)[1])
        return claimed

    def _tidy(self) -> None:
        """After a start: completes what was about to be a dive, and gives up what is old."""
        for entry in list(self._root.iterdir()):
            if (entry / FACTS).exists():
                try:
                    self._adopt(entry)
                except (OSError, LibraryError) as error:  # it stays, and keeps nobody from the rest
                    log.warning("%s: cannot become a dive now (%s)", entry, error)
        _remove(self._expire())

    def _throw_away(self, folder: Path) -> Path:
        """In one step, as half an upload would take room that nobody knows of; where what is left of it is now."""
        gone = self._library.root / TRASH / f"{folder.name}-{secrets.token_hex(4)}"
        try:
            return folder.replace(gone)
        except OSError:
            return folder

    def _expire(self) -> list[Path]:
        """Gives up what nobody touched for a week, to be removed; a clock that was set forward is no week."""
        ahead_s = self._clock() - self._steady()
        was_set, self._ahead_s = ahead_s - self._ahead_s > CLOCK_SET_S, ahead_s
        kept, given_up = self._writing | self._claimed(), []
        for entry in list(self._root.iterdir()):
            try:
                if was_set:
                    os.utime(entry, (self._clock(), self._clock()))
                touched_s = max(part.stat().st_mtime for part in (entry, *entry.iterdir()))
            except OSError:
                continue
            if self._clock() - touched_s > KEPT_S and entry.name not in kept:
                given_up.append(self._throw_away(entry))
        return given_up


class Appending:
    """An upload that is being written to."""

    def __init__(self, file: BinaryIO, upload: Upload, uploads: Uploads) -> None:
        self.offset = upload.offset
        self._file = file
        self._upload = upload
        self._uploads = uploads

    def write(self, data: bytes) -> None:
        """Adds bytes. Raises UploadError "too-big" beyond the announced size, "full" when the disk is."""
        if self.offset + len(data) > self._upload.size:
            raise UploadError("too-big", f"more bytes than the {self._upload.size} that were announced")
        if self._uploads._free_bytes(self._uploads._root) < MIN_FREE_BYTES:
            raise UploadError("full", "the disk is nearly full; make room and go on", offset=self.offset)
        rest = memoryview(data)
        try:
            while rest:
                written = self._file.write(rest)
                self.offset += written
                rest = rest[written:]
        except OSError as error:
            raise UploadError("full", f"the disk does not take it ({_words(error)})", offset=self.offset) from error


def _facts(uploads: Sequence[Upload], with_: With) -> tuple[DiveFacts, dict[str, str]]:
    """dive.json of the first of ``uploads``, and where the others go. Files of one dive never share a name."""
    videos = uploads[: 1 + len(with_.more)]
    names: list[str] = []
    for upload in videos:
        name = video_name(upload.name)
        stem, _, suffix = name.rpartition(".")
        taken = {other.casefold() for other in names}
        numbers = count(2)
        while name.casefold() in taken:
            name = f"{stem}-{next(numbers)}.{suffix}"
        names.append(name)
    places = {upload.id: f"{ORIGINAL}/{name}" for upload, name in zip(videos[1:], names[1:], strict=True)}
    log = uploads[-1] if with_.divelog else None
    if log is not None:
        places[log.id] = f"{DIVELOG}/{log_name(log.name)}"
    first = min((upload.name for upload in videos), key=natural_order)
    facts = DiveFacts(
        title=title_of(first),
        file_name=first,
        video=names[0],
        more=tuple(names[1:]),
        added_utc=now_utc(),
        every_s=uploads[0].every_s,
        start_utc=iso_utc(with_.start_utc) if with_.start_utc is not None else "",
        divelog=log_name(log.name) if log is not None else "",
        divelog_offset_s=with_.divelog_offset_s,
    )
    return facts, places


def _plan(folder: Path) -> tuple[str, dict[str, str]]:
    """What the file of an upload that has begun to become a dive will be called, and which others are files of it.

    Of these their places in the folder, by id. Raises LibraryError.
    """
    try:
        plan = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        return str(plan["video"]), {str(one): str(place) for one, place in plan.get(JOINS, {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LibraryError(f"{folder / FACTS}: cannot be read ({error})") from error


def _remove(folders: Iterable[Path]) -> None:
    """What nobody sees any more; of big files it takes seconds, for which nobody should wait."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_part(upload: Upload) -> None:
    """Raises UploadError "offset" while bytes are missing."""
    if upload.offset != upload.size:
        text = f"{upload.offset} of {upload.size} bytes are here; send the rest of {upload.name}"
        raise UploadError("offset", text, offset=upload.offset)


def _size(count: int) -> str:
    if count < 1_000_000:
        return f"{count / 1000:.1f} kB"
    return f"{count / 1e6:.1f} MB" if count < 1_000_000_000 else f"{count / 1e9:.1f} GB"


def _words(error: Exception) -> str:
    """Why, without a path."""
    cause = error.__cause__ if isinstance(error, ReeflensError) and error.__cause__ is not None else error
    return (getattr(cause, "strerror", None) or str(cause)).lower()
