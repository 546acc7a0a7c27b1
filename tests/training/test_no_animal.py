"""A folder `none` or `background` is learnt as "no animal", and a model that says so makes no sighting."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from PIL import Image
from toy_onnx import write_toy_model

from dives.process import ProcessOptions, process
from realtime.contract import ModelContract
from realtime.engine import Engine
from realtime.errors import DataError
from training.evaluate import evaluate
from training.photographs import find_photographs


def water(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(count)
    for i in range(count):
        Image.fromarray(rng.integers(60, 120, (40, 50, 3), np.uint8)).save(folder / f"{i}.png")
    return folder.parent


def test_folders_of_both_names_are_one_class_called_none(tmp_path: Path, toy_photographs: Path) -> None:
    trees = [toy_photographs, water(tmp_path / "a" / "Background", 2), water(tmp_path / "b" / "NONE", 3)]
    found = find_photographs(trees)
    assert found.labels == ("Fish", "none", "Octopus", "Sea Turtle")
    assert sum(file.label == 1 for file in found.files) == 5


def test_a_model_without_such_a_class_names_the_way_to_measure_it(toy_model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no class for pictures without an animal; `reeflens evaluate --empty`"):
        evaluate(toy_model, water(tmp_path / "tree" / "background", 2), provider="cpu")


def test_empty_water_is_right_and_shows_no_label(tmp_path: Path) -> None:
    model = write_toy_model(tmp_path / "toy.onnx", ["Fish", "Octopus", "none"])
    for name, colour in {"Fish": (250, 20, 20), "background": (20, 20, 250)}.items():
        (tmp_path / "tree" / name).mkdir(parents=True)
        Image.new("RGB", (40, 30), colour).save(tmp_path / "tree" / name / "1.png")
    report = evaluate(model, tmp_path / "tree", provider="cpu", empty=[tmp_path / "tree" / "background"])
    assert (report.accuracy, report.shown_share, report.shown_accuracy) == (1.0, 0.5, 1.0)
    assert report.false_alarm_share == 0.0


def test_a_dive_has_no_sighting_of_nothing(tmp_path: Path) -> None:
    """The clip is red, green and blue by turns, and blue is what this model calls empty water."""
    model = write_toy_model(tmp_path / "toy.onnx", ["Fish", "Octopus", "none"])
    clip = write_clip(tmp_path / "dive.mp4", frames=90)
    with Engine.open(model, provider="cpu") as engine:
        done = process(clip, tmp_path / "dive", engine, ProcessOptions())
    labels = [engine.contract.labels[sighting.label_index] for sighting in done.sightings]
    assert labels
    assert "none" not in labels
    with (tmp_path / "dive" / "frames.csv").open(newline="") as file:
        assert "none" in {line["stable_label"] for line in csv.DictReader(file)}


def test_training_carries_it_into_the_contract(tmp_path: Path, toy_photographs: Path) -> None:
    pytest.importorskip("keras")
    from few_filters import few_filters

    from training.options import TrainOptions
    from training.run import train

    tree = tmp_path / "tree"
    shutil.copytree(toy_photographs, tree)
    water(tree / "background", 14)
    given = {"weights": "none", "image_size": 32, "head_epochs": 1, "epochs": 0, "dense_units": 4, "views": 1}
    with few_filters():
        run = train(TrainOptions(data=(tree,), out=tmp_path / "run", **given))
    contract = ModelContract.from_json((run / "contract.json").read_text())
    assert contract.labels == ("Fish", "none", "Octopus", "Sea Turtle")
    assert contract.no_animal == 1
    assert set(contract.taxonomy) <= {"Fish", "Octopus", "Sea Turtle"}
