"""The results of a dive as bytes, to compare one run with another."""

from __future__ import annotations

import re
from pathlib import Path


def results(folder: Path) -> dict[str, bytes]:
    """The bytes of every result, but for run.json, and the times of the run in the report."""
    found = {
        entry.relative_to(folder).as_posix(): entry.read_bytes()
        for entry in folder.rglob("*")
        if entry.is_file() and entry.name != "run.json"
    }
    if "report.html" in found:
        found["report.html"] = re.sub(rb'(<dd class="run">).*?(</dd>)', rb"\1\2", found["report.html"])
    return found
