"""Trials as a table that a program reads, and a picture in which the best one is seen."""

from __future__ import annotations

import csv
import io

import cv2
import numpy as np
import pytest

pytest.importorskip("keras_tuner")

from realtime.errors import SettingsError
from training.space import VARIED, SearchOptions, chosen, search_space
from training.trials import TrialRow, draw_trials, ranked, trials_csv


def row(number: int, accuracy: float | None, seed: int = 0) -> TrialRow:
    space = search_space("block4")
    values = chosen({hp.name: hp.random_sample(number + seed) for hp in space.space})
    failed = accuracy is None
    return TrialRow(
        str(number), "failed" if failed else "completed", accuracy, 3, 1.25, "", values, 'a, "b"' if failed else ""
    )


def test_the_table_reads_back() -> None:
    rows = [row(1, 0.5), row(2, None), row(3, 0.625)]
    table = list(csv.DictReader(io.StringIO(trials_csv(rows))))
    assert [line["trial"] for line in table] == ["1", "2", "3"]
    assert [line["val_accuracy"] for line in table] == ["0.5", "", "0.625"]
    assert table[1]["reason"] == 'a, "b"'
    assert set(VARIED) <= table[0].keys()
    assert float(table[0]["learning_rate"]) == rows[0].values["learning_rate"]


def test_trials_are_ranked_without_those_that_failed() -> None:
    rows = [row(1, 0.5), row(2, None), row(3, 0.7), row(4, 0.7)]
    assert [entry.trial for entry in ranked(rows)] == ["3", "4", "1"]


@pytest.mark.parametrize("count", [1, 2, 40])
def test_the_best_trial_is_seen_from_the_first_axis_to_the_last(count: int) -> None:
    rows = [row(i, 0.3 + 0.01 * (i % 17), 5) for i in range(count)] + [row(99, None)]
    picture = cv2.imdecode(np.frombuffer(draw_trials(rows, "a search"), np.uint8), cv2.IMREAD_COLOR_RGB)
    best = np.abs(picture.astype(int) - (0xC2, 0x41, 0x0C)).max(axis=2) < 12
    found = np.flatnonzero(best.any(axis=0))
    assert found.min() < 0.1 * picture.shape[1]
    assert found.max() > 0.9 * picture.shape[1]


def test_values_lose_the_dust_of_summed_steps() -> None:
    assert chosen({"dropout": 0.30000000000000004, "tuner/epochs": 3, "dense_units": 256}) == {
        "dense_units": 256,
        "dropout": 0.3,
    }


@pytest.mark.parametrize(("name", "value"), [("algorithm", "grid"), ("trials", 0)])
def test_searches_that_cannot_be_are_refused(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"{name}: expected .*, received"):
        SearchOptions(**{name: value})
