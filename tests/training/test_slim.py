"""A run folder in, the run folder of a smaller network out, that export and evaluate use like any other."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from few_filters import NARROW  # noqa: E402

from realtime.contract import ModelContract  # noqa: E402
from realtime.errors import DataError, ResultsError, SettingsError  # noqa: E402
from training.callbacks import EpochRow  # noqa: E402
from training.dataset import prepare  # noqa: E402
from training.files import write_json  # noqa: E402
from training.model import build_model  # noqa: E402
from training.options import TrainOptions  # noqa: E402
from training.progress import Silent  # noqa: E402
from training.run import RECOVERED, SLIMMED, run_config, save_progress, train  # noqa: E402
from training.slim import slim  # noqa: E402
from training.slim_options import SlimOptions, begun_slimming  # noqa: E402
from training.widths import multiply_adds, widths_of  # noqa: E402

DYING = Path(__file__).with_name("dying_slim.py")


class Lines(Silent):
    """Keeps what is said, and what is begun."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tasks: list[str] = []

    def begin(self, task: str, total: int) -> None:
        self.tasks.append(task)

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(scope="module")
def narrow_run(toy_photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a network small enough for tests, that knows its three colours."""
    return trained(toy_photographs, tmp_path_factory.mktemp("narrow") / "run", 32)


@pytest.fixture(scope="module")
def larger_run(toy_photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with an input of 48 pixels."""
    return trained(toy_photographs, tmp_path_factory.mktemp("larger") / "run", 48)


def trained(photographs: Path, run: Path, size: int) -> Path:
    options = TrainOptions(
        data=(photographs,), out=run, weights="none", image_size=size, dense_units=8, views=1, val_share=0.3, seed=3
    )
    data = prepare(options, Silent())
    model = build_model(3, size, dense_units=8, dropout=0.2, seed=3, widths=NARROW)
    # Smoothed, or colours so easily told apart would drive logits, and rounding with them, beyond any real network's.
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)
    model.compile("adam", loss, jit_compile=False)
    margin = (data.train.pixels.shape[1] - size) // 2
    x = data.train.pixels[:, margin : margin + size, margin : margin + size].astype(np.float32)
    keras.utils.set_random_seed(3)
    model.fit(x, np.eye(3, dtype=np.float32)[data.train.labels], epochs=20, batch_size=8, verbose=0)
    run.mkdir()
    write_json(run / "config.json", {**run_config(options, data), SLIMMED: {"widths": list(NARROW)}})
    save_progress(run, model, [EpochRow("head", 1, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0)], RECOVERED)
    return train(options, resume=True)


