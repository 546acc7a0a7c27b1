"""What the first pass leaves behind: raw rows in one append-only file, so that nothing classified is ever redone.

    line 1      one JSON object: what the rows belong to (video, model, options) and their layout
    after it    fixed-size records, little-endian, in order, each ending in a CRC-32 of the bytes before it

A record is written whole or, when the process is killed or the disk is full, torn; a torn tail is recognised by its
length or its CRC and cut off when the file is opened again. The journal keeps every class's probability,
which the tables made from it do not.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import numpy as np
from numpy.typing import NDArray

from dives.locking import lock
from dives.partial import writing
from realtime.errors import ResultsError
from realtime.pipeline import RawResult

NAME = "raw.journal"
FORMAT = "reeflens-journal/1"
MAX_HEADER_BYTES = 1 << 20
CHUNK_RECORDS = 1024  # a third of a megabyte at 23 classes: memory stays flat however long the dive
NO_FACTS = frozenset(("--start",))  # named by journals of earlier versions; no row rests on it (dives/wall_clock.py)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_TIME = np.iinfo(np.int64).min


class Journal:
    """The raw rows of one dive, open for reading and appending; a context manager. Not thread-safe.

    A second process that opens the same journal is refused with ResultsError until the first one ends.
    """

    def __init__(self, path: Path, file: BinaryIO, start: int, dtype: np.dtype[Any], records: int) -> None:
        self.path = path
        self.records = records
        self._file = file
        self._start = start
        self._dtype = dtype

    @classmethod
    def open(
        cls,
        path: Path,
        facts: Mapping[str, object],
        notes: Mapping[str, object],
        *,
        classes: int,
        cam_size: int,
        resume: bool = True,
    ) -> Self:
        """Opens the journal at ``path``, or begins one when there is none or ``resume`` is off.

        facts: what the rows depend on; JSON values. A journal to resume with other facts raises ResultsError naming
        the first that differs. notes: kept with a new journal, never compared; ``notes`` reads them back.
        classes, cam_size: C and G of the rows.
        """
        with writing(path):
            # Unbuffered: a record that append() returned from survives a kill of this process.
            file = cast(BinaryIO, path.open("r+b" if path.exists() else "x+b", buffering=0))
            try:
                _lock(file, path)
                header = _read_header(file, path) if resume else None
                if header is None:
                    header = {"format": FORMAT, "facts": dict(facts), "notes": dict(notes)}
                    file.seek(0)
                    file.truncate()
                    _write(file, json.dumps(header, ensure_ascii=False).encode() + b"\n")
                else:
                    _same_facts(path.parent, header["facts"], json.loads(json.dumps(dict(facts))))
                journal = cls(path, file, _header_size(file), record_dtype(classes, cam_size), 0)
                journal.records = journal._whole_records()
                journal.truncate(journal.records)
            except BaseException:
                file.close()
                raise
        return journal

    def append(self, rows: Sequence[RawResult]) -> None:
        """Adds rows at the end. Raises ResultsError; what was there before is then still whole."""
        packed = pack(rows, self._dtype)
        self._file.seek(self._end(self.records))
        with writing(self.path):
            try:
                _write(self._file, packed.tobytes())
            except OSError:
                self.truncate(self.records)  # a disk that is full still lets a file shrink
                raise
        self.records += len(rows)

    def truncate(self, records: int) -> None:
        """Keeps the first ``records`` rows."""
        self._file.truncate(self._end(records))
        self.records = records

    def chunks(self) -> Iterator[NDArray[Any]]:
        """The records as structured arrays of at most ``CHUNK_RECORDS``, in order."""
        for first in range(0, self.records, CHUNK_RECORDS):
            yield self._read(first, min(CHUNK_RECORDS, self.records - first))

    def rows(self, source: str) -> Iterator[RawResult]:
        """The rows in order, as the first pass made them; ``source`` is the name they carry."""
        for chunk in self.chunks():
            try:
                yield from unpack(chunk, source)
            except (OverflowError, UnicodeDecodeError) as error:  # whole by its CRC, and of no version of ours
                raise ResultsError(f"{self.path}: holds a row that cannot be read; run without --resume") from error

    def moments(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """int64 [n] frame numbers and float64 [n] media times of all rows."""
        index = np.empty(self.records, np.int64)
        media_s = np.empty(self.records, np.float64)
        done = 0
        for chunk in self.chunks():
            index[done : done + len(chunk)] = chunk["index"]
            media_s[done : done + len(chunk)] = chunk["media_s"]
            done += len(chunk)
        return index, media_s

    def notes(self) -> dict[str, Any]:
        """What was noted when the journal was begun."""
        header = _read_header(self._file, self.path)
        return dict(header["notes"]) if header else {}

    def sync(self) -> None:
        """Brings the rows to the disk itself, past a loss of power. Raises ResultsError."""
        with writing(self.path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file and lets others in."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end(self, records: int) -> int:
        return self._start + records * self._dtype.itemsize

    def _read(self, first: int, count: int) -> NDArray[Any]:
        self._file.seek(self._end(first))
        wanted = count * self._dtype.itemsize
        parts = []
        while wanted and (part := self._file.read(wanted)):
            parts.append(part)
            wanted -= len(part)
        whole = b"".join(parts)
        return np.frombuffer(whole[: len(whole) - len(whole) % self._dtype.itemsize], self._dtype)

    def _whole_records(self) -> int:
        """How many records from the start are whole; the first that is not ends the count."""
        size = self._file.seek(0, os.SEEK_END)
        self.records = max(0, size - self._start) // self._dtype.itemsize
        whole = 0
        for chunk in self.chunks():
            good = np.array([_crc(record.tobytes()) == record["crc"] for record in chunk])
            if not good.all():
                return whole + int(good.argmin())
            whole += len(chunk)
        return whole


def record_dtype(classes: int, cam_size: int) -> np.dtype[Any]:
    """One record: 46 bytes, 4 per class, one per CAM cell. utc_us: microseconds since 1970, NO_TIME for none."""
    return np.dtype(
        [
            ("index", "<i8"),
            ("media_s", "<f8"),
            ("utc_us", "<i8"),
            ("utc_source", "S10"),
            ("height", "<u4"),
            ("width", "<u4"),
            ("unknown", "<f4"),
            ("explained", "<i4"),
            ("probabilities", "<f4", (classes,)),
            ("cam", "u1", (cam_size, cam_size)),
            ("crc", "<u4"),
        ]
    )


def pack(rows: Sequence[RawResult], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Rows as records of ``record_dtype``."""
    records = np.zeros(len(rows), dtype)
    for record, row in zip(records, rows, strict=True):
        record["index"] = row.index
        record["media_s"] = row.media_s
        record["utc_us"] = NO_TIME if row.utc is None else (row.utc - EPOCH) // timedelta(microseconds=1)
        record["utc_source"] = row.utc_source.encode()
        record["height"], record["width"] = row.size_hw
        record["unknown"] = row.unknown
        record["explained"] = row.explained
        record["probabilities"] = row.probabilities
        record["cam"] = row.cam
        record["crc"] = _crc(record.tobytes())
    return records


