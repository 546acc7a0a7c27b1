"""The model card says what was measured, and refuses to describe another model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from realtime.contract import ModelContract
from realtime.engine import read_contract
from realtime.errors import ContractError
from training.card import model_card
from training.empty_water import EmptyScene
from training.evaluate import EvaluationReport, Foreign, evaluate
from training.robustness import WaterScore


@pytest.fixture(scope="module")
def measured(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelContract, EvaluationReport]:
    tree = tmp_path_factory.mktemp("test")
    for name, colour in {"Fish": "red", "Octopus": "lime", "Turtle": "blue"}.items():
        (tree / name).mkdir()
        Image.new("RGB", (32, 32), colour).save(tree / name / "1.png")
        Image.new("RGB", (33, 32), "red").save(tree / name / "2.png")
    return replace(read_contract(toy_model), taxonomy={"Octopus": "Octopoda"}), evaluate(toy_model, tree)


def test_the_card_gives_the_figures_with_their_count_and_interval(measured) -> None:
    contract, report = measured
    card = model_card(contract, report, title="Reef")
    assert card.startswith("# Reef\n")
    assert "On 6 held-out test photographs" in card
    assert f"66.7% (95 % interval {report.accuracy_low:.1%} to {report.accuracy_high:.1%})" in card
    assert "| Octopus | Octopoda | 1.00 | 0.50 | 0.67 | 2 |" in card
    assert "32 x 32 pixels, RGB, uint8" in card
    assert "| Precision | fp32 |" in card
    assert "Expected calibration error (15 bins)" in card
    assert "Octopus as Fish (1)" in card
    assert report.model_sha256 in card
    assert contract.provenance.data_hash in card


def test_the_card_says_how_the_file_agrees_with_float32_where_that_was_measured(measured) -> None:
    contract, report = measured
    assert "Against the same network in float32" not in model_card(contract, report)
    found = {"pictures": 1365, "same_label": 0.981, "probability_drift": 0.00412, "map_correlation": 0.9876}
    metrics = {f"fp32_{name}": float(value) for name, value in found.items()}
    card = model_card(replace(contract, provenance=replace(contract.provenance, metrics=metrics)), report)
    assert "on 1,365 photographs" in card
    assert "the same label for 98.1%, probabilities off by 0.0041 on average" in card
    assert "correlate by 0.988." in card


def test_the_card_says_what_the_pictures_are_and_that_it_is_a_starting_point(measured) -> None:
    card = model_card(*measured)
    assert "sea-animals image set, 3 classes" in card
    assert "belong to their photographers; no picture is shipped" in card
    assert "It is a starting point to be fine-tuned" in card


def test_the_card_says_how_well_the_unknown_is_known(measured) -> None:
    contract, report = measured
    assert "AUROC of the unknown score" not in model_card(contract, report)
    assert "Refused as unknown above | 0.60 (score: one-minus-max-probability)" in model_card(contract, report)
    scene = EmptyScene("tunnel.mp4", "video", 130, 13.0, 0.25, {"Turtle": 0.25})
    card = model_card(contract, replace(report, unknown_auroc=0.78, empty=(scene,), false_alarm_share=0.25))
    assert "| AUROC of the unknown score, by leaving classes out (validation) | 0.78 |" in card
    assert "25.0% (tunnel.mp4: a label for 25.0% of 13.0 s (Turtle 25%))" in card


def test_the_card_has_what_was_measured_on_foreign_pictures_and_in_worse_water(measured) -> None:
    contract, report = measured
    water = tuple(WaterScore("haze", level, s, s, 0.0, 1.0, 0.5, 0.5) for level, s in (("light", 0.5), ("heavy", 0.25)))
    card = model_card(contract, replace(report, foreign=Foreign(40, 0.8, 0.7, 0.9, 0.5, 0.1), water=water))
    assert "does not know | 0.80 (95 % interval 0.70 to 0.90), 40 pictures |" in card
    assert "| Accuracy in haze: light, heavy | 50.0%, 25.0% |" in card


def test_words_can_be_replaced_and_added(measured) -> None:
    card = model_card(*measured, data="My own dives.", weaknesses=["Murk."], notes=["## Speed\n\nFast."])
    assert "## Data\n\nMy own dives.\n" in card
    assert "- Murk.\n- Weakest on the test pictures: " in card
    assert "## Speed\n\nFast.\n\n## Provenance" in card


def test_a_report_of_another_run_is_refused(measured) -> None:
    contract, report = measured
    with pytest.raises(ContractError, match="run_id: the report is of 'other', the model of 'toy'"):
        model_card(contract, replace(report, run_id="other"))


def test_a_report_on_the_training_pictures_is_refused(measured) -> None:
    contract, report = measured
    learnt = replace(contract, provenance=replace(contract.provenance, data_hash=report.data_hash))
    with pytest.raises(ContractError, match="data_hash: the report is on the training pictures"):
        model_card(learnt, report)


def test_every_table_has_as_many_cells_in_each_row_as_in_its_head(measured) -> None:
    contract, report = measured
    awkward = replace(report, per_class=(replace(report.per_class[0], label="a|b"), *report.per_class[1:]))
    for block in model_card(contract, awkward).split("\n\n"):
        if block.startswith("|"):
            cells = {line.replace("\\|", "").count("|") for line in block.splitlines()}
            assert len(cells) == 1, block
