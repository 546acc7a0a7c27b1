"""Options are checked before anything expensive starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from realtime.errors import SettingsError
from training.options import TrainOptions, read_options

GOOD = {"data": (Path("photos"),), "out": Path("run")}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data", ()),
        ("weights", ""),
        ("image_size", 0),
        ("image_size", 16),
        ("image_size", 100),
        ("head_epochs", 0),
        ("epochs", -1),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("fine_tune_rate", float("nan")),
        ("dense_units", 0),
        ("dropout", 1.0),
        ("unfreeze", "block6"),
        ("views", 0),
        ("limit", 0),
        ("val_share", 0.0),
        ("val_share", 1.0),
        ("label_smoothing", -0.1),
        ("balance", 2.0),
        ("mixup", -0.1),
        ("augment", 1.1),
        ("optimizer", "lion"),
        ("patience", 0),
        ("seed", -1),
    ],
)
def test_an_unusable_option_is_named_with_what_was_received(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: expected .*, received"):
        TrainOptions(**{**GOOD, name: value})


@pytest.mark.parametrize(("changes", "fine_tunes"), [({}, True), ({"unfreeze": "none"}, False), ({"epochs": 0}, False)])
def test_there_is_a_second_stage_only_when_something_is_unfrozen_for_some_epochs(
    changes: dict[str, object], fine_tunes: bool
) -> None:
    assert TrainOptions(**{**GOOD, **changes}).fine_tunes is fine_tunes


def test_options_fit_into_json() -> None:
    raw = json.loads(json.dumps(TrainOptions(**GOOD, val=(Path("held"),)).to_dict()))
    assert raw["data"] == ["photos"]
    assert raw["val"] == ["held"]
    assert raw["out"] == "run"
    assert raw["image_size"] == 224


def test_a_file_of_options_is_read_and_a_foreign_one_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "best.json"
    path.write_text('{"optimizer": "sgd", "dropout": 0.3}')
    assert TrainOptions(**GOOD, **read_options(path)).optimizer == "sgd"
    for text, told in (
        ('{"colour": 1}', "'colour' is no option"),
        ('{"out": "x"}', "'out' is no"),
        ("[]", "list"),
        ("{", "no JSON"),
    ):
        path.write_text(text)
        with pytest.raises(SettingsError, match=told):
            read_options(path)
    with pytest.raises(SettingsError, match=r"gone\.json: cannot be read"):
        read_options(tmp_path / "gone.json")
