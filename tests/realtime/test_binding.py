"""Memory that is kept between runs changes nothing of the answers. The same code runs on a GPU."""

import threading

import numpy as np
import pytest

from realtime import engine as engine_module
from realtime.engine import Engine


@pytest.fixture(scope="module")
def engines(toy_model):
    with Engine.open(toy_model, provider="cpu") as plain, Engine.open(toy_model, provider="cpu", bind=True) as bound:
        assert plain._bound is None
        assert bound._bound is not None
        yield plain, bound


def frames(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), np.uint8)


def same(ours, truth) -> bool:
    names = ("probabilities", "unknown", "cam")
    return all(np.array_equal(getattr(ours, name), getattr(truth, name)) for name in names)


def test_bound_runs_answer_to_the_bit_what_plain_ones_do(engines):
    plain, bound = engines
    for turn, count in enumerate((1, 8, 3, 8, 65, 1, 65)):
        explain = np.arange(count) % 4 - 1
        assert same(bound.run(frames(count, turn), explain), plain.run(frames(count, turn), explain))


def test_an_answer_stays_when_its_memory_is_used_again(engines):
    _, bound = engines
    first = bound.run(frames(2, 1))
    kept = first.probabilities.copy()
    bound.run(frames(2, 2))
    assert np.array_equal(first.probabilities, kept)


def test_frames_that_do_not_lie_in_one_piece_are_taken(engines):
    plain, bound = engines
    every_other = frames(8, 3)[::2]
    assert same(bound.run(every_other), plain.run(every_other))


def test_threads_that_run_at_once_do_not_share_memory(engines):
    plain, bound = engines
    truth = [plain.run(frames(4, seed)) for seed in range(3)]
    wrong: list[int] = []
    together = threading.Barrier(3)

    def work(seed: int) -> None:
        together.wait(20)
        wrong.extend(seed for _ in range(50) if not same(bound.run(frames(4, seed)), truth[seed]))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []


@pytest.mark.parametrize("trouble", ["fails", "lies"])
def test_where_it_does_not_work_each_run_takes_its_own_memory_and_that_is_said(toy_model, monkeypatch, caplog, trouble):
    real = engine_module.BoundRuns.run

    def run(self, feed):
        if trouble == "fails":
            raise RuntimeError("no such device")
        return [value + 1 for value in real(self, feed)]

    monkeypatch.setattr(engine_module.BoundRuns, "run", run)
    with Engine.open(toy_model, provider="cpu", bind=True) as engine:
        assert engine._bound is None
        assert engine.run(frames(2, 1)).probabilities.shape == (2, 3)
    assert "between runs" in caplog.text
