"""CSV files that only grow: a line is in them whole or not at all, whenever the process is killed or the disk fills."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from dives.partial import sync_names

MAX_LINE_BYTES = 1 << 16  # far beyond any line of ours; how far back a torn one is looked for


class AppendedCsv:
    """A table open for appending, each line one unbuffered write; a context manager. Every method may raise OSError."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.path = path
        self.size = size
        self._file = file

    @classmethod
    def open(cls, path: Path, columns: Sequence[str]) -> Self | None:
        """Opens the table at ``path``, or begins it; None when there is one with other columns.

        A last line that breaks off, as a full disk leaves it, is cut off.
        """
        file = cast(BinaryIO, path.open("a+b", buffering=0))
        try:
            header = _line(columns)
            file.seek(0)
            begun = file.read(len(header))
            if header.startswith(begun) and begun != header:  # empty, or killed within its first line
                file.truncate(0)
                file.write(header)
                sync_names(path.parent)
            elif begun != header:
                file.close()
                return None
            return cls(path, file, _cut_torn_line(file))
        except BaseException:
            file.close()
            raise

    def append(self, fields: Sequence[str], *, sync: bool = False) -> None:
        """Adds a line, or leaves the table as it was. sync: past a loss of power, too."""
        line = _line(fields)
        try:
            rest = memoryview(line)
            while rest:  # a disk that takes a part says with the next why not all
                rest = rest[self._file.write(rest) :]
            if sync:
                os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(self.size)  # a disk that is full still lets a file shrink; it will be tried again
            raise
        self.size += len(line)

    @property
    def gone(self) -> bool:
        """Whether the file was removed or replaced: writing to it would go on without an error, and nowhere."""
        try:
            there = self.path.stat()
        except OSError:
            return True
        ours = os.fstat(self._file.fileno())
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)

    def close(self) -> None:
        """Closes the file; safe to call twice."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_numbered(folder: Path, stem: str, columns: Sequence[str], *, max_bytes: int | None = None) -> AppendedCsv:
    """The first of ``stem.csv``, ``stem-2.csv`` … that has these columns and room left, begun when there is none.

    max_bytes: a table of this size or more is full. Raises OSError.
    """
    number = 1
    while True:
        table = AppendedCsv.open(folder / (f"{stem}.csv" if number == 1 else f"{stem}-{number}.csv"), columns)
        if table is not None and (max_bytes is None or table.size < max_bytes):
            return table
        if table is not None:
            table.close()
        number += 1


def _line(fields: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue().encode()


def _cut_torn_line(file: BinaryIO) -> int:
    """Cuts off what follows the last line end; the size that is left."""
    size = file.seek(0, os.SEEK_END)
    back = min(size, MAX_LINE_BYTES)
    file.seek(size - back)
    whole = size - back + file.read(back).rfind(b"\n") + 1
    if whole < size:
        file.truncate(whole)
    return whole
