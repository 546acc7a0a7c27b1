"""Figures written into a model file, and nothing else changed."""

import numpy as np
import pytest
from toy_onnx import write_toy_model

from export.record import record_metrics
from realtime.engine import Engine, read_contract
from realtime.errors import ContractError


def test_the_figures_are_in_the_file_and_the_arithmetic_is_untouched(tmp_path):
    path = write_toy_model(tmp_path / "toy.onnx")
    frames = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    with Engine.open(path, provider="cpu") as engine:
        before, sha256 = engine.run(frames).probabilities, engine.sha256
    returned = record_metrics(path, {"accuracy": 0.5, "macro_f1": 0.4})
    assert read_contract(path) == returned
    assert returned.provenance.metrics == {"accuracy": 0.5, "macro_f1": 0.4}
    assert returned.provenance.run_id == "toy"
    with Engine.open(path, provider="cpu") as engine:
        assert np.array_equal(engine.run(frames).probabilities, before)
        assert engine.sha256 != sha256
    assert [entry.name for entry in tmp_path.iterdir()] == ["toy.onnx"]


def test_a_file_that_is_not_ours_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(ContractError):
        record_metrics(path, {})
    assert path.read_bytes() == b"not a model"
