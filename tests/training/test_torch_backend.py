"""Training on PyTorch is the training that TensorFlow does, and its runs are exported like any other."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from export.convert import export
from realtime.contract import ModelContract
from training.options import begun_options

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"),
]


def under(backend: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KERAS_BACKEND": backend}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=False)


def test_from_the_same_weights_both_backends_learn_the_same(tmp_path: Path) -> None:
    found = {}
    for backend in ("tensorflow", "torch"):
        (tmp_path / backend).mkdir()
        done = under(backend, str(Path(__file__).with_name("neutral.py")), str(tmp_path / backend))
        assert done.returncode == 0, done.stderr[-2000:]
        found[backend] = json.loads(done.stdout)
        assert found[backend]["backend"] == backend
    ours, theirs = found["torch"], found["tensorflow"]
    assert np.ptp(theirs["logits"], axis=0).max() > 0.01, "a network that tells pictures apart"
    assert [(row["stage"], row["epoch"]) for row in ours["history"]] == [
        (row["stage"], row["epoch"]) for row in theirs["history"]
    ]
    for name in ("loss", "val_loss", "learning_rate"):
        values = [[row[name] for row in side["history"]] for side in (ours, theirs)]
        np.testing.assert_allclose(*values, rtol=1e-3, err_msg=name)
    np.testing.assert_allclose(ours["logits"], theirs["logits"], atol=0.01 * np.abs(theirs["logits"]).max())


def test_a_run_of_torch_goes_on_is_complete_and_is_exported(toy_photographs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = "--weights none --image-size 32 --head-epochs 2 --epochs 2 --unfreeze block4 --batch-size 8 --limit 8"
    train = ["-m", "cli", "train", "--out", str(run)]
    done = under(
        "torch", *train, str(toy_photographs), *options.split(), "--views", "2", "--mixed-precision", "--seed", "1"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert begun_options(run) is not None
    assert json.loads((run / "config.json").read_text())["backend"] == "torch"
    again = under("torch", *train, "--resume")
    assert "is finished; nothing is left to do" in again.stderr
    report = export(run, tmp_path / "model.onnx")  # here, under tensorflow; it compares with the trained model
    assert report.precision == "fp32"
    assert ModelContract.from_json((run / "contract.json").read_text()).input_size == 32
