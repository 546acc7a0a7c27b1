"""What the user named on the command line, as the recordings that are meant: files, folders of videos, patterns."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from dives import run_record
from realtime.decode import EXTENSIONS as PICTURE_EXTENSIONS
from realtime.sources import natural_order

# What cameras and editors write. Not .lrv and .thm: a GoPro's previews of the files beside them.
VIDEO_EXTENSIONS = frozenset(
    {
        *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mts", ".m2ts", ".ts"),
        *(".mpg", ".mpeg", ".wmv", ".mxf", ".360", ".insv", ".3gp", ".ogv"),
    }
)


def find_recordings(given: Sequence[Path]) -> list[Path]:
    """The recordings meant by ``given``, in that order, each once.

    A file stands for itself, whatever its ending. A folder that holds videos stands for these, in natural order (dive2
    before dive10), and otherwise for itself, as pictures. A pattern (``*``, ``?``, ``[…]``, ``**`` for folders in
    folders), which not every shell replaces, stands for the videos, folders of videos and folders of
    pictures that it matches, or for whatever else it matches when there is none of these. Hidden files and the
    results of earlier runs are passed over. What does not exist is kept as it is, so that whoever opens it can say so.
    """
    found: dict[Path, Path] = {}
    for path in given:
        for recording in _matches(path) if not path.exists() and glob.has_magic(str(path)) else _meant(path):
            found.setdefault(recording.resolve(), recording)
    return list(found.values())


def _matches(pattern: Path) -> Iterator[Path]:
    # Path.glob takes no absolute pattern.
    everything = [Path(match) for match in sorted(glob.glob(str(pattern), recursive=True), key=natural_order)]  # noqa: PTH207
    recordings = [match for match in everything if _is_recording(match)]
    for match in recordings or everything or [pattern]:
        yield from _meant(match)


def _meant(path: Path) -> list[Path]:
    videos = _entries(path, VIDEO_EXTENSIONS) if path.is_dir() else []
    return videos or [path]


def _is_recording(path: Path) -> bool:
    if path.is_dir():
        return not _is_result(path / "any") and bool(_entries(path, VIDEO_EXTENSIONS | PICTURE_EXTENSIONS))
    return path.suffix.lower() in VIDEO_EXTENSIONS and not _is_result(path)


def _entries(folder: Path, endings: frozenset[str]) -> list[Path]:
    try:
        entries = [
            entry
            for entry in folder.iterdir()
            if entry.suffix.lower() in endings
            and not entry.name.startswith(".")
            and entry.is_file()
            and not _is_result(entry)
        ]
    except OSError:
        return []  # whoever opens the folder says why
    return sorted(entries, key=lambda entry: natural_order(entry.name))


def _is_result(path: Path) -> bool:
    return (path.parent / run_record.NAME).exists()
