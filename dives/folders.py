"""Where the results of each dive go when several are processed at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def dive_folders(sources: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """Pairs every source with its folder below ``out``: the name of the file without its suffix.

    A second source of the same name gets ``name-2``, the next ``name-3``, in the order given, so that the same command
    finds the same folders again; names that differ only in case count as the same, as on most divers' disks. A
    source given twice is listed once. A folder of pictures keeps its whole name, and never receives its own results.
    """
    pairs: list[tuple[Path, Path]] = []
    seen: set[Path] = set()
    resolved_sources = {source.resolve() for source in sources}
    taken: set[str] = set()
    for source in sources:
        resolved = source.resolve()
        if resolved in seen:
            continue
        seen.add(resolved)
        stem = (resolved.name if resolved.is_dir() else resolved.stem) or "dive"
        name, number = stem, 1
        while name.casefold() in taken or (out / name).resolve() in resolved_sources:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        pairs.append((source, out / name))
    return pairs
