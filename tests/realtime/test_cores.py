"""How the processor is divided among runs of the model."""

import os

import pytest

from realtime import cores as cores_module
from realtime.cores import cores, side_by_side


@pytest.mark.parametrize(
    ("threads", "divided"),
    [(1, (1, 1)), (2, (2, 1)), (3, (3, 1)), (4, (4, 1)), (7, (4, 1)), (8, (4, 2)), (64, (4, 16))],
)
def test_threads_are_divided_among_runs_side_by_side(threads, divided):
    assert side_by_side(threads) == divided


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not tell which cores are ours")
def test_two_threads_of_one_core_are_one_and_cores_that_are_not_ours_do_not_count(tmp_path, monkeypatch):
    for number, siblings in enumerate(("0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7")):
        (tmp_path / f"cpu{number}" / "topology").mkdir(parents=True)
        (tmp_path / f"cpu{number}" / "topology" / "thread_siblings_list").write_text(f"{siblings}\n")
    monkeypatch.setattr(cores_module, "TOPOLOGY", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 4, 5, 6})
    assert cores() == 3


def test_where_the_system_tells_nothing_what_it_counts_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(cores_module, "TOPOLOGY", tmp_path)
    assert cores() == (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
