"""A file under its own name is finished: until then it is called ``<name>.partial``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import av

from realtime.errors import ResultsError

if sys.platform != "win32":
    import fcntl

SUFFIX = ".partial"
WINDOWS = sys.platform == "win32"
TURNS = 1000  # after which a disk is one that cannot tell files apart


class PartialFile:
    """A file being written; ``commit`` gives it its name, leaving without that removes it.

    Who wants to write the same file meanwhile, in this process or another, waits until then; but not on Windows.
    mode: "w" for UTF-8 text with line feeds as they are written, "wb" for bytes, "" when something else writes to
    ``partial_path``. Raises ResultsError for every failure of the disk.
    """

    def __init__(self, path: Path, mode: str) -> None:
        self.path = path
        self.partial_path = path.with_name(path.name + SUFFIX)
        self._file: IO[Any] | None = None
        self._over = False
        if mode:
            with writing(path):
                # newline="" because csv and the subtitle formats choose their own line ends.
                text = "b" not in mode
                self._file = os.fdopen(
                    _in_turn(self.partial_path), mode, encoding="utf-8" if text else None, newline="" if text else None
                )

    def write(self, data: str | bytes) -> int:
        """Adds to the file, through a buffer."""
        if self._file is None:
            raise ValueError("this file is written by path")
        with writing(self.path):
            return self._file.write(data)

    def commit(self) -> None:
        """Closes the file and gives it its name, replacing an earlier one at once; where that fails it is gone."""
        with writing(self.path):
            file = self._file if self._file is not None else self.partial_path.open("rb+")
            with file:
                try:
                    file.flush()
                    os.fsync(file.fileno())  # else a loss of power can leave the name on an empty file
                    if not WINDOWS:  # while it is held: the next one would begin by emptying it
                        self.partial_path.replace(self.path)
                except BaseException:
                    self._leave()
                    raise
                self._over = not WINDOWS
            if WINDOWS:  # where what is open keeps its name
                self.partial_path.replace(self.path)
                self._over = True

    def _leave(self) -> None:
        """Removes what is there of it while it is held: then it may be somebody else's."""
        if not self._over and not WINDOWS:
            self.partial_path.unlink(missing_ok=True)
            self._over = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        try:
            if self._file is not None:
                self._file.close()
        except OSError:  # flushing to a full disk fails again; the first failure is on its way already
            pass
        finally:
            if WINDOWS and not self._over:
                self.partial_path.unlink(missing_ok=True)


def _in_turn(path: Path) -> int:
    """Opens an empty file for writing that nobody else is writing, as a descriptor. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)
    for left in reversed(range(TURNS)):
        descriptor = os.open(path, flags, 0o666)
        try:
            if not WINDOWS:
                with suppress(OSError):  # a disk over the network may know no locks
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
            if WINDOWS or not left or _is_called(descriptor, path):
                os.ftruncate(descriptor, 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # who was before us has given it its name, or given it up
    raise AssertionError("unreachable")


def _is_called(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def write_whole(path: Path, text: str) -> None:
    """Writes a small text file so that a reader sees the old or the new one. Raises ResultsError."""
    with PartialFile(path, "w") as file:
        file.write(text)
        file.commit()


def sync_names(folder: Path) -> None:
    """Brings what things in ``folder`` are called to the disk itself, past a loss of power. Raises OSError."""
    if os.name != "posix":  # elsewhere a folder cannot be opened, and its names are journalled
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the system's errors into one sentence with the path."""
    try:
        yield
    except (OSError, av.error.FFmpegError) as error:
        reason = (error.strerror or str(error) or type(error).__name__).lower()
        raise ResultsError(
            f"{path}: cannot be written ({reason}); what was written is kept, --resume continues"
        ) from error
