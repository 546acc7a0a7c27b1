"""`reeflens bench` on a toy model: every row is there, or says what is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from toy_onnx import write_toy_model

REPO = Path(__file__).parents[2]
# The command with a scene of a tenth of its length: it is processed four times.
SHORT = "from cli import bench, main; bench.SCENE_FRAMES = 60; main()"


@pytest.mark.slow
def test_bench_tells_ratios_stages_and_what_is_not_installed(tmp_path):
    pytest.importorskip("matplotlib")
    model = write_toy_model(tmp_path / "toy.onnx")
    done = subprocess.run(
        [sys.executable, "-c", SHORT, "bench", "--model", model, "--seconds", "0.05", "--json", "--figure", "b.png"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    names = [row["way"] for row in report["rows"]]
    assert names[:4] == ["toy, 1 at a time", "toy, 4 at a time", "toy, 8 at a time", "toy, label only"]
    assert {"toy in OpenVINO", "Keras predict, then GradientTape", "pytorch-grad-cam"} <= set(names)
    assert report["rows"][0]["ours_is_times_faster"] == 1.0
    assert all(row.get("problem") or row["frames_per_s"] > 0 for row in report["rows"])
    assert set(report["stages_ms"]) == {"decode", "scale", "infer", "smooth", "draw", "encode"}
    assert report["process"]["frames"] == 60
    assert report["process"]["of_the_engine_at_its_best"] > 0
    assert len(report["cold_start_s"]) == 3
    assert (tmp_path / "b.png").stat().st_size > 1000
