"""Files that a command writes where it was told to."""

from __future__ import annotations

from pathlib import Path

from realtime.errors import ReeflensError


def write_text(path: Path, text: str) -> None:
    """Writes ``text`` with one line feed at its end, making the folder if need be; an earlier file is replaced at once.

    Raises ReeflensError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        special = path.exists() and not path.is_file()  # /dev/stdout, say
        beside = path if special else path.with_name(f".{path.name}.partial")
        beside.write_text(text.rstrip() + "\n", encoding="utf-8")
        if not special:
            beside.replace(path)
    except OSError as error:
        raise ReeflensError(f"{path}: cannot be written ({(error.strerror or str(error)).lower()})") from error
