"""An evaluation runs the model file that ships, and its figures are those of an independent count."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, precision_recall_fscore_support, top_k_accuracy_score
from toy_onnx import write_toy_model

from realtime.contract import Thresholds
from realtime.errors import ContractError, DataError
from training.evaluate import EvaluationReport, evaluate, score

COLOURS = {"Fish": (250, 20, 20), "octopus": (20, 250, 20), "Turtle": (20, 20, 250)}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Four pictures per class in the colour that the toy model knows it by, except one Fish that is green."""
    for name, colour in COLOURS.items():
        (tmp_path / "test" / name).mkdir(parents=True)
        for i in range(4):
            shown = COLOURS["octopus"] if (name, i) == ("Fish", 0) else colour
            Image.new("RGB", (40 + i, 30), shown).save(tmp_path / "test" / name / f"{i}.png")
    return tmp_path / "test"


def test_a_model_file_is_measured_on_a_tree(toy_model: Path, tree: Path) -> None:
    report = evaluate(toy_model, tree, provider="cpu")
    assert report.pictures == 12
    assert report.accuracy == pytest.approx(11 / 12)
    assert report.accuracy_low < 11 / 12 < report.accuracy_high
    assert report.top3 == 1.0
    scores = {s.label: s for s in report.per_class}
    assert (scores["Fish"].precision, scores["Fish"].recall, scores["Fish"].support) == (1.0, 0.75, 4)
    assert (scores["Octopus"].precision, scores["Octopus"].recall) == (0.8, 1.0)
    assert [(c.label, c.predicted, c.pictures) for c in report.confusions] == [("Fish", "Octopus", 1)]
    assert report.provider == "CPUExecutionProvider"
    assert report.run_id == "toy"
    assert report.input_size == 32
    assert report.skipped == ()


def test_the_report_survives_json_and_reads_as_text(toy_model: Path, tree: Path) -> None:
    report = evaluate(toy_model, tree, provider="cpu")
    raw = json.loads(report.to_json())
    assert raw["accuracy"] == report.accuracy
    assert raw["per_class"][0]["label"] == "Fish"
    assert len(raw["data_hash"]) == len(raw["model_sha256"]) == 64
    text = report.to_text()
    assert "accuracy  91.7%  (95 % interval 64.6% to 98.5%)" in text
    assert all(label in text for label in ("Fish", "Octopus", "Turtle"))


def test_what_is_refused_is_counted_and_empty_water_is_watched(toy_model: Path, tree: Path, tmp_path: Path) -> None:
    Image.new("RGB", (30, 30), (90, 90, 90)).save(tree / "Fish" / "grey.png")  # no colour: 1 - 1/3 is above 0.6
    (tmp_path / "empty").mkdir()
    Image.new("RGB", (30, 30), (90, 90, 90)).save(tmp_path / "empty/1.png")
    Image.new("RGB", (30, 30), COLOURS["Turtle"]).save(tmp_path / "empty/2.png")
    report = evaluate(toy_model, tree, provider="cpu", empty=[tmp_path / "empty"])
    assert report.refused_share == pytest.approx(1 / 13)
    assert report.shown_share == pytest.approx(12 / 13)
    assert report.false_alarm_share == pytest.approx(0.5)
    assert json.loads(report.to_json())["empty"][0]["labels"] == {"Turtle": 0.5}
    assert report.metrics()["false_alarm_share"] == pytest.approx(0.5)
    assert "refused   7.7% of the pictures as unknown" in report.to_text()
    assert "empty     a label for 50.0% of the water without an animal" in report.to_text()
    alone = evaluate(toy_model, tree, provider="cpu")
    assert (alone.false_alarm_share, alone.unknown_auroc) == (None, None)
    assert not alone.metrics().keys() & {"false_alarm_share", "unknown_auroc"}


def test_several_trees_are_one_set_and_unreadable_files_are_listed(toy_model: Path, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "mine/TURTLE").mkdir(parents=True)
    Image.new("RGB", (30, 30), COLOURS["Turtle"]).save(tmp_path / "mine/TURTLE/1.png")
    (tmp_path / "mine/TURTLE/2.png").write_bytes(b"broken")
    report = evaluate(toy_model, [tree, tmp_path / "mine"], provider="cpu")
    assert report.pictures == 13
    assert [Path(s.file).name for s in report.skipped] == ["2.png"]


def test_the_data_hash_is_of_the_pictures_not_of_the_place(toy_model: Path, tree: Path) -> None:
    first = evaluate(toy_model, tree, provider="cpu", limit=2)
    moved = tree.rename(tree.with_name("elsewhere"))
    assert evaluate(toy_model, moved, provider="cpu", limit=2).data_hash == first.data_hash
    assert evaluate(toy_model, moved, provider="cpu").data_hash != first.data_hash


def test_a_folder_that_the_model_does_not_know_is_refused(toy_model: Path, tree: Path) -> None:
    (tree / "Walrus").mkdir()
    with pytest.raises(DataError, match=r"'Walrus' is none of the 3 classes \(Fish, Octopus, Turtle\)"):
        evaluate(toy_model, tree, provider="cpu")


def test_a_tree_of_which_nothing_can_be_read_is_refused(toy_model: Path, tmp_path: Path) -> None:
    (tmp_path / "Fish").mkdir()
    (tmp_path / "Fish/1.jpg").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"no picture can be read \(1 skipped\)"):
        evaluate(toy_model, tmp_path, provider="cpu")


def test_what_is_no_model_is_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no such model file"):
        evaluate(tmp_path / "gone.onnx", tree)


def test_a_model_of_many_classes_is_measured_on_the_few_that_are_there(tree: Path, tmp_path: Path) -> None:
    model = write_toy_model(tmp_path / "six.onnx", ["Fish", "Octopus", "Turtle", "Eel", "Crab", "Seal"])
    report = evaluate(model, tree, provider="cpu")
    assert isinstance(report, EvaluationReport)
    assert [s.support for s in report.per_class] == [4, 4, 4, 0, 0, 0]
    assert report.macro_f1 == pytest.approx(np.mean([s.f1 for s in report.per_class[:3]]))


def test_figures_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(6) * 0.4, 300)
    truth = np.where(rng.random(300) < 0.5, probabilities.argmax(axis=1), rng.integers(0, 6, 300))
    unknown = rng.random(300)
    found = score(probabilities, unknown, truth, list("abcdef"), Thresholds(0.6, 0.8))
    given_labels = probabilities.argmax(axis=1)
    precision, recall, f1, support = precision_recall_fscore_support(truth, given_labels, zero_division=0)
    assert found["accuracy"] == accuracy_score(truth, given_labels)
    assert found["top3"] == pytest.approx(top_k_accuracy_score(truth, probabilities, k=3))
    assert [s.precision for s in found["per_class"]] == pytest.approx(precision)
    assert [s.recall for s in found["per_class"]] == pytest.approx(recall)
    assert [s.f1 for s in found["per_class"]] == pytest.approx(f1)
    assert [s.support for s in found["per_class"]] == support.tolist()
    assert found["macro_f1"] == pytest.approx(f1.mean())
    shown = (probabilities.max(axis=1) >= 0.6) & (unknown <= 0.8)
    assert found["refused_share"] == pytest.approx((unknown > 0.8).mean())
    assert found["shown_share"] == pytest.approx(shown.mean())
    assert found["shown_accuracy"] == pytest.approx((given_labels == truth)[shown].mean())
