"""The figures that decide whether a file is written: right where it counts, and not to be fooled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from narrow import blotches, narrow_contract, narrow_model, narrow_unknown

pytest.importorskip("tensorflow")

from export.graph import deployed, take_apart
from export.onnx_file import convert, save
from export.oracle import Oracle
from export.parity import KerasParity, LossyParity, compare_with_fp32, compare_with_keras
from export.report import refuse_drift, refuse_loss
from realtime.engine import Engine
from realtime.errors import ExportError


@pytest.fixture(scope="module")
def model() -> Any:
    return narrow_model()


@pytest.fixture(scope="module")
def function(model: Any) -> Any:
    return deployed(take_apart(model, narrow_contract()), narrow_contract(), narrow_unknown())


@pytest.fixture(scope="module")
def engine(function: Any, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path = tmp_path_factory.mktemp("parity") / "m.onnx"
    save(convert(function), narrow_contract(), path)
    return Engine.open(path, provider="cpu")


def test_an_honest_export_is_within_the_bars(engine: Engine, function: Any, model: Any) -> None:
    parity = compare_with_keras(engine, function, Oracle(model, narrow_contract(), narrow_unknown()), blotches(11))
    assert parity.pictures == 11
    assert 0 <= parity.probability < 1e-5
    assert 0 < parity.unknown < 1e-5
    assert max(parity.cam, parity.cam_tape) < 1e-5
    refuse_drift(parity)


def test_weights_that_changed_by_a_thousandth_are_refused(engine: Engine, function: Any) -> None:
    changed = narrow_model()
    kernel = changed.get_layer("block3_conv1").kernel
    kernel.assign(kernel.numpy() * 1.001)
    parity = compare_with_keras(engine, function, Oracle(changed, narrow_contract(), narrow_unknown()), blotches(4))
    assert parity.cam_tape > 1e-5
    with pytest.raises(ExportError, match="differs from the trained model"):
        refuse_drift(parity)


def test_a_map_at_the_corner_of_a_relu_is_left_out_and_counted(engine: Engine, function: Any) -> None:
    edge = narrow_model()
    hidden = edge.get_layer("hidden")
    kernel, bias = hidden.kernel.numpy(), hidden.bias.numpy()
    kernel[:, 0], bias[0] = 0.0, 1e-7
    hidden.set_weights([kernel, bias])
    parity = compare_with_keras(engine, function, Oracle(edge, narrow_contract(), narrow_unknown()), blotches(3))
    assert parity.kinks == 3
    assert parity.cam_tape == 0
    with pytest.raises(ExportError, match="3 maps left out"):
        refuse_drift(KerasParity(3, 0.0, 0.0, 0.0, 0.0, kinks=3))


def test_a_figure_that_is_no_number_is_refused() -> None:
    with pytest.raises(ExportError, match="nan"):
        refuse_drift(KerasParity(8, 0.0, float("nan"), 0.0, 0.0, 0))
    with pytest.raises(ExportError, match="int8 loses too much"):
        refuse_loss("int8", "run", LossyParity(8, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, float("nan")))


def test_a_model_is_like_itself(engine: Engine) -> None:
    same = LossyParity(9, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, pytest.approx(1.0))
    assert compare_with_fp32(engine, engine, blotches(9)) == same


def test_another_unknown_score_is_refused(engine: Engine, function: Any, model: Any) -> None:
    unlike = replace(narrow_unknown(), distance_weight=6.01)
    parity = compare_with_keras(engine, function, Oracle(model, narrow_contract(), unlike), blotches(4))
    assert parity.unknown > 1e-4 > parity.probability
    with pytest.raises(ExportError, match=r"unknown score within [1-9]\.\de-0[1-4]"):
        refuse_drift(parity)
    with pytest.raises(ExportError, match=r"80\.0% alike refused.*expected at least 90%, 90% and 0\.90"):
        refuse_loss("int8", "run", LossyParity(10, 1.0, 0.0, 0.0, 0.8, 0.1, 0.5, 1.0))


def test_another_model_is_not_like_it(engine: Engine, tmp_path: Path) -> None:
    from toy_onnx import write_toy_model

    path = write_toy_model(tmp_path / "toy.onnx", narrow_contract().labels, 64)
    with Engine.open(path, provider="cpu") as other:
        parity = compare_with_fp32(other, engine, blotches(16))
    assert parity.label_agreement < 0.9
    assert parity.cam_correlation < 0.9
    with pytest.raises(ExportError, match=r"same labels.*expected at least 90%"):
        refuse_loss("int8", "run", parity)


def test_accuracy_is_that_of_the_pictures_whose_class_is_known(engine: Engine) -> None:
    frames = blotches(11)
    chosen = engine.run(frames).probabilities.argmax(axis=1)
    classes = chosen.copy()
    classes[:3], classes[3] = -1, (chosen[3] + 1) % 3
    parity = compare_with_fp32(engine, engine, frames, classes)
    assert (parity.labelled, parity.accuracy, parity.fp32_accuracy) == (8, 7 / 8, 7 / 8)


def test_more_than_a_point_of_accuracy_is_too_much() -> None:
    good = LossyParity(1000, 0.95, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, labelled=1000, accuracy=0.505, fp32_accuracy=0.51)
    refuse_loss("int8", "held-out", good)
    refuse_loss("int8", "held-out", replace(good, accuracy=0.7))
    refuse_loss("int8", "run", replace(good, labelled=0, accuracy=0.0))
    with pytest.raises(ExportError, match=r"costs 1\.1 points of accuracy on 1000 labelled"):
        refuse_loss("int8", "held-out", replace(good, accuracy=0.499))
