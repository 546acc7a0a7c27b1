"""`bench/parity.py` with files: one model compared with another file of it on every picture of a tree."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from toy_onnx import toy_contract, write_toy_model

pytest.importorskip("onnx")

REPO = Path(__file__).parents[2]


def test_files_of_a_model_are_compared_on_every_picture_and_by_class(tmp_path):
    contract = toy_contract()
    truth = write_toy_model(tmp_path / "toy-fp32.onnx", contract=contract)
    other = write_toy_model(tmp_path / "toy-int8.onnx", contract=toy_contract(precision="int8"))
    rng = np.random.default_rng(0)
    for label in contract.labels:
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(3):
            picture = rng.integers(0, 256, (40, 60, 3), np.uint8)
            cv2.imwrite(str(tmp_path / "data" / label / f"{number}.png"), picture)
    done = subprocess.run(
        [sys.executable, str(REPO / "bench" / "parity.py"), truth, tmp_path / "data", "--file", other, "--json"],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout).values()
    assert found["pictures"] == found["labelled"] == 3 * len(contract.labels)
    assert found["label_agreement"] == 1.0
    assert found["accuracy"] == found["fp32_accuracy"]
