"""A training learns half from what a stronger model answers to exactly the views that it shows."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image
from toy_onnx import LABELS, write_fragile_model, write_toy_model

keras = pytest.importorskip("keras")

from realtime.contract import METADATA_KEY  # noqa: E402
from realtime.engine import Engine, Prediction  # noqa: E402
from realtime.errors import ContractError, DataError, EngineError, ReeflensError, SettingsError  # noqa: E402
from training import run as run_module  # noqa: E402
from training import views as views_module  # noqa: E402
from training.augment import view  # noqa: E402
from training.batches import ViewBatches, targets  # noqa: E402
from training.dataset import Dataset, prepare, working_size  # noqa: E402
from training.fitting import fit_stage  # noqa: E402
from training.learning import learning_part  # noqa: E402
from training.model import build_model  # noqa: E402
from training.options import TrainOptions  # noqa: E402
from training.photographs import PhotoFile, load_photographs  # noqa: E402
from training.progress import Silent  # noqa: E402
from training.run import train  # noqa: E402
from training.stages import Stage  # noqa: E402
from training.teacher import find_teacher, same_classes, teacher_answers  # noqa: E402

DYING = Path(__file__).with_name("dying.py")
OTHERWISE = ("sea_turtle", "FISH", "octopus")  # the classes of the toy photographs in another order and spelling
OURS = [1, 2, 0]  # where their classes stand among those


class Told(Silent):
    """Keeps what is begun and how far it came, and breaks off after so many steps of a task."""

    def __init__(self, breaks: str = "", after: int = 0) -> None:
        self.steps: dict[str, list[int]] = {}
        self._breaks, self._after = breaks, after

    def begin(self, task: str, total: int) -> None:
        self._task = task
        self.steps[task] = []

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.steps[self._task].append(steps)
        if self._task == self._breaks and sum(self.steps[self._task]) >= self._after:
            raise KeyboardInterrupt


def asked(photographs: Path, out: Path, **changes: object) -> TrainOptions:
    options = TrainOptions(
        data=(photographs,),
        out=out,
        weights="none",
        image_size=32,
        head_epochs=1,
        epochs=1,
        batch_size=8,
        dense_units=8,
        views=3,
        water=0.5,
        limit=7,
        val_share=0.3,
        seed=4,
    )
    return replace(options, **changes)  # type: ignore[arg-type]


def test_a_target_is_half_the_smoothed_label_and_half_the_answer_to_the_view_that_is_shown() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=30)
    answers = rng.dirichlet(np.ones(3), (30, 4)).astype(np.float32)
    which = np.stack(np.meshgrid(np.arange(30), np.arange(4), indexing="ij"), axis=-1)  # features that say their place
    batches = ViewBatches(which, labels, np.ones(3, np.float32), 8, seed=1, smoothing=0.1, answers=answers)
    for epoch in (0, 1):
        batches.show(epoch)
        seen = set()
        for number in range(len(batches)):
            x, y, _ = batches[number]
            pictures, views = x.astype(int).T
            label = 0.9 * np.eye(3)[labels[pictures]] + 0.1 / 3
            np.testing.assert_allclose(y, 0.5 * label + 0.5 * answers[pictures, views], atol=1e-6)
            assert y.dtype == np.float32
            seen |= set(views.tolist())
        assert seen == {0, 1, 2, 3}


def test_smoothed_targets_are_what_keras_calls_label_smoothing() -> None:
    rng = np.random.default_rng(1)
    labels, logits = rng.integers(4, size=9), rng.normal(0, 2, (9, 4)).astype(np.float32)
    smoothing = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    plain = keras.losses.CategoricalCrossentropy(from_logits=True)
    expected = float(smoothing(targets(labels, 4), logits))
    assert float(plain(targets(labels, 4, 0.2), logits)) == pytest.approx(expected, rel=1e-6)


def test_a_stage_ends_where_labels_and_teacher_meet() -> None:
    """Of features that say nothing the best answer is the mean target: 1/2 (0.9 + 0.05) + 1/2 0.2 for the label."""
    nothing, labels = np.zeros((32, 1, 2), np.float32), np.zeros(32, int)
    teacher = np.broadcast_to(np.float32([0.2, 0.8]), (32, 1, 2))
    even = np.ones(2, np.float32)
    taught = ViewBatches(nothing, labels, even, 8, seed=0, smoothing=0.1, answers=teacher)
    validation = ViewBatches(nothing, labels, even, 8, seed=None, smoothing=0.1)
    tail = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    options = TrainOptions(data=(Path("d"),), out=Path("o"), patience=99)
    rows = fit_stage(Stage("head", 0, 60, 0.05), tail, taught, validation, options, Silent())
    logits = keras.ops.convert_to_numpy(tail.predict_on_batch(np.zeros((1, 2))))[0]
    # Every epoch is as accurate as the first, which is taken; the last one's loss tells where the training ended.
    mean = np.array([0.575, 0.425])
    assert rows[-1].loss == pytest.approx(-(mean * np.log(mean)).sum(), rel=1e-4)
    assert logits[0] > logits[1]
    assert {row.val_accuracy for row in rows[5:]} == {1.0}, "against the true label, whatever the teacher says"


@pytest.fixture(scope="module")
def pictures(toy_photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainOptions, Dataset]:
    options = asked(toy_photographs, tmp_path_factory.mktemp("taught") / "run")
    return options, prepare(options, Silent())


def test_a_teacher_of_the_same_size_answers_to_the_very_pixels_that_are_shown(
    pictures: tuple[TrainOptions, Dataset], tmp_path: Path
) -> None:
    options, data = pictures
    path = write_toy_model(tmp_path / "colours.onnx", OTHERWISE)
    found = teacher_answers(find_teacher(path), tmp_path, data, options, Silent())
    assert found.shape == (len(data.train), 3, 3)
    assert found.dtype == np.float32
    with Engine.open(path) as engine:
        for row in range(len(data.train)):
            shown = [view(data.train.pixels[row], 32, (4, row, which), 0.5) for which in range(3)]
            expected = engine.run(np.stack(shown)).probabilities[:, OURS]
            np.testing.assert_allclose(found[row], expected, atol=1e-5)
            assert len({values.tobytes() for values in expected}) == 3, "it tells the views apart"


def test_a_teacher_with_a_larger_input_sees_the_same_part_of_the_photograph_itself(
    pictures: tuple[TrainOptions, Dataset], tmp_path: Path
) -> None:
    options, data = pictures
    path = write_toy_model(tmp_path / "large.onnx", OTHERWISE, 96)
    found = teacher_answers(find_teacher(path), tmp_path, data, options, Silent())
    large, _ = load_photographs(data.train.files, working_size(96))
    small = working_size(32)
    with Engine.open(path) as engine:
        for row in range(len(data.train)):
            shown = [view(large.pixels[row], 96, (4, row, which), 0.5, small) for which in range(3)]
            np.testing.assert_allclose(found[row], engine.run(np.stack(shown)).probabilities[:, OURS], atol=1e-5)


def test_answers_are_asked_for_once_and_anew_for_another_teacher_or_other_views(
    pictures: tuple[TrainOptions, Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views_module, "_NOTE_EVERY", 16)
    options, data = pictures
    teacher = find_teacher(write_toy_model(tmp_path / "one.onnx", OTHERWISE))
    task, total = "answers of the teacher", len(data.train) * 3
    with pytest.raises(KeyboardInterrupt):
        teacher_answers(teacher, tmp_path, data, options, Told(task, 32))
    told = Told()
    resumed = teacher_answers(teacher, tmp_path, data, options, told)
    assert told.steps[task][0] == 16, "what was noted before the break"
    assert sum(told.steps[task]) == total
    again = Told()
    assert np.array_equal(teacher_answers(teacher, tmp_path, data, options, again), resumed)
    assert again.steps == {}
    other = find_teacher(write_toy_model(tmp_path / "two.onnx", (*LABELS[:2], "Sea Turtle")))
    for changed in ((other, options), (other, replace(options, seed=5)), (teacher, options)):
        anew = Told()
        found = teacher_answers(changed[0], tmp_path, data, changed[1], anew)
        assert (anew.steps[task][0], sum(anew.steps[task])) == (0, total)
    assert np.array_equal(found, resumed)


def test_validation_learns_nothing_from_the_teacher(pictures: tuple[TrainOptions, Dataset]) -> None:
    options, data = pictures
    features = {
        ("gap", "train"): np.zeros((len(data.train), 3, 512), np.float32),
        ("gap", "validation"): np.zeros((len(data.validation), 1, 512), np.float32),
    }
    answers = np.zeros((len(data.train), 3, 3), np.float32)
    answers[..., 2] = 1.0
    with ThreadPoolExecutor(1) as pool:
        stage, model = Stage("head", 0, 1, 0.01), build_model(3, 32, dense_units=8)
        cache: Any = features
        _, batches, validation = learning_part(stage, model, cache, data, options, pool, answers)
    assert all((batches[number][1][:, 2] > 0.5).all() for number in range(len(batches)))
    found = np.concatenate([validation[number][1] for number in range(len(validation))])
    np.testing.assert_allclose(found, targets(data.validation.labels, 3, 0.1))


def history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open() as file:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def test_a_run_killed_while_the_teacher_answers_ends_as_one_that_was_left_alone(
    toy_photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_toy_model(tmp_path / "teacher.onnx", OTHERWISE, 64)
    options = asked(toy_photographs, tmp_path / "alone" / "run", teacher=path)
    learnt = []
    with monkeypatch.context() as watched:
        watched.setattr(run_module, "learning_part", lambda *given: learnt.append(given[-1]) or learning_part(*given))
        alone = train(options)
    assert [answers.shape[1:] for answers in learnt] == [(3, 3), (3, 3)], "both stages learn from it"
    options = replace(options, out=tmp_path / "killed" / "run")
    (tmp_path / "options.json").write_text(json.dumps(options.to_dict()))
    command = [sys.executable, str(DYING), str(tmp_path / "options.json"), "answers of the teacher", "17"]
    died = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert died.returncode == -signal.SIGKILL, died.stderr[-2000:]
    assert (options.out / ".features/teacher.json").is_file()

    other = write_toy_model(tmp_path / "other.onnx", OTHERWISE, 32)
    with pytest.raises(SettingsError, match=r"teacher: this run was begun with teacher\.onnx of sha256 \w{8}"):
        train(replace(options, teacher=other), resume=True)
    with pytest.raises(SettingsError, match=r"teacher: this run was begun with '.*', received None"):
        train(replace(options, teacher=None), resume=True)
    moved = Path(shutil.copy(path, tmp_path / "moved.onnx"))
    run = train(replace(options, teacher=moved), resume=True)
    assert history(run) == history(alone)
    assert json.loads((run / "state.json").read_text()) == json.loads((alone / "state.json").read_text())
    config = json.loads((run / "config.json").read_text())
    assert config["teacher"] == {"file": "teacher.onnx", "sha256": find_teacher(path).sha256, "run_id": "toy"}
    assert TrainOptions.from_dict(config["options"]) == options
    assert not list(run.glob(".*")), "neither answers nor features stay"


def without(output: str) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        model = onnx.load(write_toy_model(path))
        kept = [value for value in model.graph.output if value.name != output]
        del model.graph.output[:]
        model.graph.output.extend(kept)
        onnx.save(model, path)
        return path

    return write


def foreign(path: Path) -> Path:
    model = onnx.load(write_toy_model(path))
    onnx.helper.set_model_props(model, {"author": "somebody"})
    onnx.save(model, path)
    return path


def text(path: Path) -> Path:
    path.write_text("no model")
    return path


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path, r"teacher: .*teacher\.onnx: no such model file"),
        (text, r"teacher: .*teacher\.onnx: not an ONNX model that can be loaded"),
        (foreign, f"teacher: .*an ONNX model without {METADATA_KEY}"),
        (without("probabilities"), "teacher: output 'probabilities': missing from the graph"),
        (write_toy_model, "teacher: expected the classes .*; it does not know Sea Turtle and knows Turtle besides$"),
    ],
)
def test_a_file_that_cannot_teach_is_refused_in_one_sentence_and_leaves_no_run(
    make: Callable[[Path], Path], told: str, toy_photographs: Path, tmp_path: Path
) -> None:
    with pytest.raises(ReeflensError, match=told) as caught:
        train(asked(toy_photographs, tmp_path / "run", teacher=make(tmp_path / "teacher.onnx")))
    assert isinstance(caught.value, SettingsError if "classes" in told else ContractError)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_which_classes_are_missing_or_too_many_is_told() -> None:
    assert same_classes(("b", "A"), ("a", "b")).tolist() == [[0, 1], [1, 0]]
    assert same_classes(("background", "Eel", "e-el"), ("eel", "none")).tolist() == [[0, 1], [1, 0], [1, 0]]
    with pytest.raises(SettingsError, match=r"it does not know c, d$"):
        same_classes(("a", "b"), ("a", "b", "c", "d"))
    with pytest.raises(SettingsError, match=r"it knows c besides$"):
        same_classes(("a", "b", "c"), ("a", "b"))


def test_a_teacher_that_fails_and_a_photograph_that_is_gone_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (64, 64), (255, 255, 255)).save(tmp_path / "white.png")
    white = SimpleNamespace(files=(PhotoFile(tmp_path, "white.png", 0),), file_hashes=("0",))
    data: Any = SimpleNamespace(labels=LABELS, train=white)
    options = asked(tmp_path, tmp_path, views=1)
    teacher = find_teacher(write_fragile_model(tmp_path / "fragile.onnx"))
    with pytest.raises(EngineError, match=r"fragile\.onnx fails on a frame"):
        teacher_answers(teacher, tmp_path, data, options, Silent())
    nonsense = Prediction(np.full((1, 3), np.nan, np.float32), np.zeros(1, np.float32), np.zeros((1, 2, 2), np.float32))
    with monkeypatch.context() as patched:
        patched.setattr(Engine, "run", lambda self, frames: nonsense)
        with pytest.raises(EngineError, match=r"fragile\.onnx: answers with numbers that are no probabilities"):
            teacher_answers(teacher, tmp_path, data, options, Silent())
    (tmp_path / "white.png").unlink()
    with pytest.raises(DataError, match=r"white\.png: cannot be shown to the teacher \(No such file"):
        teacher_answers(teacher, tmp_path, data, options, Silent())
    assert not list(tmp_path.glob(".*"))


def test_views_made_anew_are_refused_beside_a_teacher() -> None:
    with pytest.raises(SettingsError, match=r"fresh_views: expected cached views beside a teacher.*, received True"):
        TrainOptions(data=(Path("d"),), out=Path("o"), teacher=Path("t.onnx"), fresh_views=True)
