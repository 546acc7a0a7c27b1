"""Readers, models and threads of live sources that die or hang are begun again, or told of."""

import ctypes
import threading

import pytest
from live_sources import Scripted, endless, frame, look, scripted

from realtime.engine import Engine
from realtime.errors import CameraError, Cause
from realtime.feed import READ_HANGS_S
from realtime.live import LiveRunner
from realtime.reconnecting import Reconnecting


@pytest.mark.parametrize(
    "error", [ValueError("odd"), MemoryError(), AssertionError("no key frame"), SystemExit(1), RecursionError()]
)
def test_a_reader_that_dies_of_anything_odd_is_begun_again_and_its_numbers_and_times_go_on(engine, collector, error):
    """What a decoder of somebody else raises, or what ends a thread; the second time it opens, all is well."""
    opened, told, forever = [], threading.Semaphore(0), threading.Event()

    class Odd(Scripted):
        def __iter__(self):
            for index in range(3):
                yield frame(index)
                assert told.acquire(timeout=30)
            if len(opened) == 1:
                raise error
            forever.wait(30)

    def on_result(taken, result, status):
        collector.on_result(taken, result, status)
        told.release()

    def opener():
        opened.append(1)
        return Odd("clip", iter(()))

    runner = LiveRunner(engine, {"clip": opener}, on_result, collector.on_status)
    runner.start()
    collector.wait(lambda: len(collector.results["clip"]) == 6)
    results = collector.results["clip"]
    assert [result.index for result in results] == list(range(6))
    times = [result.media_s for result in results]
    assert times == sorted(set(times))
    assert times[3] - times[2] >= 0.5  # the pause
    status = runner.status()["clip"]
    assert (status.state, status.restarts, status.captured) == ("live", 1, 6)
    assert list(dict.fromkeys(collector.states["clip"])) == ["connecting", "live", "retrying"]
    forever.set()
    assert runner.stop()


def test_a_recording_whose_reader_hangs_is_called_stalled_and_read_anew(engine, collector):
    hold, forever = threading.Event(), threading.Event()
    readers = []

    class Hanging(Scripted):
        def __iter__(self):
            readers.append(threading.current_thread())
            yield frame(0)
            (hold if len(readers) == 1 else forever).wait(30)  # as a read from a disk that is gone

    runner = LiveRunner(engine, {"clip": lambda: Hanging("clip", iter(()))}, collector.on_result, collector.on_status)
    runner.start()
    collector.wait(lambda: collector.results["clip"])
    for _ in range(round(READ_HANGS_S) + 1):
        look(runner)
    collector.wait(lambda: len(collector.results["clip"]) == 2)
    assert "stalled" in collector.states["clip"]
    status = runner.status()["clip"]
    assert (status.restarts, collector.results["clip"][-1].index) == (1, 1)
    hold.set()
    readers[0].join(30)
    assert runner.status()["clip"].state == "live"  # the end of the one that was left behind is not the source's
    forever.set()
    assert runner.stop()


def test_a_camera_that_waits_for_its_own_reasons_is_not_taken_for_one_that_hangs(engine, collector):
    release = threading.Event()

    def silent():
        release.wait(30)
        raise CameraError("cam", Cause.REFUSED, "nobody there")

    opener = lambda: Reconnecting(silent, name="cam", kind="camera")  # noqa: E731
    runner = LiveRunner(engine, {"cam": opener}, collector.on_result, collector.on_status)
    runner.start()
    collector.wait(lambda: collector.states["cam"])
    for _ in range(round(READ_HANGS_S) + 5):
        look(runner)
    assert runner.status()["cam"].restarts == 0
    release.set()
    assert runner.stop()


class Faulty:
    """An engine whose session raises onnxruntime's own errors, or hangs, when it is told to."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.broken, self.held, self.inside = threading.Event(), threading.Event(), threading.Event()
        self.held.set()

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def run(self, frames, explain=None):
        if self.broken.is_set():
            self._engine._session.run(None, {})  # a real one of onnxruntime's
        if not self.held.is_set():
            self.inside.set()
            assert self.held.wait(30)
        return self._engine.run(frames, explain)


def test_a_session_that_raises_all_the_time_is_trouble_and_ends_when_it_works_again(engine, collector):
    faulty = Faulty(engine)
    sources = {name: scripted(name, endless(name)) for name in ("a", "b")}
    runner = LiveRunner(faulty, sources, collector.on_result, collector.on_status)
    runner.start()
    collector.wait(lambda: collector.results["a"] and collector.results["b"])
    assert runner.trouble() == ""
    faulty.broken.set()
    collector.wait(lambda: all(collector.states[name][-1] == "stalled" for name in sources))
    assert runner.trouble().startswith("the model fails: Required inputs")
    faulty.broken.clear()
    collector.wait(lambda: all(collector.states[name][-1] == "live" for name in sources))
    assert runner.trouble() == ""
    assert runner.stop()


def test_a_model_that_hangs_is_told_of_every_source_and_is_lost_in_the_end(engine, collector):
    faulty = Faulty(engine)
    runner = LiveRunner(
        faulty, {"a": scripted("a", endless("a"))}, collector.on_result, collector.on_status, hangs_s=3, lost_s=6
    )
    runner.start()
    collector.wait(lambda: collector.results["a"])
    faulty.held.clear()
    assert faulty.inside.wait(30)
    for _ in range(5):
        look(runner)
    assert runner.status()["a"].state == "stalled"
    assert runner.trouble() == "the model's thread is hanging: it has hung for 3 s"
    assert not any(part.status.lost for part in runner.parts())
    for _ in range(3):
        look(runner)
    assert [part.name for part in runner.parts() if part.status.lost] == ["inference"]
    faulty.held.set()
    collector.wait(lambda: collector.states["a"][-1] == "live")
    look(runner)
    look(runner)
    assert runner.trouble() == ""
    assert runner.stop()


def test_an_inference_thread_that_is_killed_is_begun_again_and_goes_on(engine, collector):
    """SystemExit at its next line of Python: what ends a thread from outside."""
    runner = LiveRunner(engine, {"a": scripted("a", endless("a"))}, collector.on_result, collector.on_status)
    runner.start()
    collector.wait(lambda: collector.results["a"])
    (thread,) = [each for each in threading.enumerate() if each.name == "inference"]
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)) == 1
    collector.wait(lambda: "stalled" in collector.states["a"])
    assert runner.trouble() == "the model's thread is restarting: SystemExit"
    count = len(collector.results["a"])
    collector.wait(lambda: len(collector.results["a"]) > count and collector.states["a"][-1] == "live")
    while runner.trouble():
        runner.parts()[0].look()
    assert [(part.name, part.status.restarts) for part in runner.parts()] == [("inference", 1), ("capture-a", 0)]
    assert runner.stop()
