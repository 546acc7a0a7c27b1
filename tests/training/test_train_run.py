"""A finished run folder holds everything that export needs and everything needed to repeat the run."""

from __future__ import annotations

import ast
import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from few_filters import few_filters  # noqa: E402

from realtime.contract import UNKNOWN_SCORE, ModelContract  # noqa: E402
from realtime.errors import DataError, ReeflensError, ResultsError  # noqa: E402
from training import run as run_module  # noqa: E402
from training.calibrate import softmax  # noqa: E402
from training.files import write_json  # noqa: E402
from training.model import build_model, predict  # noqa: E402
from training.options import TrainOptions  # noqa: E402
from training.photographs import find_photographs, load_photographs  # noqa: E402
from training.run import train  # noqa: E402


@pytest.fixture(scope="module")
def contract(toy_run: Path) -> ModelContract:
    return ModelContract.from_json((toy_run / "contract.json").read_text())


def read_json(path: Path) -> dict:
    return json.loads(path.read_text())


def quick(photographs: Path, out: Path, **changes: object) -> TrainOptions:
    options = TrainOptions(
        data=(photographs,),
        out=out,
        weights="none",
        image_size=32,
        head_epochs=1,
        epochs=1,
        batch_size=8,
        dense_units=4,
    )
    return replace(options, views=1, limit=4, **changes)


def test_the_folder_holds_what_it_should_and_nothing_else(toy_run: Path) -> None:
    # The run is shared by the session, and `export` keeps its reports beside it.
    assert sorted(path.name for path in toy_run.iterdir() if not path.name.startswith("export-")) == [
        "calibration.npz",
        "config.json",
        "contract.json",
        "curves.png",
        "data_report.json",
        "history.csv",
        "model.keras",
        "split.json",
        "state.json",
        "unknown.npz",
    ]
    assert read_json(toy_run / "state.json")["stage"] == "done"


def test_the_contract_says_what_was_trained_and_calibrated(toy_run: Path, contract: ModelContract) -> None:
    config = read_json(toy_run / "config.json")
    assert contract.labels == ("Fish", "Octopus", "Sea Turtle")
    assert contract.input_size == 32
    assert (contract.precision, contract.cam_scale) == ("fp32", 1.0)
    assert contract.provenance.run_id.startswith("toy-")
    assert contract.provenance.data_hash == config["data_hash"]
    assert contract.provenance.packages["keras"] == keras.__version__
    assert contract.taxonomy["Octopus"] == "Octopoda"
    assert contract.thresholds.unknown == 0.5
    assert contract.unknown_score == UNKNOWN_SCORE
    assert contract.provenance.metrics.keys() == {"unknown_auroc"}


def test_the_saved_model_says_of_the_validation_pictures_what_the_state_reports(
    toy_run: Path, toy_photographs: Path, contract: ModelContract
) -> None:
    model = keras.saving.load_model(toy_run / "model.keras", safe_mode=True, compile=False)
    held = {entry["path"] for entry in read_json(toy_run / "split.json")["validation"]}
    files = [file for file in find_photographs([toy_photographs]).files if file.path in held]
    pictures, _ = load_photographs(files, 32)
    probabilities = softmax(predict(model, pictures.pixels, 8), contract.temperature)
    reported = read_json(toy_run / "state.json")["validation"]
    assert (probabilities.argmax(axis=1) == pictures.labels).mean() == pytest.approx(reported["accuracy"])
    likelihood = -np.log(probabilities[np.arange(len(files)), pictures.labels]).mean()
    assert likelihood == pytest.approx(reported["nll"], rel=0.01)


def test_it_has_learnt_to_tell_the_colours_apart(toy_run: Path) -> None:
    assert read_json(toy_run / "state.json")["validation"]["accuracy"] >= 0.6


def test_calibration_pictures_fit_the_model(toy_run: Path) -> None:
    with np.load(toy_run / "calibration.npz") as stored:
        assert stored["frames"].shape == (30, 32, 32, 3)
        assert stored["frames"].dtype == np.uint8
        assert stored["labels"].dtype == np.int64
        assert np.bincount(stored["labels"]).tolist() == [10, 10, 10]


def test_the_history_has_every_epoch_of_both_stages(toy_run: Path) -> None:
    with (toy_run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["stage"], row["epoch"]) for row in rows] == [
        *(("head", str(i + 1)) for i in range(8)),
        *(("block5", str(i + 1)) for i in range(2)),
    ]
    assert all(float(row["loss"]) > 0 and 0 <= float(row["val_accuracy"]) <= 1 for row in rows)
    assert (toy_run / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_finished_run_is_not_overwritten(toy_run: Path, toy_photographs: Path) -> None:
    before = (toy_run / "model.keras").stat().st_mtime_ns
    with pytest.raises(ResultsError, match=r"toy: holds a finished run; name another folder with --out"):
        train(quick(toy_photographs, toy_run))
    assert (toy_run / "model.keras").stat().st_mtime_ns == before


def test_a_folder_of_something_else_and_a_file_are_refused(toy_photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ResultsError, match=r"holds 'thesis\.txt' but no run"):
        train(quick(toy_photographs, tmp_path))
    with pytest.raises(ResultsError, match="cannot be used as run folder"):
        train(quick(toy_photographs, tmp_path / "thesis.txt"))


def test_pictures_that_cannot_be_learnt_from_leave_no_run_behind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone"):
        train(quick(tmp_path / "gone", tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@few_filters()
def test_a_run_that_was_cut_off_is_started_anew_and_the_head_alone_can_be_trained(
    toy_photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = quick(toy_photographs, tmp_path / "run", unfreeze="none")

    def unplugged(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(run_module, "_verify", unplugged)
        with pytest.raises(KeyboardInterrupt):
            train(options)
    assert read_json(tmp_path / "run/state.json") == {"stage": "head"}
    assert list((tmp_path / "run/.features").glob("*.npy")), "kept for --resume"
    assert train(options) == tmp_path / "run"
    assert read_json(tmp_path / "run/state.json")["stage"] == "done"
    assert not list((tmp_path / "run").glob(".*"))
    assert "block" not in (tmp_path / "run/history.csv").read_text()


def test_a_network_that_differs_from_the_part_that_was_trained_is_refused() -> None:
    model = build_model(2, 32, dense_units=4)
    frames = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    logits = predict(model, frames, 2)
    run_module._verify(model, frames, logits, run_module.AGREEMENT)
    with pytest.raises(ReeflensError, match="the assembled network differs from the trained part by"):
        run_module._verify(model, frames, logits + 0.1, run_module.AGREEMENT)


def test_a_disk_that_takes_nothing_is_told_in_a_sentence(tmp_path: Path) -> None:
    model = build_model(2, 32, dense_units=4)
    (tmp_path / "model.keras").mkdir()
    with pytest.raises(ResultsError, match=r"model\.keras: cannot be written"):
        run_module.save_progress(tmp_path, model, [], "head")
    with pytest.raises(ResultsError, match=r"state\.json: cannot be written \(No such file or directory\)"):
        write_json(tmp_path / "gone/state.json", {})


def test_nothing_in_the_room_is_tied_to_one_backend() -> None:
    room = Path(run_module.__file__).parent
    for path in set(room.glob("*.py")) - {room / "rivals.py"}:  # which times what others do with one
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & {"tensorflow", "torch", "jax"}, path
