"""What we call files that people give us: harmless on every disk, and still told apart by their own names."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from dives.library import clean_title

SUFFIXES = frozenset(
    (
        *("mp4", "mov", "m4v", "mkv", "avi", "webm", "mpg", "mpeg", "mts", "m2ts", "ts", "3gp", "wmv", "asf", "flv"),
        *("insv", "lrv", "mxf", "dv", "ogv", "h264", "h265", "hevc", "mjpeg", "gif"),
    )
)
LOG_SUFFIXES = frozenset(("xml", "ssrf", "uddf", "csv"))
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)  # names that Windows keeps for itself


def video_name(name: str) -> str:
    """Our name for an original: what is harmless of the user's name, so that tables made from it are told apart."""
    last = PurePosixPath(name.replace("\\", "/")).name
    stem, _, suffix = last.rpartition(".") if "." in last else (last, "", "")
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:60].strip("-")
    if not safe or _DEVICES.fullmatch(safe):
        safe = "video"
    return f"{safe}.{suffix.lower() if suffix.lower() in SUFFIXES else 'video'}"


def title_of(name: str) -> str:
    """What a dive is called at first, by the name of its file."""
    name = PurePosixPath(name.replace("\\", "/")).name
    stem = name.rpartition(".")[0] or name
    return clean_title(stem.replace("_", " ")) or "Dive"


def log_name(name: str) -> str:
    """Our name for a dive log, as of a video."""
    suffix = name.rpartition(".")[2].lower()
    return f"{video_name(name).rpartition('.')[0]}.{suffix if suffix in LOG_SUFFIXES else 'log'}"