def unpack(records: NDArray[Any], source: str) -> Iterator[RawResult]:
    """The inverse of ``pack``, except for the name of the source, which a record does not hold."""
    for record in records:
        utc_us = int(record["utc_us"])
        yield RawResult(
            source=source,
            index=int(record["index"]),
            media_s=float(record["media_s"]),
            utc=None if utc_us == NO_TIME else EPOCH + timedelta(microseconds=utc_us),
            utc_source=bytes(record["utc_source"]).decode(),
            captured_s=None,
            size_hw=(int(record["height"]), int(record["width"])),
            probabilities=record["probabilities"],
            unknown=float(record["unknown"]),
            cam=record["cam"],
            explained=int(record["explained"]),
        )


def _crc(record: bytes) -> int:
    return zlib.crc32(record[:-4])


def _write(file: BinaryIO, data: bytes) -> None:
    """An unbuffered file may take less than it is given."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _header_size(file: BinaryIO) -> int:
    file.seek(0)
    return file.read(MAX_HEADER_BYTES).find(b"\n") + 1


def _read_header(file: BinaryIO, path: Path) -> dict[str, Any] | None:
    """None for a file that was killed before its first line was whole: it cannot hold a record."""
    file.seek(0)
    line, end, _ = file.read(MAX_HEADER_BYTES).partition(b"\n")
    if not end and len(line) < MAX_HEADER_BYTES:
        return None
    try:
        header = json.loads(line)
        if header["format"] != FORMAT or not isinstance(header["facts"], dict) or not isinstance(header["notes"], dict):
            raise ValueError(header["format"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ResultsError(f"{path}: not a journal of this version of Reeflens ({FORMAT}); run without --resume") from (
            error
        )
    return cast("dict[str, Any]", header)


def _same_facts(folder: Path, earlier: Mapping[str, object], now: Mapping[str, object]) -> None:
    for name in [*now, *(name for name in earlier if name not in now and name not in NO_FACTS)]:
        if earlier.get(name) != now.get(name):
            raise ResultsError(
                f"{folder}: cannot be continued, {name} was {_shown(earlier.get(name))} and is now "
                f"{_shown(now.get(name))}; give the same again, or run without --resume to start anew"
            )


def _shown(value: object) -> str:
    return "not given" if value is None else str(value)


def _lock(file: BinaryIO, path: Path) -> None:
    try:
        lock(file, wait=False)
    except OSError as error:
        raise ResultsError(f"{path.parent}: another run is writing here; wait for it to end") from error
