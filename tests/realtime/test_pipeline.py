"""From frame to result, with and without threads."""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import pytest
from toy_onnx import write_toy_model

from realtime.engine import Engine
from realtime.errors import SourceError
from realtime.frames import Frame
from realtime.pictures import ArrayPicture
from realtime.pipeline import LiveRunner, Pipeline, infer
from realtime.scene import TestScene
from realtime.sources import SourceInfo

COLOURS = {0: (250, 10, 10), 1: (10, 250, 10), 2: (10, 10, 250)}


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[Engine]:
    with Engine.open(write_toy_model(tmp_path_factory.mktemp("model") / "toy.onnx"), provider="cpu") as opened:
        yield opened


def frame(index: int, label: int = 0, source: str = "clip") -> Frame:
    return Frame(source, index, index / 25, ArrayPicture(np.full((40, 60, 3), COLOURS[label], np.uint8)))


class Scripted(TestScene):
    """A source that plays what it is told: frames, an error to raise, or an event to wait for."""

    def __init__(self, name: str, script: Iterator[Frame | Exception | threading.Event]) -> None:
        super().__init__(name=name, size_hw=(8, 8))
        self.info = SourceInfo("scene", (8, 8))
        self._script = script
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        for item in self._script:
            if isinstance(item, Exception):
                raise item
            if isinstance(item, threading.Event):
                while not item.wait(0.01):
                    if self._closed.is_set():
                        return
            elif self._closed.is_set():
                return
            else:
                yield item

    def close(self) -> None:
        self._closed.set()


def test_a_batch_gives_each_frame_its_own_result(engine):
    results = infer(engine, [frame(3, 1), frame(4, 2)], explain=[-1, 0])
    assert [r.index for r in results] == [3, 4]
    assert [int(r.probabilities.argmax()) for r in results] == [1, 2]
    assert [r.explained for r in results] == [1, 0]
    assert results[0].cam.dtype == np.uint8
    assert results[0].cam.shape == (2, 2)
    assert results[0].size_hw == (40, 60)
    assert infer(engine, []) == []


def test_one_step_from_frame_to_stable_label(engine):
    pipeline = Pipeline(engine)
    results = [pipeline.step(frame(k, 2)) for k in range(5)]
    assert {r.stable.index for r in results} == {2}
    assert results[-1].media_s == 4 / 25


class Collector:
    """Receives results and states, and lets a test wait for what it expects."""

    def __init__(self) -> None:
        self.results = defaultdict(list)
        self.states = defaultdict(list)
        self.changed = threading.Condition()

    def on_result(self, frame, result, status):
        with self.changed:
            self.results[result.source].append(result)
            self.changed.notify_all()

    def on_status(self, name, status):
        with self.changed:
            self.states[name].append(status.state)
            self.changed.notify_all()

    def wait(self, condition, timeout=10):
        with self.changed:
            assert self.changed.wait_for(condition, timeout)


@pytest.fixture
def collector() -> Collector:
    return Collector()


def runner_of(engine, collector, **scripts) -> LiveRunner:
    openers = {name: lambda n=name, s=script: Scripted(n, iter(s)) for name, script in scripts.items()}
    return LiveRunner(engine, openers, collector.on_result, collector.on_status)


def test_a_stream_that_ends_and_one_that_fails_are_told_apart_and_do_not_touch_the_others(engine, collector):
    forever = threading.Event()
    runner = runner_of(
        engine,
        collector,
        short=[frame(0, source="short")],
        broken=[frame(0, source="broken"), SourceError("broken", "the cable is loose")],
        steady=[frame(0, source="steady"), forever],
    )
    runner.start()
    collector.wait(lambda: "ended" in collector.states["short"] and "failed" in collector.states["broken"])
    collector.wait(lambda: collector.states["steady"][-1:] == ["live"])
    status = runner.status()
    assert status["broken"].reason == "broken: the cable is loose"
    assert status["short"].reason == ""
    assert runner.stop()
    assert runner.status()["steady"].state == "stopped"
    assert {name: len(results) for name, results in collector.results.items()} == dict.fromkeys(
        ("short", "broken", "steady"), 1
    )


