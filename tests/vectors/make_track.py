"""Writes track.json: the bytes of a result track, and the rows they hold, for the page's tests.

python tests/vectors/make_track.py
"""

from __future__ import annotations

import base64
import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from dives.track import DATA, write_track  # noqa: E402

OUT = Path(__file__).with_name("track.json")
LABELS = ["Fish", "Octopus", "Turtle"]
TIMES = [0.0, 0.033367, 0.066733, 0.5, 0.533367, 0.6, 0.7]  # a variable rate


def make() -> dict[str, Any]:
    """The vectors. Two chunks of different length, "nothing I know", three labels where there is room for five."""
    rng = np.random.default_rng(3)
    cams = rng.integers(0, 256, (len(TIMES), 2, 2), np.uint8)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        np.save(folder / "cams.npy", cams)
        with (folder / "frames.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            best = [column for k in (1, 2, 3) for column in (f"label_{k}", f"probability_{k}")]
            table.writerow(["frame", "media_s", *best, "unknown", "stable_label", "stable_probability"])
            for k, (media_s, cam) in enumerate(zip(TIMES, cams, strict=True)):
                top = [(k + i) % 3 for i in range(3)]
                shares = [0.6, 0.3, 0.1]
                stable = None if k == 2 else top[0]
                named = [value for i, share in zip(top, shares, strict=True) for value in (LABELS[i], share)]
                unknown = round(k / 10, 3)
                table.writerow([k, media_s, *named, unknown, "" if stable is None else LABELS[stable], 0.55])
                rows.append(
                    {"media_s": media_s, "stable": stable, "top": top, "shares": shares, "unknown": unknown}
                    | {"cam": cam.reshape(-1).tolist()}
                )
        write_track(folder, folder, LABELS, chunk_rows=4)
        index = json.loads((folder / "track.json").read_text())
        return {"index": index, "data": base64.b64encode((folder / DATA).read_bytes()).decode(), "rows": rows}


def text() -> str:
    """The file's content."""
    return json.dumps(make(), indent=1) + "\n"


if __name__ == "__main__":
    OUT.write_text(text(), encoding="utf-8")
