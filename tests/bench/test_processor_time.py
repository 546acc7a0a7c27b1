"""`bench/processor_time.py`: every part of a dive takes some time, and the parts are all there is."""

import json
import os
import subprocess
import sys
from pathlib import Path

from clips import write_clip

REPO = Path(__file__).parents[2]


def test_each_part_of_processing_a_clip_gets_its_time(tmp_path, toy_model):
    clip = write_clip(tmp_path / "dive.mp4", frames=60)
    done = subprocess.run(
        [sys.executable, REPO / "bench" / "processor_time.py", clip, "--model", toy_model, "--times", "1", "--json"],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    parts = json.loads(done.stdout)
    assert set(parts) == {"model", "decoding", "scaling", "writing on the way", "after the last frame"}
    assert min(parts.values()) > 0.0