def asked(run: Path, out: Path, **changes: object) -> SlimOptions:
    options = SlimOptions(run=run, out=out, ratio=0.5, epochs=3, views=2, batch_size=8, rate=3e-4, unfreeze="block3")
    return replace(options, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def slimmed(narrow_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return slim(asked(narrow_run, tmp_path_factory.mktemp("slim") / "run"))


def load(run: Path) -> keras.Model:
    return keras.models.load_model(run / "model.keras", compile=False)


def test_the_network_costs_what_was_asked_and_the_folder_says_what_it_came_from(
    narrow_run: Path, slimmed: Path
) -> None:
    config = json.loads((slimmed / "config.json").read_text())
    note = config["slimmed"]
    full, narrow = load(narrow_run), load(slimmed)
    assert multiply_adds(narrow) <= 0.5 * multiply_adds(full)
    assert note["multiply_adds"]["slim"] == multiply_adds(narrow)
    assert note["multiply_adds"]["reached"] == pytest.approx(multiply_adds(narrow) / multiply_adds(full))
    assert 0.4 <= note["multiply_adds"]["reached"] <= 0.5
    assert tuple(note["widths"]) == widths_of(narrow)
    assert widths_of(narrow)[-1] == NARROW[-1], "the map keeps its channels"
    contract = ModelContract.from_json((narrow_run / "contract.json").read_text())
    assert note["run_id"] == contract.provenance.run_id


def test_the_folder_holds_what_a_trained_run_holds_and_nothing_else(narrow_run: Path, slimmed: Path) -> None:
    assert sorted(path.name for path in slimmed.iterdir()) == sorted(path.name for path in narrow_run.iterdir())
    state = json.loads((slimmed / "state.json").read_text())
    assert state["stage"] == "done"
    full = json.loads((narrow_run / "state.json").read_text())
    assert full["validation"]["accuracy"] > 0.6
    assert state["validation"]["accuracy"] >= full["validation"]["accuracy"] - 0.2


def test_it_is_calibrated_anew(narrow_run: Path, slimmed: Path) -> None:
    old, new = (ModelContract.from_json((run / "contract.json").read_text()) for run in (narrow_run, slimmed))
    assert new.labels == old.labels
    assert new.input_size == old.input_size
    assert new.provenance.run_id != old.provenance.run_id
    assert (slimmed / "unknown.npz").read_bytes() != (narrow_run / "unknown.npz").read_bytes()


def test_what_was_trained_in_bfloat16_recovers_in_it(narrow_run: Path, slimmed: Path, tmp_path: Path) -> None:
    run = shutil.copytree(narrow_run, tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    config["options"]["mixed_precision"] = True
    write_json(run / "config.json", config)
    coarse, exact = load(slim(asked(run, tmp_path / "out"))), load(slimmed)
    assert {layer.compute_dtype for layer in coarse.layers} == {"float32"}
    data = prepare(TrainOptions.from_dict(config["options"]), Silent())
    frames = data.train.pixels[:, 4:36, 4:36].astype(np.float32)
    mine, theirs = coarse.predict_on_batch(frames), exact.predict_on_batch(frames)
    assert np.abs(mine - theirs).max() > 0
    assert (mine.argmax(axis=1) == theirs.argmax(axis=1)).all()


def test_a_smaller_input_saves_first_and_filters_make_up_the_rest(larger_run: Path, tmp_path: Path) -> None:
    run = slim(asked(larger_run, tmp_path / "run", image_size=32, ratio=0.3, epochs=1))
    full, small = load(larger_run), load(run)
    assert small.input.shape[1] == 32
    assert multiply_adds(small) <= 0.3 * multiply_adds(full)
    by_size = multiply_adds(build_model(3, 32, dense_units=8, widths=NARROW)) / multiply_adds(full)
    assert 0.4 < by_size < 0.5
    alone = slim(asked(larger_run, tmp_path / "alone", ratio=0.3, epochs=0))
    assert sum(widths_of(small)) > sum(widths_of(load(alone))), "the size has saved what fewer filters need not"
    config, contract = (json.loads((run / name).read_text()) for name in ("config.json", "contract.json"))
    assert (contract["input_size"], config["options"]["image_size"], config["slimmed"]["pictures_at"]) == (32, 32, 48)
    of_full = json.loads((larger_run / "config.json").read_text())
    assert config["split_hash"] == of_full["split_hash"], "the same photographs, whatever the size"
    assert [row.split(",")[0] for row in (run / "history.csv").read_text().split()][1:] == ["pruned", "recover"]


def test_a_smaller_input_alone_keeps_every_filter_and_its_weights(larger_run: Path, tmp_path: Path) -> None:
    run = slim(asked(larger_run, tmp_path / "run", image_size=32, ratio=0.5, epochs=0))
    full, small = load(larger_run), load(run)
    assert widths_of(small) == NARROW
    for ours, theirs in zip(small.get_weights(), full.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert json.loads((run / "config.json").read_text())["slimmed"]["multiply_adds"]["reached"] < 0.5


def test_a_smaller_network_is_finished_by_train_and_made_smaller_again(larger_run: Path, tmp_path: Path) -> None:
    """Both with the photographs that the first run compared at its own size."""
    run = slim(asked(larger_run, tmp_path / "run", image_size=32, ratio=0.5, epochs=1))
    whole = {path.name: path.read_bytes() for path in run.iterdir() if path.suffix in (".npz", ".csv")}
    write_json(run / "state.json", {"stage": RECOVERED})
    for name in ("contract.json", "unknown.npz", "calibration.npz"):
        (run / name).unlink()
    options = TrainOptions.from_dict(json.loads((run / "config.json").read_text())["options"])
    assert train(options, resume=True) == run
    assert {name: (run / name).read_bytes() for name in whole} == whole
    again = slim(asked(run, tmp_path / "again", epochs=0))
    assert json.loads((again / "config.json").read_text())["slimmed"]["pictures_at"] == 48


def test_a_larger_input_or_one_that_no_network_has_is_refused(narrow_run: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="image_size: expected at most 32, the input of this network, received 48"):
        slim(asked(narrow_run, tmp_path / "run", image_size=48))
    with pytest.raises(SettingsError, match="image_size: expected a multiple of 16 from 32 up, received 40"):
        asked(narrow_run, tmp_path / "run", image_size=40)
    assert not (tmp_path / "run").exists()


def test_the_exported_file_explains_as_a_gradient_tape_does(slimmed: Path, tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx")
    from export.convert import export

    run = Path(shutil.copytree(slimmed, tmp_path / "run"))
    report = export(run, tmp_path / "slim.onnx")
    assert report.keras.cam_tape < 1e-3
    assert report.keras.probability < 1e-4
    assert (tmp_path / "slim.onnx").is_file()


@pytest.mark.slow
def test_a_slimming_killed_again_and_again_ends_as_one_that_was_left_alone(
    narrow_run: Path, slimmed: Path, tmp_path: Path
) -> None:
    options = asked(narrow_run, tmp_path / "run")
    (tmp_path / "options.json").write_text(json.dumps(options.to_dict()))
    moments = ["choosing channels", "3", "recover 2/3", "1", "recover 3/3", "1"]
    command = [sys.executable, str(DYING), str(tmp_path / "options.json"), *moments]
    died = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300, env=dict(os.environ))
    assert died.returncode == -signal.SIGKILL, died.stderr[-2000:]
    lines = Lines()
    slim(options, lines, resume=True)
    assert "recover: going on after epoch 2" in lines.lines, "one epoch is lost, not more"
    assert not [task for task in lines.tasks if task.startswith(("surveying", "choosing", "recover 2"))]
    for a, b in zip(load(options.out).get_weights(), load(slimmed).get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_finished_slimming_is_left_alone_and_other_options_are_refused(narrow_run: Path, slimmed: Path) -> None:
    options = SlimOptions.from_dict(begun_slimming(slimmed) or {})
    lines = Lines()
    assert slim(options, lines, resume=True) == slimmed
    assert lines.lines == [f"{slimmed}: is finished; nothing is left to do"]
    with pytest.raises(SettingsError, match=r"ratio: this slimming was begun with 0\.5, received 0\.3"):
        slim(replace(options, ratio=0.3), resume=True)
    with pytest.raises(ResultsError, match="holds a finished run"):
        slim(options)


def test_a_folder_that_train_made_is_not_gone_on_with(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"options": {}})
    with pytest.raises(ResultsError, match="is a run of `reeflens train`"):
        begun_slimming(tmp_path)


def test_a_slimming_that_is_only_pruned_is_not_finished_by_train(slimmed: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(slimmed, tmp_path / "run"))
    write_json(run / "state.json", {"stage": "pruned"})
    begun = TrainOptions.from_dict(json.loads((run / "config.json").read_text())["options"])
    with pytest.raises(ResultsError, match="was begun by `reeflens slim`; go on with that"):
        train(replace(begun, out=run), resume=True)


def test_a_slim_network_can_be_slimmed_again(slimmed: Path, tmp_path: Path) -> None:
    again = slim(asked(slimmed, tmp_path / "run", epochs=0))
    assert multiply_adds(load(again)) <= 0.5 * multiply_adds(load(slimmed))
    assert json.loads((again / "state.json").read_text())["stage"] == "done"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ratio", 0.0),
        ("ratio", 1.0),
        ("ratio", float("nan")),
        ("val", (Path("val"),)),
        ("unfreeze", "none"),
        ("epochs", -1),
        ("rate", 0.0),
        ("views", 0),
        ("batch_size", 0),
        ("patience", 0),
        ("seed", -1),
        ("out", Path("run")),
    ],
)
def test_an_unusable_option_is_named_with_what_was_received(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: expected .*, received"):
        replace(SlimOptions(run=Path("run"), out=Path("out")), **{name: value})


def test_a_ratio_that_cannot_be_reached_is_refused_with_the_least(narrow_run: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ratio: expected at least 0\.\d+ for this network, received 0\.0001"):
        slim(asked(narrow_run, tmp_path / "run", ratio=0.0001))
    assert not (tmp_path / "run").exists()


def test_runs_that_are_not_there_or_not_finished_are_named(narrow_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="gone: no such run folder"):
        slim(asked(tmp_path / "gone", tmp_path / "run"))
    half = Path(shutil.copytree(narrow_run, tmp_path / "half"))
    write_json(half / "state.json", {"stage": "head"})
    with pytest.raises(ResultsError, match="half: this run is not finished"):
        slim(asked(half, tmp_path / "run"))
    write_json(half / "state.json", {"stage": "done"})
    (half / "model.keras").write_bytes(b"neither zip nor HDF5")
    with pytest.raises(ResultsError, match=r"model\.keras: cannot be read"):
        slim(asked(half, tmp_path / "run"))


def test_pictures_that_are_gone_or_others_are_refused(narrow_run: Path, toy_photographs: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(narrow_run, tmp_path / "moved"))
    config = json.loads((moved / "config.json").read_text())
    config["options"]["data"] = [str(tmp_path / "nowhere")]
    write_json(moved / "config.json", config)
    with pytest.raises(DataError, match=r"nowhere: .*; name the photographs with --data if they have moved"):
        slim(asked(moved, tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    fewer = Path(shutil.copytree(toy_photographs, tmp_path / "fewer"))
    (fewer / "Fish/00.png").unlink()
    config["options"]["data"] = [str(fewer)]
    write_json(moved / "config.json", config)
    with pytest.raises(DataError, match="the photographs have changed since this run was trained"):
        slim(asked(moved, tmp_path / "run"))
    shutil.rmtree(fewer / "Fish")
    with pytest.raises(DataError, match=r"knows the classes Fish, Octopus, Sea Turtle; the photographs hold Octopus"):
        slim(asked(moved, tmp_path / "run", data=(fewer,)))


def test_photographs_that_moved_can_be_named(narrow_run: Path, toy_photographs: Path, tmp_path: Path) -> None:
    elsewhere = Path(shutil.copytree(toy_photographs, tmp_path / "elsewhere"))
    run = slim(asked(narrow_run, tmp_path / "run", data=(elsewhere,), epochs=0))
    config = json.loads((run / "config.json").read_text())
    assert config["options"]["data"] == [str(elsewhere)]
