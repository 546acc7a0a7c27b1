"""A model gets other constants, says what they say, and is otherwise the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from narrow import BLOCKS, blotches, narrow_contract, narrow_model, write_run
from toy_onnx import write_toy_model

pytest.importorskip("tensorflow")

from export.convert import export
from export.observe import Opened
from export.recalibrate import recalibrate
from realtime.contract import Thresholds
from realtime.engine import Engine, read_contract
from realtime.errors import ExportError
from realtime.unknown import UnknownScore

FRAMES = np.random.default_rng(3).integers(0, 256, (5, 64, 64, 3), np.uint8)


def constants(seed: int, prototypes: int) -> dict[str, object]:
    rows = np.random.default_rng(seed).normal(size=(prototypes, BLOCKS[-1][1]))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return {
        "temperature": 0.5 + seed,
        "thresholds": Thresholds(show=0.3, unknown=0.5),
        "unknown": UnknownScore(rows.astype(np.float32), 0.7 * seed, 3.0, -1.5),
        "metrics": {"unknown_auroc": 0.6},
    }


@pytest.fixture(scope="module", params=["fp32", "fp16", "int8"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    run = write_run(folder / "run", narrow_model(), narrow_contract(), blotches(24))
    export(run, folder / "narrow.onnx", precision=request.param)
    return folder / "narrow.onnx"


def test_the_new_constants_are_in_the_arithmetic_and_in_the_contract_also_the_second_time(
    exported: Path, tmp_path: Path
) -> None:
    with Engine.open(exported, provider="cpu") as engine:
        before = engine.run(FRAMES)
    averages, logits = Opened(exported)(FRAMES)
    source = exported
    for seed in (1, 2):
        given = constants(seed, 7 * seed)
        out = tmp_path / f"{seed}.onnx"
        contract = recalibrate(source, out, **given)
        assert read_contract(out) == contract
        assert (contract.temperature, contract.thresholds) == (given["temperature"], given["thresholds"])
        assert contract.provenance.metrics == {"unknown_auroc": 0.6}
        assert contract.provenance.run_id == read_contract(exported).provenance.run_id
        with Engine.open(out, provider="cpu") as engine:
            after = engine.run(FRAMES)
        scaled = logits / given["temperature"]
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        np.testing.assert_allclose(after.probabilities, powers / powers.sum(axis=1, keepdims=True), atol=1e-5)
        np.testing.assert_allclose(after.unknown, given["unknown"](averages, logits), atol=1e-4)
        np.testing.assert_array_equal(after.cam, before.cam)
        for ours, theirs in zip(Opened(out)(FRAMES), (averages, logits), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        source = out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.onnx", "2.onnx"]


def test_a_graph_with_another_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="expected a hidden layer and logits in float32"):
        recalibrate(write_toy_model(tmp_path / "toy.onnx"), tmp_path / "out.onnx", **constants(1, 4))