def test_a_source_that_cannot_be_opened_fails_with_its_reason(engine, collector):
    def no_camera():
        raise SourceError("cam", "no such camera")

    runner = LiveRunner(engine, {"cam": no_camera}, collector.on_result, collector.on_status)
    runner.start()
    collector.wait(lambda: collector.states["cam"] == ["failed"])
    assert runner.status()["cam"].reason == "cam: no such camera"
    assert runner.stop()


def test_when_frames_come_faster_than_answers_the_newest_wins_and_losses_are_counted(engine, collector):
    """The receiver blocks on the first result; a hundred frames pass meanwhile; the next result is the last of them."""
    held, all_read, forever = threading.Event(), threading.Event(), threading.Event()

    def script():
        yield frame(0)
        assert held.wait(10)
        for k in range(1, 101):
            yield frame(k)
        all_read.set()
        yield forever

    def on_result(taken, result, status):
        collector.on_result(taken, result, status)
        if result.index == 0:
            held.set()
            assert all_read.wait(10)

    runner = LiveRunner(engine, {"clip": lambda: Scripted("clip", script())}, on_result)
    runner.start()
    collector.wait(lambda: len(collector.results["clip"]) == 2)
    assert [r.index for r in collector.results["clip"]] == [0, 100]
    status = runner.status()["clip"]
    assert (status.captured, status.classified, status.dropped) == (101, 2, 99)
    assert runner.stop()


def test_a_fast_camera_does_not_starve_a_slow_one(engine, collector):
    """Three endless sources without any pause; served in turn, their shares are equal."""

    def endless(name):
        k = 0
        while True:
            yield frame(k, source=name)
            k += 1

    order: list[str] = []

    def on_result(taken, result, status):
        order.append(result.source)
        collector.on_result(taken, result, status)

    openers = {name: lambda n=name: Scripted(n, endless(n)) for name in ("a", "b", "c")}
    runner = LiveRunner(engine, openers, on_result)
    runner.start()
    collector.wait(lambda: len(order) >= 300)
    assert runner.stop()
    shares = Counter(order[:300])
    assert min(shares.values()) > 60


def test_stopping_wakes_a_reader_that_is_blocked(engine, collector):
    runner = runner_of(engine, collector, quiet=[threading.Event()])
    runner.start()
    assert runner.stop(timeout=5)
    assert collector.states["quiet"][-1] == "stopped"


def test_a_receiver_that_raises_ends_its_source_and_not_the_process(engine, collector):
    def on_result(taken, result, status):
        raise RuntimeError("the page is gone")

    forever = threading.Event()
    runner = LiveRunner(engine, {"a": lambda: Scripted("a", iter([frame(0), forever]))}, on_result, collector.on_status)
    runner.start()
    collector.wait(lambda: collector.states["a"][-1:] == ["failed"])
    assert runner.status()["a"].reason == "the page is gone"
    assert runner.stop()


def test_a_runner_is_started_once(engine, collector):
    runner = runner_of(engine, collector)
    runner.start()
    with pytest.raises(RuntimeError):
        runner.start()
    assert runner.stop()


def test_the_rate_counts_intervals_of_the_last_two_seconds(engine, collector):
    now = [0.0]
    forever, step = threading.Event(), threading.Semaphore(0)

    def script():
        for k in range(5):
            assert step.acquire(timeout=10)
            yield frame(k)
        yield forever

    runner = LiveRunner(engine, {"clip": lambda: Scripted("clip", script())}, collector.on_result, clock=lambda: now[0])
    runner.start()
    for k in range(5):
        now[0] = k * 0.5
        step.release()
        collector.wait(lambda k=k: len(collector.results["clip"]) == k + 1)
    assert runner.status()["clip"].rate == pytest.approx(2.0)
    now[0] = 60.0
    assert runner.status()["clip"].rate == 0.0
    assert runner.stop()
