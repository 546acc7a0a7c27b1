"""The page of an evaluation stands alone, shows the mistakes with their heat maps, and compares two models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from toy_onnx import write_toy_model

from realtime.errors import DataError
from training.compare import compare
from training.evaluate import Evaluation, measure
from training.evaluate_report import to_html, to_json
from training.robustness import CHANGES, STRENGTHS

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


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Grey pictures, of which the toy model knows nothing, in folders of no class."""
    for i in range(3):
        path = tmp_path / "foreign" / f"of {i}" / "x.png"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (30, 30), (90 + i, 90, 90)).save(path)
    return tmp_path / "foreign"


@pytest.fixture
def found(toy_model: Path, tree: Path, foreign: Path) -> Evaluation:
    return measure(toy_model, tree, foreign=[foreign], water=True, provider="cpu")


def test_the_worst_mistakes_what_is_foreign_and_the_water_are_in_the_report(found: Evaluation) -> None:
    report = found.report
    (mistake,) = report.mistakes
    assert (mistake.label, mistake.predicted, mistake.shown) == ("Fish", "Octopus", True)
    assert mistake.of_label < 0.1 < mistake.probability
    assert report.confusion == ((3, 1, 0), (0, 4, 0), (0, 0, 4))
    assert report.foreign is not None
    assert (report.foreign.pictures, report.foreign.auroc, report.foreign.refused_share) == (3, 1.0, 1.0)
    assert [(w.change, w.level) for w in report.water] == [(c, s) for c in CHANGES for s in STRENGTHS]
    haze = [w.accuracy for w in report.water if w.change == "haze"]
    assert haze[-1] < report.accuracy, "in blue-green haze red is not red enough"
    assert all(w.accuracy == report.accuracy for w in report.water if w.change == "blur"), "an even colour stays"


def test_the_page_stands_alone(toy_model: Path, found: Evaluation) -> None:
    page = to_html(toy_model, found, provider="cpu")
    assert page.count("<svg") == 3
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page
    assert 'alt="what would speak for Fish"' in page
    assert "var(--accent)" in page
    assert "Of 100 photographs like these, about 92 get their right name" in page
    assert "DejaVu" not in page, "plots take the page's letters"


def test_a_picture_that_went_away_leaves_a_gap_and_no_error(toy_model: Path, found: Evaluation) -> None:
    Path(found.report.mistakes[0].file).unlink()
    assert "the file is no longer there" in to_html(toy_model, found, provider="cpu")


def test_two_models_stand_side_by_side(toy_model: Path, tree: Path, found: Evaluation, tmp_path: Path) -> None:
    # The same arithmetic under other names: it takes every turtle for a fish and the other way round.
    worse = write_toy_model(tmp_path / "worse.onnx", ["Turtle", "Octopus", "Fish"], size=64)
    other = measure(worse, tree, provider="cpu")
    versus = compare("toy.onnx", found.by_picture(), "worse.onnx", other.by_picture())
    assert (len(versus.gained), len(versus.lost), versus.pictures) == (7, 0, 12)
    page = to_html(toy_model, found, other, versus, provider="cpu")
    assert "toy.onnx is better than worse.onnx" in page
    assert "Gained" in page
    told = json.loads(to_json(found.report, other.report, versus))
    assert told["comparison"]["p_value"] == pytest.approx(2 / 2**7)
    assert told["against"]["accuracy"] == other.report.accuracy
    assert "against" not in json.loads(to_json(found.report, None, None))


def test_a_perfect_model_has_a_page_too(toy_model: Path, tree: Path) -> None:
    (tree / "Fish" / "0.png").unlink()
    perfect = measure(toy_model, tree, provider="cpu")
    assert perfect.report.mistakes == ()
    assert "The worst mistakes" not in to_html(toy_model, perfect, provider="cpu")


def test_a_foreign_tree_without_pictures_is_refused(toy_model: Path, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="no picture of anything foreign"):
        measure(toy_model, tree, foreign=[tmp_path / "nothing"], provider="cpu")
