"""Tells whether a recording is still the one that was begun, without reading 60 GB of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from realtime.decode import EXTENSIONS
from realtime.errors import SourceError

END_BYTES = 1 << 20  # the head carries a container's description, the tail its index or last frames


def fingerprint(source: Path) -> str:
    """Of a video: its size and the SHA-256 of its first and last megabyte; of a folder: its pictures' names and sizes.

    Neither path nor date count, so that a card may be copied in between. Raises SourceError.
    """
    digest = hashlib.sha256()
    try:
        if source.is_dir():
            # As PictureFolder chooses: a hidden file that a camera or a desktop leaves there changes nothing.
            pictures = sorted(
                entry
                for entry in source.iterdir()
                if entry.suffix.lower() in EXTENSIONS and not entry.name.startswith(".")
            )
            size = 0
            for picture in pictures:
                picture_bytes = picture.stat().st_size
                digest.update(f"{picture.name}\0{picture_bytes}\0".encode())
                size += picture_bytes
        else:
            size = source.stat().st_size
            with source.open("rb") as file:
                digest.update(file.read(END_BYTES))
                file.seek(max(0, size - END_BYTES))
                digest.update(file.read(END_BYTES))
    except OSError as error:
        raise SourceError(str(source), (error.strerror or str(error)).lower()) from error
    return f"{size} bytes, sha256 {digest.hexdigest()}"


def fingerprint_of_all(chapters: Sequence[Path]) -> str:
    """Of a dive in one file or several. A chapter that is not there is a gap; once it is back, the dive is another.

    Raises SourceError when the only one is not there.
    """
    if len(chapters) == 1:
        return fingerprint(chapters[0])
    parts = []
    for chapter in chapters:
        try:
            parts.append(fingerprint(chapter))
        except SourceError as error:
            parts.append(error.reason)
    return " + ".join(parts)
