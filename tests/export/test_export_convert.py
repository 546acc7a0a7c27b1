"""From a run folder to a file that opens, or to an error and no file."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from narrow import blotches, narrow_contract, narrow_model, narrow_unknown, write_run

pytest.importorskip("tensorflow")

from export import convert as convert_module
from export.convert import export, measure_cam_scale
from export.graph import deployed, take_apart
from export.parity import LossyParity
from export.report import ExportReport
from realtime.contract import ModelContract
from realtime.engine import Engine
from realtime.errors import ContractError, ExportError, SettingsError


@pytest.fixture(scope="module")
def narrow_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "narrow", narrow_model(), narrow_contract(), blotches(24))


@pytest.fixture(scope="module")
def trained(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    """The real VGG16, trained at 32 px, as fp32; the folder to write to does not exist before."""
    return export(toy_run, tmp_path_factory.mktemp("exports") / "new" / "toy.onnx")


def test_a_trained_run_becomes_a_model_that_the_engine_opens(trained: ExportReport, toy_run: Path) -> None:
    frames = np.load(toy_run / "calibration.npz")["frames"][:3]
    with Engine.open(trained.model, provider="cpu") as engine:
        prediction = engine.run(frames)
    assert prediction.probabilities.shape == (3, 3)
    assert prediction.cam.shape == (3, 2, 2)
    assert trained.size_bytes == trained.model.stat().st_size
    assert [path.name for path in trained.model.parent.iterdir()] == ["toy.onnx"]


def test_the_contract_of_the_run_travels_completed(trained: ExportReport, toy_run: Path) -> None:
    before = ModelContract.from_json((toy_run / "contract.json").read_text(encoding="utf-8"))
    with Engine.open(trained.model, provider="cpu") as engine:
        after = engine.contract
    packages = dict(after.provenance.packages)
    assert packages.items() >= dict(before.provenance.packages).items()
    assert {"tf2onnx", "onnx"} <= packages.keys()
    assert after.cam_scale == trained.cam_scale != 1.0
    provenance = replace(before.provenance, packages=packages)
    assert after == replace(before, cam_scale=after.cam_scale, precision="fp32", provenance=provenance)


def test_the_report_is_saved_beside_the_run_with_its_figures(trained: ExportReport, toy_run: Path) -> None:
    saved = json.loads((toy_run / "export-fp32.json").read_text(encoding="utf-8"))
    assert saved == json.loads(trained.to_json())
    assert saved["model"] == str(trained.model)
    assert saved["keras"]["probability"] < 1e-5
    assert max(saved["keras"]["cam"], saved["keras"]["cam_tape"]) < 1e-5
    assert "fp32" in trained.to_text()


@pytest.mark.parametrize(("precision", "share"), [("fp16", 0.7), ("int8", 0.6)])
def test_fewer_bits_make_a_smaller_file_that_agrees(
    narrow_run: Path, tmp_path: Path, precision: Any, share: float
) -> None:
    for i, frame in enumerate(blotches(5, seed=9)):
        cv2.imwrite(str(tmp_path / f"{i}.png"), frame)
    said: list[str] = []
    out = tmp_path / "m.onnx"
    report = export(narrow_run, out, precision=precision, held_out=tmp_path, progress=said.append)
    with Engine.open(out, provider="cpu") as engine:
        assert engine.contract.precision == precision
        assert engine.contract.cam_scale == report.cam_scale
        recorded = engine.contract.provenance.metrics
    assert recorded["fp32_pictures"] == 5
    assert recorded["fp32_same_label"] == report.lossy["held-out"].label_agreement
    assert recorded["fp32_map_correlation"] == report.lossy["held-out"].cam_correlation
    assert {name: parity.pictures for name, parity in report.lossy.items()} == {"run": 24, "held-out": 5}
    assert report.lossy["run"].label_agreement >= 0.9
    assert report.lossy["run"].cam_correlation >= 0.9
    assert (narrow_run / f"export-{precision}.json").is_file()
    assert any("held-out" in line for line in said)


def test_a_trained_run_survives_int8(toy_run: Path, tmp_path: Path) -> None:
    report = export(toy_run, tmp_path / "m.onnx", precision="int8")
    assert report.size_bytes < 16e6


def test_ranges_from_pictures_that_show_nothing_ruin_int8_and_are_refused(narrow_run: Path, tmp_path: Path) -> None:
    grey = tmp_path / "grey"
    grey.mkdir()
    cv2.imwrite(str(grey / "0.png"), np.full((64, 64, 3), 113, np.uint8))  # the mean that the network subtracts
    with pytest.raises(ExportError, match=r"int8 loses too much.*% same labels"):
        export(narrow_run, tmp_path / "out" / "m.onnx", precision="int8", calibration=grey)
    assert not list((tmp_path / "out").iterdir())


def test_the_next_way_is_taken_when_int8_costs_accuracy_and_what_was_refused_is_told(
    narrow_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pictures lie in folders named after classes; the bar is moved so that only the third way passes it."""
    for number in range(3):
        (tmp_path / "tree" / f"class_{number}").mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "tree" / f"class_{number}" / "0.png"), blotches(1, seed=number)[0])
    asked: list[int] = []

    def third(precision: str, name: str, parity: LossyParity) -> None:
        asked.append(parity.labelled)
        if name == "held-out" and asked.count(3) < 3:
            raise ExportError(f"costs {asked.count(3)} points")

    monkeypatch.setattr(convert_module, "refuse_loss", third)
    report = export(narrow_run, tmp_path / "m.onnx", precision="int8", held_out=tmp_path / "tree")
    assert asked == [0, 3] * 3
    assert report.recipe == "entropy ranges"
    assert report.refused == {"full ranges": "costs 1 points", "percentile ranges": "costs 2 points"}
    assert "refused: full ranges" in report.to_text()
    assert report.lossy["held-out"].labelled == 3


