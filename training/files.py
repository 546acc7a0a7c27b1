"""Writes the files of a run folder whole or not at all, and says in a sentence when that cannot be done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from realtime.errors import ResultsError


def stage_reached(state: Path) -> str | None:
    """The stage in a run's state.json; None where there is none that can be read."""
    try:
        found = json.loads(state.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found.get("stage") if isinstance(found, dict) else None


def write_json(path: Path, value: object) -> None:
    """Raises ResultsError, as all below."""
    write(path, (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode())


def write(path: Path, content: bytes) -> None:
    """Replaces the file, or leaves it as it was."""
    with replacing(path) as beside:
        beside.write_bytes(content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write that takes the place of ``path`` whole, or not at all."""
    beside = path.with_name(f".partial-{path.name}")
    with writing(path):
        yield beside
        beside.replace(path)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the disk says into a ResultsError that names ``path``."""
    try:
        yield
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written ({error.strerror or error})") from error
