"""A minute of bench/soak.py, of which `make soak` is an hour: nothing is lost, nothing unexpected, nothing left."""

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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_minute_of_everything_that_goes_wrong_loses_nothing(tmp_path: Path) -> None:
    need_gstreamer()
    table = tmp_path / "soak.json"
    done = subprocess.run(
        [sys.executable, SOAK, "--minutes", "1", "--json", table],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert table.exists(), done.stderr
    lines = {line["promise"]: line for line in json.loads(table.read_text())}
    broken = [lines[promise] for promise in sorted(PROMISES) if not lines[promise]["holds"]]
    assert broken == [], done.stdout + table.with_suffix(".log").read_text()
