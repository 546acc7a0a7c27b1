"""The results of a dive, read back: as bytes to compare one run with another, a table, or the record of the run."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

TABLES = {
    *("frames.csv", "frames.parquet", "sightings.csv", "dive.vtt", "dive.srt", "cams.npy", "viame.csv", "coco.json"),
    "report.html",
}


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


def lines(folder: Path, name: str = "frames.csv") -> list[dict[str, str]]:
    """The rows of a table."""
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def record(folder: Path) -> dict[str, Any]:
    """What run.json says."""
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))
