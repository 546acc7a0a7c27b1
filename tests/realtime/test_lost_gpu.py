"""A GPU that is lost while it works: once more, then on the CPU where that is allowed, and said."""

from __future__ import annotations

import threading
from functools import partial

import numpy as np
import pytest
from clips import write_clip
from lost_gpu import REASON, lose_gpu

from realtime.engine import Engine
from realtime.errors import ProviderError
from realtime.live import OVER, LiveRunner
from realtime.providers import CPU, CUDA
from realtime.sources import VideoFile


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


def test_a_lost_gpu_costs_no_frame_and_the_report_says_what_happened(toy_model, monkeypatch, caplog, truth):
    gpu = lose_gpu(monkeypatch)
    told = []
    with Engine.open(toy_model) as engine:
        engine.on_moved = told.append
        assert engine.provider.is_gpu
        assert same(engine.run(frames(2)), truth(frames(2)))
        gpu.fail()
        caplog.clear()
        for seed in range(5):
            assert same(engine.run(frames(2, seed)), truth(frames(2, seed)))
        assert gpu.runs == 2  # the one that failed, and that once more
        assert (engine.provider.name, engine.provider.requested) == (CPU, "auto")
        assert engine.provider.note.startswith(f"{CUDA} failed at 20")
        assert engine.provider.note.endswith(f"Z ({REASON}); the model runs on the CPU since")
        assert told == [engine.provider]
        assert [record.message for record in caplog.records] == [engine.provider.note]


def test_a_run_that_fails_once_is_only_run_again_and_that_is_told_once(toy_model, monkeypatch, truth, caplog):
    gpu = lose_gpu(monkeypatch)
    with Engine.open(toy_model) as engine:
        caplog.clear()
        for _ in range(2):
            gpu.fail(times=1)
            assert same(engine.run(frames(3)), truth(frames(3)))
        assert [REASON in record.message for record in caplog.records] == [True]
        assert engine.provider.is_gpu
        assert CPU not in gpu.opened


@pytest.mark.parametrize("how", [{"provider": "cuda"}, {"require_gpu": True}])
def test_where_a_gpu_is_asked_for_its_loss_is_one_sentence(toy_model, monkeypatch, how):
    gpu = lose_gpu(monkeypatch)
    with Engine.open(toy_model, **how) as engine:
        gpu.fail()
        with pytest.raises(ProviderError, match=rf"^the model failed on {CUDA}, .*{REASON}\)$"):
            engine.run(frames(1))
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
        assert gpu.runs <= 2 * at_work


def test_when_the_cpu_fails_at_it_too_that_is_one_sentence(toy_model, monkeypatch):
    gpu = lose_gpu(monkeypatch)
    with Engine.open(toy_model) as engine:
        gpu.fail()
        engine.run(frames(1))
        monkeypatch.setattr(engine._runs, "run", lambda feed: gpu.check())
        with pytest.raises(ProviderError, match="failed on CPUExecutionProvider"):
            engine.run(frames(1))


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


def test_live_sources_go_on_one_at_a_time_on_the_cpu(toy_model, monkeypatch, tmp_path):
    gpu = lose_gpu(monkeypatch)
    clip, seen, over = write_clip(tmp_path / "clip.mp4", frames=20), [], threading.Event()
    ended = []

    def on_status(name, status):
        if status.state in OVER:
            ended.append((status.state, status.damaged))
            if len(ended) == 2:
                over.set()

    with Engine.open(toy_model) as engine:
        openers = {name: partial(VideoFile, clip, name=name) for name in ("a", "b")}
        runner = LiveRunner(engine, openers, lambda frame, result, status: seen.append(frame.source), on_status)
        assert runner._together > 1
        gpu.fail()
        runner.start()
        assert over.wait(20)
        assert ended == [("ended", 0)] * 2
        assert set(seen) == {"a", "b"}
        assert runner._together == 1
        assert runner.stop()
