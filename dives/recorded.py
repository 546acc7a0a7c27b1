"""The recording that a folder of results was made of: what it is known by, and where it lies now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dives.fingerprint import fingerprint
from realtime.errors import SourceError

IN_LIBRARY = "original"  # of a dive in a library, beside its results (dives/library.py)


@dataclass(frozen=True, slots=True)
class RecordedPart:
    """One video of a dive, as run.json tells of it.

    path: where it was. fingerprint: by which a copy of any name is known. offset_s: media time of the dive at its 0.
    """

    name: str
    path: Path
    fingerprint: str
    offset_s: float = 0.0


def parts_of(run: Mapping[str, Any] | None) -> tuple[RecordedPart, ...]:
    """The videos of a dive in order, but for those that could not be read; none of pictures and live sources."""
    source = (run or {}).get("source", {})
    if source.get("kind") != "video" or "fingerprint" not in source:
        return ()
    parts = source.get("chapters") or [source]
    prints = source["fingerprint"].split(" + ")
    return tuple(
        RecordedPart(part["name"], Path(part["path"]), known, part.get("offset_s", 0.0))
        for part, known in zip(parts, prints, strict=True)
        if not part.get("problem")
    )


def find_recording(results: Path, part: RecordedPart) -> Path | None:
    """Where a part is, if it is still the same: where it was, with its results or beside them, or in their library.

    What it is called does not matter in a library, where people's names for files are not kept.
    """
    library = results.parent / IN_LIBRARY
    kept = sorted(library.iterdir()) if library.is_dir() else []
    for place in (part.path, results / part.name, results.parent / part.name, *kept):
        try:
            if place.is_file() and fingerprint(place) == part.fingerprint:
                return place
        except SourceError:
            continue
    return None
