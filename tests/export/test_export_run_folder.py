"""A run folder is read, or refused in a sentence that names the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from narrow import blotches, narrow_contract, narrow_model, narrow_unknown, write_run

keras = pytest.importorskip("keras")

from export.run_folder import FILES, open_run  # noqa: E402
from realtime.errors import ContractError, ExportError  # noqa: E402


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "narrow", narrow_model(), narrow_contract(), blotches(5))


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_a_finished_run_is_read(run: Path) -> None:
    found = open_run(run)
    assert found.contract == narrow_contract()
    assert found.frames.shape == (5, 64, 64, 3)
    assert found.model.output_shape == (None, 3)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"gone: no such run folder"):
        open_run(tmp_path / "gone")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(run: Path, name: str) -> None:
    (run / name).unlink()
    with pytest.raises(ExportError, match=f"{name} is missing"):
        open_run(run)


@pytest.mark.parametrize("name", ["model.keras", "calibration.npz"])
@pytest.mark.parametrize("content", [b"", b"neither zip nor HDF5", None], ids=["empty", "foreign", "cut"])
def test_a_damaged_file_is_named_with_the_reason(run: Path, name: str, content: bytes | None) -> None:
    path = run / name
    path.write_bytes(path.read_bytes()[:2000] if content is None else content)
    with pytest.raises(ExportError, match=f"{name}: "):
        open_run(run)


@pytest.mark.parametrize("state", ['{"stage": "head"}', '{"stage": "fine-tune"}', "{}"])
def test_a_run_that_was_cut_off_is_refused(run: Path, state: str) -> None:
    """Its contract may be that of an earlier attempt in the same folder, with other labels."""
    (run / "state.json").write_text(state, encoding="utf-8")
    with pytest.raises(ExportError, match="not finished"):
        open_run(run)


def test_a_run_that_an_earlier_version_calibrated_is_told_to_be_calibrated_anew(run: Path) -> None:
    (run / "unknown.npz").unlink()
    with pytest.raises(ExportError, match=r"earlier version.*`reeflens train --out .*run --resume`"):
        open_run(run)
    narrow_unknown().save(run / "unknown.npz")
    old = narrow_contract(unknown_score="one-minus-max-probability")
    (run / "contract.json").write_text(old.to_json(), encoding="utf-8")
    with pytest.raises(ExportError, match="earlier version"):
        open_run(run)


def test_damaged_constants_are_named(run: Path) -> None:
    (run / "unknown.npz").write_bytes(b"neither zip nor npz")
    with pytest.raises(ContractError, match=r"unknown\.npz: cannot be read"):
        open_run(run)


def test_a_damaged_contract_is_named(run: Path) -> None:
    (run / "contract.json").write_text("{", encoding="utf-8")
    with pytest.raises(ContractError, match=r"contract\.json: .*not JSON"):
        open_run(run)
    (run / "contract.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ExportError, match=r"contract\.json: cannot be read"):
        open_run(run)


@pytest.mark.parametrize(
    "frames",
    [np.zeros((2, 32, 32, 3), np.uint8), np.zeros((2, 64, 64, 3), np.float32), np.zeros((0, 64, 64, 3), np.uint8)],
)
def test_calibration_pictures_of_another_kind_are_refused(run: Path, frames: np.ndarray) -> None:
    np.savez(run / "calibration.npz", frames=frames)
    with pytest.raises(ExportError, match=r"expected frames as uint8 \[M, 64, 64, 3\]"):
        open_run(run)


def test_pickled_calibration_pictures_are_not_executed(run: Path) -> None:
    np.savez(run / "calibration.npz", frames=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ExportError, match=r"calibration\.npz: cannot be read"):
        open_run(run)


def test_a_model_with_code_in_it_is_not_loaded(run: Path) -> None:
    rgb = keras.Input((64, 64, 3))
    keras.Model(rgb, keras.layers.Lambda(lambda x: x[:, 0, 0])(rgb)).save(run / "model.keras")
    with pytest.raises(ExportError, match=r"model\.keras: not a Keras model that can be loaded"):
        open_run(run)


def test_another_keras_backend_is_refused_by_name(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(ExportError, match="set to 'jax'; set KERAS_BACKEND=tensorflow"):
        open_run(run)


def test_a_model_trained_in_mixed_precision_computes_in_float32(tmp_path: Path) -> None:
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        mixed = narrow_model()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    exact = narrow_model()
    exact.set_weights(mixed.get_weights())
    model = open_run(write_run(tmp_path / "mixed", mixed, narrow_contract(), blotches(1))).model
    frames = blotches(2).astype(np.float32)
    np.testing.assert_allclose(model(frames).numpy(), exact(frames).numpy(), atol=1e-5)
    assert np.abs(mixed(frames).numpy() - exact(frames).numpy()).max() > 1e-4
