"""The beginning of bench/soak.py, of which `make soak` is an hour: nothing lost, nothing unexpected, nothing left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from rtsp_server import need_gstreamer

SOAK = Path(__file__).parents[1] / "bench" / "soak.py"
# Of its table, what holds on a machine of any speed.
PROMISES = {
    "acknowledged and not on the disk",
    "unexpected",
    "tracebacks in the log",
    "dives that were not classified",
    "descriptors, quiet",
    "children, at most and after",
    "memory, quiet: before and after",
}
# What went wrong by then: the camera is pulled out every 20 s, and one who never reads stays for 30.
SECONDS = 42
WENT_WRONG = {"cameras lost", "dives", "insults", "never read", "turned away", "uploads broken off", "visits"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_everything_that_goes_wrong_loses_nothing(tmp_path: Path) -> None:
    need_gstreamer()
    table = tmp_path / "soak.json"
    done = subprocess.run(
        [sys.executable, SOAK, "--minutes", str(SECONDS / 60), "--json", table],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert table.exists(), done.stderr
    lines = {line["promise"]: line for line in json.loads(table.read_text())}
    broken = [lines[promise] for promise in sorted(PROMISES) if not lines[promise]["holds"]]
    assert broken == [], done.stdout + table.with_suffix(".log").read_text()
    counts = dict(part.rsplit(" ", 1) for part in lines["refused, closed"]["figure"].split(", "))
    assert counts.keys() >= WENT_WRONG
    if lines["disk full for a while"]["figure"] != "needs root":
        assert lines["disk full for a while"]["figure"] != "not filled"
