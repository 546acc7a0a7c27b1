"""`reeflens tune` tells what it found as a table, and `train` takes what it wrote."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

pytest.importorskip("keras_tuner")

from cli.models import train
from cli.tune import _table, tune
from training.options import TrainOptions
from training.space import VARIED, chosen, search_space
from training.trials import TrialRow


def test_the_table_shows_the_best_ten_and_counts_the_failed() -> None:
    values = chosen({hp.name: hp.random_sample(3) for hp in search_space("block4").space})
    rows = [TrialRow(str(i), "completed", 0.5 + i / 100, 3, 1.0, "", values, "") for i in range(1, 13)]
    rows.append(TrialRow("13", "failed", None, 3, None, "", values, "no memory"))
    text = io.StringIO()
    Console(file=text, width=132).print(_table(tuple(rows)))
    lines = text.getvalue().splitlines()
    assert lines[0].startswith("the best of 13 trials, 1 of them failed")
    assert len(lines[1].split()) >= len(VARIED) + 3
    assert [line.split()[:2] for line in lines[2:]] == [[str(i), f"{0.5 + i / 100:.1%}"] for i in range(12, 2, -1)]


def test_a_search_without_photographs_is_wrong_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(tune, ["--out", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert "Missing argument 'DATA...'" in result.output


def test_train_takes_what_is_not_said_from_a_file_of_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[TrainOptions] = []

    def noted(options: TrainOptions, reporter: object, *, resume: bool) -> Path:
        seen.append(options)
        return options.out

    monkeypatch.setattr("training.run.train", noted)
    found = tmp_path / "best.json"
    found.write_text(json.dumps({"optimizer": "sgd", "dropout": 0.3, "dense_units": 512}))
    command = ["photos", "--out", "run", "--options", str(found), "--dropout", "0.1"]
    result = CliRunner().invoke(train, command, catch_exceptions=False)
    assert result.exit_code == 0
    assert (seen[0].optimizer, seen[0].dense_units, seen[0].dropout) == ("sgd", 512, 0.1)
