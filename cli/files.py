"""Files that a command writes where it was told to."""

from __future__ import annotations

from pathlib import Path

from realtime.errors import ReeflensError


def write_text(path: Path, text: str) -> None:
    """Writes ``text`` with one line feed at its end, making the folder if need be. Raises ReeflensError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.rstrip() + "\n", encoding="utf-8")
    except OSError as error:
        raise ReeflensError(f"{path}: cannot be written ({(error.strerror or str(error)).lower()})") from error
