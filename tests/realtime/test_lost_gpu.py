"""A GPU that fails once, at the start, or for several threads at once; the rest is in test_engine."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from lost_gpu import REASON, lose_gpu

from realtime.engine import Engine
from realtime.errors import ProviderError
from realtime.providers import CPU, CUDA


def frames(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def truth(toy_model):
    with Engine.open(toy_model, provider="cpu") as engine:
        yield engine.run


def same(ours, truth) -> bool:
    return all(
        np.array_equal(getattr(ours, name), getattr(truth, name)) for name in ("probabilities", "unknown", "cam")
    )


def test_a_run_that_fails_once_gets_a_second_try_and_costs_nothing(toy_model, monkeypatch, truth):
    gpu = lose_gpu(monkeypatch)
    with Engine.open(toy_model) as engine:
        gpu.fail(times=1)
        assert same(engine.run(frames(3)), truth(frames(3)))
        assert engine.provider.is_gpu
        assert CPU not in gpu.opened


def test_threads_that_lose_it_together_open_one_session_on_the_cpu(toy_model, monkeypatch, truth):
    gpu = lose_gpu(monkeypatch)
    together, wrong, at_work = threading.Barrier(4), [], 4
    expected = [truth(frames(2, seed)) for seed in range(at_work)]

    def work(engine: Engine, seed: int) -> None:
        together.wait(20)
        wrong.extend(seed for _ in range(20) if not same(engine.run(frames(2, seed)), expected[seed]))

    with Engine.open(toy_model, recorded=True) as engine:
        gpu.fail()
        threads = [threading.Thread(target=work, args=(engine, seed)) for seed in range(at_work)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert wrong == []
        assert gpu.opened == [CPU]
        assert not engine.provider.is_gpu
        assert gpu.runs <= 2 * at_work  # each once, and the probe frame of the first that came


def test_a_gpu_that_fails_at_the_start_leaves_it_to_the_cpu_and_says_so(toy_model, monkeypatch, caplog):
    gpu = lose_gpu(monkeypatch)
    gpu.fail()
    with caplog.at_level("WARNING"), Engine.open(toy_model) as engine:
        assert engine.provider.name == CPU
        assert engine.provider.note == f"{CUDA} failed at the first frame ({REASON})"
        assert engine.run(frames(1)).probabilities.shape == (1, 3)
    assert REASON in caplog.text
    with pytest.raises(ProviderError, match=REASON):
        Engine.open(toy_model, require_gpu=True)
