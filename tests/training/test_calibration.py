"""The constants are those that the pictures ask for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from training.calibration import calibrate
from training.foreign import Observed


def observed(seed: int, count: int = 240) -> Observed:
    """Three classes along three axes; the third is never mistaken for another, nor another for it."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    features = np.abs(rng.normal(0, 0.15, (count, 6)))
    features[np.arange(count), labels] += 1.0
    logits = rng.normal(0, 0.4, (count, 3))
    logits[np.arange(count), labels] += 1.5
    mixed = labels < 2
    logits[mixed, :2] += rng.normal(0, 1.5, (int(mixed.sum()), 2))
    logits[mixed, 2] -= 6.0
    logits[~mixed, 2] += 6.0
    return Observed(features.astype(np.float32), logits.astype(np.float32), labels)


def test_pictures_of_nothing_do_not_count_when_the_threshold_for_showing_a_label_is_chosen() -> None:
    seen, held = observed(1), observed(2)
    animals = calibrate(seen, held, ("Crab", "Fish", "Otter"), 0)
    with_none = calibrate(seen, held, ("Crab", "Fish", "none"), 0)
    assert with_none.thresholds.show > animals.thresholds.show, "easy pictures of nothing buy no wrong labels"
    assert with_none.temperature == animals.temperature
    assert with_none.facts["shown_precision"] >= 0.9
    assert with_none.facts["shown_share"] < 2 / 3


def test_the_command_writes_the_constants_that_its_photographs_give(
    toy_photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorflow")
    import json

    from few_filters import few_filters

    from cli.app import main
    from export.convert import export
    from realtime.engine import Engine, read_contract
    from training.options import TrainOptions
    from training.run import train

    model, out = tmp_path / "toy.onnx", tmp_path / "new.onnx"
    given = {"weights": "none", "image_size": 32, "head_epochs": 3, "epochs": 0, "dense_units": 8, "views": 1}
    with few_filters():
        run = train(TrainOptions(data=(toy_photographs,), out=tmp_path / "run", **given))
    export(run, model)
    trees = [str(toy_photographs), "--val", str(toy_photographs)]
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", str(model), *trees, "--out", str(out), "--json"])
    assert ended.value.code == 0
    told = json.loads(capsys.readouterr().out)
    contract = read_contract(out)
    assert told["pictures"] == [42, 42]
    assert contract.temperature == told["temperature"]
    assert contract.thresholds.show == told["show"]
    assert contract.provenance.metrics["unknown_auroc"] == told["unknown_auroc"]
    frames = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    with Engine.open(model, provider="cpu") as engine, Engine.open(out, provider="cpu") as other:
        np.testing.assert_array_equal(engine.run(frames).cam, other.run(frames).cam)
