"""A search survives kills, failures and being shared, and ends with a run that is trained by what it found."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("keras_tuner")

from few_filters import few_filters

from realtime.errors import ReeflensError, ResultsError, SettingsError
from training.options import TrainOptions, read_options
from training.progress import Silent
from training.space import VARIED, SearchOptions
from training.trials import TrialRow
from training.tune import begun_search, rows_of, tune
from training.tuner import role_of

DYING = Path(__file__).with_name("dying.py")
REEFLENS = Path(__file__).with_name("few_filters.py")
FIVE = SearchOptions(trials=5)  # with 3 epochs: three of 1, the best of them goes on to 3, and another bracket begins


@pytest.fixture(scope="module", autouse=True)
def _few_filters() -> Iterator[None]:
    with few_filters():
        yield


class Watching(Silent):
    """Keeps what is begun and said, and raises where a task begins so."""

    def __init__(self, fatal: str | None = None, error: BaseException | None = None) -> None:
        self.tasks: list[str] = []
        self.lines: list[str] = []
        self._fatal, self._error = fatal, error

    def begin(self, task: str, total: int) -> None:
        self.tasks.append(task)
        if self._fatal is not None and task.startswith(self._fatal) and self._error is not None:
            raise self._error

    def say(self, line: str) -> None:
        self.lines.append(line)

    def trials_run(self) -> list[str]:
        """The numbers of the trials that were begun, each once."""
        return list(dict.fromkeys(task.split()[1].split("/")[0] for task in self.tasks if task.startswith("trial ")))

    def trials_ended(self) -> list[str]:
        """The numbers of the trials whose end was told: those, too, that had nothing left to learn."""
        return [line.split()[1].rstrip(":") for line in self.lines if line.startswith("trial ")]


def short(photographs: Path, out: Path) -> TrainOptions:
    return TrainOptions(
        data=(photographs,),
        out=out,
        weights="none",
        image_size=32,
        head_epochs=1,
        epochs=3,
        batch_size=8,
        views=2,
        limit=6,
        val_share=0.3,
        seed=0,
    )


def told(rows: tuple[TrialRow, ...]) -> list[TrialRow]:
    return [replace(row, seconds=None) for row in rows]


@pytest.fixture(scope="module")
def searched(toy_photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Watching]:
    watching = Watching()
    out = tmp_path_factory.mktemp("searched") / "run"
    tune(short(toy_photographs, out), FIVE, watching)
    return out, watching


def test_a_search_leaves_a_finished_run_and_tells_how_it_was_found(searched: tuple[Path, Watching]) -> None:
    run, watching = searched
    assert json.loads((run / "state.json").read_text())["stage"] == "done"
    best = read_options(run / "tuning" / "best.json")
    config = json.loads((run / "config.json").read_text())["options"]
    assert {name: config[name] for name in best} == best, "the run was trained with the best options"
    with (run / "tuning" / "trials.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["trial"] for row in table] == ["1", "2", "3", "4", "5"]
    assert {row["status"] for row in table} == {"completed"}
    assert [row["epochs"] for row in table] == ["1", "1", "1", "3", "3"]
    assert table[3]["continues"] in {"1", "2", "3"}
    first = max(table, key=lambda row: float(row["val_accuracy"]))
    assert all(str(best[name]) == first[name] for name in VARIED)
    assert (run / "tuning" / "trials.png").read_bytes().startswith(b"\x89PNG")
    assert not list(run.rglob(".*")), "neither features nor states are left"
    assert sum(task.startswith("features") for task in watching.tasks) == 2, "once for each side, the last run included"


def test_a_trial_goes_on_from_the_state_of_the_one_it_continues(searched: tuple[Path, Watching]) -> None:
    run, watching = searched
    rows = rows_of(run / "tuning" / "trials")
    tasks = [task for task in watching.tasks if task.startswith("trial 4/5")]
    if rows[3].values["unfreeze"] == "block5":
        assert tasks == ["trial 4/5 block5 2/3", "trial 4/5 block5 3/3"]
    assert rows[3].accuracy >= rows[int(rows[3].continues) - 1].accuracy


def test_a_search_is_not_overwritten_and_a_finished_one_is_left_alone(
    searched: tuple[Path, Watching], toy_photographs: Path
) -> None:
    run, _ = searched
    options = short(toy_photographs, run)
    with pytest.raises(ResultsError, match="holds a search or a run; go on with --resume"):
        tune(options, FIVE)
    again = Watching()
    assert tune(options, FIVE, again, resume=True).rows == rows_of(run / "tuning" / "trials")
    assert not again.tasks
    assert begun_search(run) == (options.to_dict(), {"algorithm": "hyperband", "trials": 5})


@pytest.mark.parametrize("algorithm", ["bayesian", "random"])
def test_a_failed_trial_does_not_end_the_search(algorithm: str, toy_photographs: Path, tmp_path: Path) -> None:
    options = replace(short(toy_photographs, tmp_path / "run"), epochs=1)
    broken = Watching("trial 2/", RuntimeError("out of\nmemory"))
    rows = tune(options, SearchOptions(algorithm, 4), broken).rows
    assert [row.status for row in rows] == ["completed", "failed", "completed", "completed"]
    assert rows[1].reason == "out of memory"
    assert "trial 2: failed (out of memory)" in broken.lines


def test_five_failures_in_a_row_end_it_with_the_reason(toy_photographs: Path, tmp_path: Path) -> None:
    broken = Watching("trial ", RuntimeError("no GPU"))
    options = short(toy_photographs, tmp_path / "run")
    with pytest.raises(ReeflensError, match="5 trials in a row failed, the last with: no GPU"):
        tune(options, SearchOptions(trials=9), broken)


def test_ctrl_c_and_other_settings(searched: tuple[Path, Watching], toy_photographs: Path, tmp_path: Path) -> None:
    options = short(toy_photographs, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        tune(options, FIVE, Watching("trial 3/5 block5 1/1", KeyboardInterrupt()))
    with pytest.raises(SettingsError, match="trials: this search was begun with 5, received 7"):
        tune(options, SearchOptions(trials=7), resume=True)
    with pytest.raises(SettingsError, match="epochs: this search was begun with 3, received 4"):
        tune(replace(options, epochs=4), FIVE, resume=True)
    resumed = Watching()
    rows = tune(options, FIVE, resumed, resume=True).rows
    assert resumed.trials_run() == resumed.trials_ended() == ["3", "4", "5"]
    assert not [task for task in resumed.tasks if task.startswith("features")]
    assert told(rows) == told(rows_of(searched[0] / "tuning" / "trials"))


@pytest.mark.slow
def test_a_search_killed_in_a_trial_loses_that_trial_and_ends_as_one_left_alone(
    searched: tuple[Path, Watching], toy_photographs: Path, tmp_path: Path
) -> None:
    options = short(toy_photographs, tmp_path / "run")
    (tmp_path / "options.json").write_text(json.dumps(options.to_dict()))
    asked = ["--few-filters", "--trials", "5", str(tmp_path / "options.json"), "trial 2/5 head 1/1", "2"]
    command = [sys.executable, str(DYING), *asked]
    died = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert died.returncode == -signal.SIGKILL, died.stderr[-2000:]
    resumed = Watching()
    rows = tune(options, FIVE, resumed, resume=True).rows
    assert resumed.trials_run() == resumed.trials_ended() == ["2", "3", "4", "5"]
    assert told(rows) == told(rows_of(searched[0] / "tuning" / "trials"))


@pytest.mark.parametrize(
    ("environment", "chief", "worker"),
    [
        ({}, False, False),
        ({"KERASTUNER_TUNER_ID": "chief"}, False, False),
        ({"KERASTUNER_ORACLE_IP": "h", "KERASTUNER_ORACLE_PORT": "1", "KERASTUNER_TUNER_ID": "chief"}, True, False),
        ({"KERASTUNER_ORACLE_IP": "h", "KERASTUNER_ORACLE_PORT": "1", "KERASTUNER_TUNER_ID": "a"}, False, True),
    ],
)
def test_the_variables_of_the_tuner_give_the_role(environment: dict[str, str], chief: bool, worker: bool) -> None:
    role = role_of(environment)
    assert (role.chief, role.worker) == (chief, worker)


def test_half_of_the_variables_are_refused() -> None:
    with pytest.raises(SettingsError, match="KERASTUNER_TUNER_ID: not set; a shared search needs"):
        role_of({"KERASTUNER_ORACLE_IP": "h", "KERASTUNER_ORACLE_PORT": "1"})


class Process:
    """`reeflens tune` as a tuner of this name; a context manager that leaves nothing running."""

    def __init__(self, name: str, port: int, photographs: Path, out: Path) -> None:
        options = "--weights none --image-size 32 --head-epochs 1 --epochs 1 --batch-size 8 --views 2 --limit 6"
        search = "--algorithm random --trials 4 --unfreeze none"
        command = [sys.executable, str(REEFLENS), "tune", str(photographs), "--out", str(out)]
        variables = {"TUNER_ID": name, "ORACLE_IP": "127.0.0.1", "ORACLE_PORT": str(port)}
        self._process = subprocess.Popen(
            [*command, *options.split(), *search.split()],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, **{f"KERASTUNER_{key}": value for key, value in variables.items()}},
        )
        self.lines: list[str] = []

    def until(self, beginning: str) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(line.strip())
            if line.startswith(beginning):
                return
        raise AssertionError(f"{beginning!r} was never said: {self.lines[-5:]}")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def ended(self) -> tuple[int, str]:
        out, err = self._process.communicate(timeout=300)
        self.lines += err.splitlines()
        return self._process.returncode, out

    def trials(self) -> set[str]:
        return {line.split(":")[0] for line in self.lines if line.startswith("trial ") and "%" in line}

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


@pytest.mark.slow
def test_two_workers_share_a_search(toy_photographs: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    out = tmp_path / "run"
    with Process("chief", port, toy_photographs, out) as chief, Process("a", port, toy_photographs, out) as a:
        a.until("trial 1:")
        a.signal(signal.SIGSTOP)  # in its second trial, or about to ask for it
        with Process("b", port, toy_photographs, out) as b:
            assert b.ended()[0] == 0, b.lines[-5:]
            a.signal(signal.SIGCONT)
            assert a.ended()[0] == 0, a.lines[-5:]
            code, printed = chief.ended()
        assert code == 0, chief.lines[-5:]
        assert a.trials()
        assert b.trials()
        assert not a.trials() & b.trials(), "no trial is run twice"
    assert printed.splitlines()[-1] == str(out)
    rows = rows_of(out / "tuning" / "trials")
    assert [row.status for row in rows] == ["completed"] * 4
    assert a.trials() | b.trials() == {f"trial {row.trial}" for row in rows}
    assert json.loads((out / "state.json").read_text())["stage"] == "done"
    assert not list(out.rglob(".*"))
