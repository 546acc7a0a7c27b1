"""All results of a dive as one zip, made while it is sent: neither memory nor disk ever holds the whole."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

PIECE_BYTES = 1 << 18
SHRINKING = frozenset({".csv", ".html", ".json", ".jsonl", ".npy", ".srt", ".vtt"})  # the others are small already
LEVEL = 1  # a fifth of the time of the usual 6, for a fifth more bytes of a table
LONG_BYTES = 1 << 31  # beyond it the length of a file takes more room than a plain zip has
EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip can date


def zipped(files: Mapping[str, Path], folder: str) -> Iterator[bytes]:
    """Yields a zip of ``files``, by their names below ``folder``; one that is gone meanwhile is left out.

    Raises OSError when one breaks off; the zip then has no end, and whoever unpacks it is told.
    """
    outbox = _Outbox()
    with zipfile.ZipFile(outbox, "w", compresslevel=LEVEL) as archive:
        for name, path in files.items():
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue
            with file:
                facts = path.stat()
                moment = time.localtime(facts.st_mtime)
                entry = zipfile.ZipInfo(f"{folder}/{name}", max(moment[:6], EARLIEST))
                if path.suffix in SHRINKING:
                    entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                with archive.open(entry, "w", force_zip64=facts.st_size >= LONG_BYTES) as to:
                    while piece := file.read(PIECE_BYTES):
                        to.write(piece)
                        yield outbox.take()
    yield outbox.take()


class _Outbox:
    """What a zip is written to piece by piece. It cannot go back, so lengths follow what they are of."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """There is nothing behind it."""

    def close(self) -> None:
        """There is nothing to close."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