def test_a_contradictory_run_leaves_an_earlier_file_as_it_was(narrow_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(narrow_run, tmp_path / "run"))
    (run / "contract.json").write_text(narrow_contract(classes=4).to_json(), encoding="utf-8")
    out = tmp_path / "out" / "m.onnx"
    out.parent.mkdir()
    out.write_bytes(b"an earlier export")
    with pytest.raises(ContractError, match=r"labels: 4 in contract\.json"):
        export(run, out)
    assert [(path.name, path.read_bytes()) for path in out.parent.iterdir()] == [("m.onnx", b"an earlier export")]
    assert not (run / "export-fp32.json").exists()


def test_a_diverged_model_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    model = narrow_model()
    model.get_layer("block2_conv1").bias.assign(np.full(12, np.nan))
    run = write_run(tmp_path / "run", model, narrow_contract(), blotches(3))
    with pytest.raises(ExportError, match="not finite"):
        export(run, tmp_path / "m.onnx")
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


def test_activations_too_large_for_half_precision_are_refused(tmp_path: Path) -> None:
    model = narrow_model()
    first, last = model.get_layer("block1_conv1").kernel, model.get_layer("hidden").kernel
    first.assign(first.numpy() * 1e5)
    last.assign(last.numpy() * 1e-5)
    run = write_run(tmp_path / "run", model, narrow_contract(), blotches(3))
    export(run, tmp_path / "m.onnx")
    with pytest.raises(ExportError, match="fp16 would overflow"):
        export(run, tmp_path / "m16.onnx", precision="fp16")
    assert not (tmp_path / "m16.onnx").exists()


def test_options_that_do_not_go_together_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="int8 only"):
        export(tmp_path, tmp_path / "m.onnx", calibration=tmp_path)
    with pytest.raises(SettingsError, match="fp32, fp16, int8"):
        export(tmp_path, tmp_path / "m.onnx", precision="int4")  # type: ignore[arg-type]
    with pytest.raises(ExportError, match="is a folder"):
        export(tmp_path, tmp_path)


def test_a_place_that_cannot_be_written_is_named(narrow_run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ExportError, match=r"m\.onnx: cannot be written"):
        export(narrow_run, tmp_path / "file" / "m.onnx")


def test_the_scale_of_the_maps_is_their_usual_maximum() -> None:
    class Maps:
        def __init__(self, maxima: np.ndarray) -> None:
            self._rest = maxima

        def __call__(self, frames: np.ndarray, explain: np.ndarray) -> dict[str, Any]:
            import tensorflow as tf

            now, self._rest = self._rest[: len(frames)], self._rest[len(frames) :]
            return {"cam": tf.constant(now[:, None, None] * np.array([[[0.5, 1.0]]]))}

    frames = blotches(1)[[0] * 200]
    assert measure_cam_scale(Maps(np.r_[np.full(199, 2.0), 900.0]), frames) == 2.0
    assert measure_cam_scale(Maps(np.r_[np.zeros(199), 3.0]), frames) == 3.0
    assert measure_cam_scale(Maps(np.zeros(200)), frames) == 1.0


def test_a_model_whose_maps_are_all_empty_keeps_them_empty() -> None:
    model = narrow_model()
    model.get_layer("logits").kernel.assign(np.zeros((12, 3)))
    function = deployed(take_apart(model, narrow_contract()), narrow_contract(), narrow_unknown())
    assert measure_cam_scale(function, blotches(2)) == 1.0
