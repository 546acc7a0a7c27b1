"""A training that is killed goes on and ends as if nothing had happened."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from few_filters import few_filters  # noqa: E402

from realtime.contract import UNKNOWN_SCORE, ModelContract  # noqa: E402
from realtime.errors import ResultsError, SettingsError  # noqa: E402
from training.options import TrainOptions, begun_options  # noqa: E402
from training.progress import Silent  # noqa: E402
from training.run import train  # noqa: E402

DYING = Path(__file__).with_name("dying.py")


@pytest.fixture(scope="module", autouse=True)
def _few_filters() -> Iterator[None]:
    with few_filters():
        yield


class Lines(Silent):
    """Keeps what is said, and what is begun."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tasks: list[str] = []

    def begin(self, task: str, total: int) -> None:
        self.tasks.append(task)

    def say(self, line: str) -> None:
        self.lines.append(line)


def short(photographs: Path, out: Path, **changes: object) -> TrainOptions:
    options = TrainOptions(
        data=(photographs,),
        out=out,
        weights="none",
        image_size=32,
        head_epochs=3,
        epochs=4,
        unfreeze="block4",
        batch_size=8,
        dense_units=8,
        views=2,
        limit=8,
        patience=9,
        val_share=0.3,
        learning_rate=0.01,
        seed=4,
    )
    return replace(options, **changes)  # type: ignore[arg-type]


def history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open() as file:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_as_one_that_was_left_alone(toy_photographs: Path, tmp_path: Path) -> None:
    alone = train(short(toy_photographs, tmp_path / "alone" / "run"))
    options = short(toy_photographs, tmp_path / "killed" / "run")
    (tmp_path / "options.json").write_text(json.dumps(options.to_dict()))
    moments = ["head 2/3", "1", "head 3/3", "2", "block5 1/2", "1", "block4 2/2", "2"]
    command = [sys.executable, str(DYING), "--few-filters", str(tmp_path / "options.json"), *moments]
    died = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert died.returncode == -signal.SIGKILL, died.stderr[-2000:]
    lines = Lines()
    train(options, lines, resume=True)
    assert "block4: going on after epoch 1" in lines.lines, "one epoch is lost, not more"
    assert not [task for task in lines.tasks if task.startswith(("features", "head", "block5"))]

    run = options.out
    assert history(run) == history(alone)
    ours, theirs = (keras.saving.load_model(path / "model.keras", compile=False) for path in (run, alone))
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    contracts = [ModelContract.from_json((path / "contract.json").read_text()) for path in (run, alone)]
    assert contracts[0].thresholds.show == pytest.approx(contracts[1].thresholds.show, rel=1e-4)
    assert contracts[0].temperature == pytest.approx(contracts[1].temperature, rel=1e-4)
    assert sorted(path.name for path in run.iterdir()) == sorted(path.name for path in alone.iterdir())


class Unplugged(Silent):
    """Breaks off in the middle of an epoch."""

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch
        self._now = ""

    def begin(self, task: str, total: int) -> None:
        self._now = task

    def advance(self, steps: int = 1, note: str = "") -> None:
        if self._now == self._epoch:
            raise KeyboardInterrupt


def test_fresh_views_and_mixed_precision_go_on_to_the_same_end_too(toy_photographs: Path, tmp_path: Path) -> None:
    options = short(toy_photographs, tmp_path / "alone" / "run", head_epochs=1, epochs=2, unfreeze="block5", limit=4)
    options = replace(options, fresh_views=True, mixed_precision=True)
    alone = train(options)
    options = replace(options, out=tmp_path / "broken" / "run")
    for epoch in ("block5 1/2", "block5 2/2"):
        with pytest.raises(KeyboardInterrupt):
            train(options, Unplugged(epoch), resume=True)
    lines = Lines()
    train(options, lines, resume=True)
    assert "block5: going on after epoch 1" in lines.lines
    assert not [task for task in lines.tasks if task.startswith("features")], "nothing is left that learns from them"
    assert history(options.out) == history(alone)
    contracts = [json.loads((run / "contract.json").read_text()) for run in (options.out, alone)]
    assert contracts[0]["temperature"] == pytest.approx(contracts[1]["temperature"], rel=1e-4)


@pytest.fixture(scope="module")
def finished(toy_photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainOptions:
    options = short(toy_photographs, tmp_path_factory.mktemp("resume") / "run", head_epochs=1, epochs=1, limit=4)
    train(options)
    return options


def test_a_finished_run_is_left_alone(finished: TrainOptions) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.out.iterdir()}
    lines = Lines()
    assert train(finished, lines, resume=True) == finished.out
    assert lines.lines == [f"{finished.out}: is finished; nothing is left to do"]
    assert {path: path.stat().st_mtime_ns for path in finished.out.iterdir()} == before


def test_a_run_that_an_earlier_version_calibrated_is_calibrated_anew_and_not_trained(finished: TrainOptions) -> None:
    run = finished.out
    new = (run / "contract.json").read_text()
    weights = (run / "model.keras").read_bytes()
    old = replace(ModelContract.from_json(new), unknown_score="one-minus-max-probability")
    (run / "contract.json").write_text(old.to_json())
    (run / "unknown.npz").unlink()
    lines = Lines()
    train(finished, lines, resume=True)
    found = ModelContract.from_json((run / "contract.json").read_text())
    assert found.unknown_score == UNKNOWN_SCORE
    assert found.temperature == pytest.approx(ModelContract.from_json(new).temperature, rel=1e-3)
    assert (run / "unknown.npz").is_file()
    assert (run / "model.keras").read_bytes() == weights
    assert not [task for task in lines.tasks if task.startswith(("head", "block"))]
    assert not list(run.glob(".*")), "no features, no checkpoint"


def test_other_options_are_refused_by_name(finished: TrainOptions) -> None:
    with pytest.raises(SettingsError, match=r"epochs: this run was begun with 1, received 5; leave the option out"):
        train(replace(finished, epochs=5), resume=True)


def test_the_options_of_a_run_are_those_it_was_begun_with(finished: TrainOptions, tmp_path: Path) -> None:
    assert TrainOptions.from_dict(begun_options(finished.out) or {}) == finished
    assert begun_options(tmp_path) is None
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ResultsError, match=r"config\.json: cannot be read"):
        begun_options(tmp_path)
    with pytest.raises(SettingsError, match="colour: no option of this version"):
        TrainOptions.from_dict({**finished.to_dict(), "colour": "red"})
    young = finished.to_dict()
    del young["balance"]
    assert TrainOptions.from_dict(young) == finished, "an option that came later has its default"
    del young["contradictions"]
    assert TrainOptions.from_dict(young).contradictions == "pixels", "what was left out then is left out now"


def test_other_photographs_are_refused(finished: TrainOptions) -> None:
    run = finished.out
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "data_hash": "0" * 64}))
    (run / "state.json").write_text('{"stage": "fine-tune"}')
    with pytest.raises(ResultsError, match="the photographs have changed since this run began"):
        train(finished, resume=True)
