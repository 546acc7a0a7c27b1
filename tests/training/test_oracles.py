"""The algorithms go on after a kill between any two writes, and after trials that fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("keras_tuner")

from training.oracles import CHECKPOINT, OBJECTIVE, make_oracle
from training.space import SearchOptions, search_space


def opened(folder: Path, algorithm: str = "hyperband", trials: int = 9):
    oracle = make_oracle(SearchOptions(algorithm, trials), search_space("block4"), 3, 0)
    oracle.verbose = 0
    oracle._set_project_dir(str(folder), "trials")
    return oracle


def run(oracle, status: str = "COMPLETED", accuracy: float = 0.5):
    trial = oracle.create_trial("tuner0")
    Path(oracle._get_trial_dir(trial.trial_id), CHECKPOINT).write_bytes(b"state")
    if status == "COMPLETED":
        oracle.update_trial(trial.trial_id, {OBJECTIVE: accuracy})
    trial.status = status
    oracle.end_trial(trial)
    return trial


@pytest.mark.parametrize("algorithm", ["hyperband", "bayesian", "random"])
def test_a_search_is_the_same_whether_it_was_broken_off_or_not(algorithm: str, tmp_path: Path) -> None:
    def values(folder: Path, broken: bool) -> list:
        oracle = opened(folder, algorithm)
        found = []
        for i in range(6):
            if broken and i % 2:
                oracle.create_trial("tuner0")  # killed in it
                oracle = opened(folder, algorithm)
                oracle.reload()
            found.append(run(oracle, accuracy=0.1 * (i % 4)).hyperparameters.values)
        return found

    if algorithm == "bayesian":  # its random state is not kept; the trials that it proposes are as good
        assert len(values(tmp_path / "b", True)) == 6
    else:
        assert values(tmp_path / "a", False) == values(tmp_path / "b", True)


def test_a_trial_that_the_state_does_not_know_is_forgotten(tmp_path: Path) -> None:
    oracle = opened(tmp_path)
    run(oracle)
    oracle.save()
    state = (tmp_path / "trials" / "oracle.json").read_text()
    lost = oracle.create_trial("tuner0").trial_id
    (tmp_path / "trials" / "oracle.json").write_text(state)  # killed before this was written
    again = opened(tmp_path)
    again.reload()
    assert lost not in again.trials
    assert again.create_trial("tuner0").trial_id == lost


def test_a_trial_that_ended_is_not_run_again(tmp_path: Path) -> None:
    oracle = opened(tmp_path)
    ended = run(oracle).trial_id
    path = tmp_path / "trials" / "oracle.json"
    state = json.loads(path.read_text())
    state["ongoing_trials"] = {"tuner0": ended}  # as it is written while a trial ends
    path.write_text(json.dumps(state))
    again = opened(tmp_path)
    again.reload()
    assert again.create_trial("tuner0").trial_id != ended


def test_a_bracket_with_a_failed_trial_still_has_a_winner_that_goes_on(tmp_path: Path) -> None:
    oracle = opened(tmp_path)
    accuracies = [0.3, None, 0.6]
    for accuracy in accuracies:
        run(oracle, "FAILED" if accuracy is None else "COMPLETED", accuracy or 0.0)
    promoted = oracle.create_trial("tuner0").hyperparameters.values
    assert promoted["tuner/trial_id"] == "2"
    assert (promoted["tuner/initial_epoch"], promoted["tuner/epochs"]) == (1, 3)
    assert oracle.trials["1"].status == "FAILED"


def test_states_are_kept_as_long_as_a_trial_may_go_on_from_them(tmp_path: Path) -> None:
    def kept() -> list[str]:
        return sorted(path.parent.name for path in tmp_path.rglob(CHECKPOINT))

    oracle = opened(tmp_path)
    for accuracy in (0.3, 0.4, 0.6):
        run(oracle, accuracy=accuracy)
    assert kept() == ["trial_0", "trial_1", "trial_2"]
    run(oracle)  # goes on from the best
    assert "trial_2" not in kept()
    run(oracle)
    assert kept() == []
    other = opened(tmp_path / "other", "random")
    run(other)
    assert not list((tmp_path / "other").rglob(CHECKPOINT))


def test_the_number_of_trials_is_kept_and_a_seed_of_0_is_one(tmp_path: Path) -> None:
    oracle = opened(tmp_path, trials=3)
    assert [run(oracle).status for _ in range(3)] == ["COMPLETED"] * 3
    assert oracle.create_trial("tuner0").status == "STOPPED"
    assert oracle.seed == 1
