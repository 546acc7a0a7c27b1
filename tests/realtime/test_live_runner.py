"""The threads around live sources: who is served, who is told what, and that they stop."""

import ctypes
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain

import numpy as np
import pytest
from toy_onnx import write_fragile_model, write_toy_model

from realtime.engine import Engine
from realtime.errors import CameraError, Cause, SourceError
from realtime.feed import READ_HANGS_S
from realtime.frames import Frame
from realtime.live import MAX_IN_A_ROW, LiveRunner
from realtime.pictures import ArrayPicture
from realtime.reconnecting import Reconnecting
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

    def wait(self, condition, timeout=30):
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
        broken=[frame(0, source="broken"), SourceError("broken", "the cable is loose", Cause.GONE)],
        steady=[frame(0, source="steady"), forever],
    )
    runner.start()
    collector.wait(lambda: "ended" in collector.states["short"] and "failed" in collector.states["broken"])
    collector.wait(lambda: collector.states["steady"][-1:] == ["live"])
    status = runner.status()
    assert status["broken"].reason == "broken: the cable is loose"
    assert status["short"].reason == ""
    assert (status["broken"].cause, status["short"].cause) == ("gone", "")
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

    order: list[str] = []

    def on_result(taken, result, status):
        order.append(result.source)
        collector.on_result(taken, result, status)

    openers = {name: lambda n=name: Scripted(n, endless(n)) for name in ("a", "b", "c")}
    runner = LiveRunner(engine, openers, on_result)
    runner.start()
    collector.wait(lambda: len(order) >= 90, timeout=60)
    assert runner.stop()
    shares = Counter(order[:90])
    assert min(shares.values()) > 18


def test_stopping_wakes_a_reader_that_is_blocked(engine, collector):
    runner = runner_of(engine, collector, quiet=[threading.Event()])
    runner.start()
    assert runner.stop(timeout=5)
    assert collector.states["quiet"][-1] == "stopped"


def test_a_receiver_that_raises_does_not_end_its_source_and_is_told_of_when_it_goes_on(engine, collector):
    broken = threading.Event()
    broken.set()

    def on_result(taken, result, status):
        if broken.is_set():
            raise RuntimeError("the page is gone")
        collector.on_result(taken, result, status)

    runner = LiveRunner(engine, {"a": scripted("a", endless("a"))}, on_result, collector.on_status)
    runner.start()
    collector.wait(lambda: collector.states["a"][-1:] == ["stalled"])
    status = runner.status()["a"]
    assert (status.reason, status.cause) == ("the page is gone", "engine")
    assert runner.trouble() == ""  # the model works
    broken.clear()
    collector.wait(lambda: collector.states["a"][-1:] == ["live"] and collector.results["a"])
    assert (runner.status()["a"].reason, runner.status()["a"].cause) == ("", "")
    assert runner.stop()


def test_a_receiver_that_raises_ends_a_source_that_was_attached(engine, collector):
    def on_result(taken, result, status):
        raise RuntimeError("the page is gone")

    runner = LiveRunner(engine, {}, on_result, collector.on_status)
    runner.attach("a", scripted("a", [frame(0), threading.Event()]))
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


def endless(name):
    k = 0
    while True:
        yield frame(k, source=name)
        k += 1


def scripted(name, script):
    return lambda: Scripted(name, iter(script))


def test_a_source_attached_while_running_is_served_and_its_name_is_free_again_after_detaching(engine, collector):
    runner = runner_of(engine, collector)
    runner.start()
    for label in (1, 2):
        runner.attach("diver", scripted("diver", [frame(0, label, "diver"), threading.Event()]))
        collector.wait(lambda label=label: len(collector.results["diver"]) == label)
        assert int(collector.results["diver"][-1].probabilities.argmax()) == label
        with pytest.raises(ValueError, match="'diver' is already there"):
            runner.attach("diver", scripted("diver", []))
        thread = next(t for t in threading.enumerate() if t.name == "capture-diver")
        runner.detach("diver", timeout=10)
        assert not thread.is_alive()
        assert runner.status() == {}
        assert collector.states["diver"][-1] == "stopped"
    with pytest.raises(KeyError):
        runner.detach("diver")
    assert runner.stop()
    with pytest.raises(RuntimeError):
        runner.attach("late", scripted("late", []))


def test_a_source_attached_before_the_start_waits_for_it(engine, collector):
    runner = runner_of(engine, collector)
    runner.attach("early", scripted("early", [frame(0, source="early")]))
    assert runner.status()["early"].state == "connecting"
    runner.start()
    collector.wait(lambda: collector.states["early"][-1:] == ["ended"])
    runner.detach("early")
    assert collector.states["early"][-1] == "ended"
    assert runner.stop()


def test_sources_come_and_go_while_others_are_served(engine, collector):
    """A busy source stays; fifty others come, give one result each, and leave no thread."""
    runner = runner_of(engine, collector, steady=endless("steady"))
    runner.start()
    for k in range(50):
        runner.attach(f"guest {k}", scripted(f"guest {k}", endless(f"guest {k}")))
        collector.wait(lambda k=k: collector.results[f"guest {k}"])
        runner.detach(f"guest {k}", timeout=10)
    served = len(collector.results["steady"])
    collector.wait(lambda: len(collector.results["steady"]) > served)
    assert not [t.name for t in threading.enumerate() if t.name.startswith("capture-guest")]
    assert runner.stop()


def test_nothing_is_told_of_a_source_after_it_was_detached(engine, collector):
    """The receiver is held inside a callback, the source keeps coming; when detach returns, silence begins."""
    inside, go_on, told = threading.Event(), threading.Event(), []

    def on_result(taken, result, status):
        told.append(result.index)
        inside.set()
        assert go_on.wait(10)

    runner = LiveRunner(engine, {"cam": scripted("cam", endless("cam"))}, on_result)
    runner.start()
    assert inside.wait(10)
    runner.detach("cam", timeout=0.05)  # the receiver holds on for longer than that
    count = len(told)
    go_on.set()
    assert runner.stop()
    assert len(told) == count == 1


def test_a_receiver_may_detach_the_source_it_is_told_of(engine, collector):
    done = threading.Event()

    def on_result(taken, result, status):
        runner.detach("cam", timeout=10)
        done.set()

    runner = LiveRunner(engine, {"cam": scripted("cam", endless("cam"))}, on_result)
    runner.start()
    assert done.wait(10)
    assert runner.status() == {}
    assert runner.stop()


def test_a_source_that_hangs_while_opening_can_be_detached_and_its_name_used_again(engine, collector):
    release, closed = threading.Event(), threading.Event()

    class Late(Scripted):
        def close(self):
            super().close()
            closed.set()

    def hanging():
        assert release.wait(10)
        return Late("cam", iter([frame(9, source="cam")]))

    runner = LiveRunner(engine, {"cam": hanging}, collector.on_result, collector.on_status)
    runner.start()
    runner.detach("cam", timeout=0.01)
    runner.attach("cam", scripted("cam", [frame(0, source="cam"), threading.Event()]))
    collector.wait(lambda: collector.results["cam"])
    assert not runner.stop(timeout=0.01)  # one thread still hangs, and that is said
    release.set()
    assert closed.wait(10)
    assert runner.stop(timeout=10)
    assert [result.index for result in collector.results["cam"]] == [0]


def test_results_carry_the_maps_that_are_wanted_from_the_next_frame_on(engine, collector):
    asked, forever = threading.Event(), threading.Event()
    script = [frame(0, source="a"), asked, frame(1, source="a"), forever]
    runner = runner_of(engine, collector, a=script)
    runner.start()
    collector.wait(lambda: collector.results["a"])
    runner.explain("a", {-1, 2})
    runner.explain("left a moment ago", {1})
    for nonsense in (set(), {3}, {-2}):
        with pytest.raises(ValueError, match="expected at least one class from -1 to 2"):
            runner.explain("a", nonsense)
    asked.set()
    collector.wait(lambda: len(collector.results["a"]) == 2)
    assert runner.stop()
    assert [sorted(result.cams) for result in collector.results["a"]] == [[-1], [-1, 2]]
    assert [result.explained for result in collector.results["a"]] == [0, 0]


def test_sources_of_one_group_share_one_turn_and_take_it_in_turn(engine, collector):
    """One camera and five of a group, each with frames ready at any time: every second result is the camera's."""
    go = threading.Event()
    order = []

    class Endless(Scripted):
        def __iter__(self):
            index = 0
            while not self._closed.is_set():
                yield frame(index, source=self.info.kind)
                index += 1

    names = ["boat", *(f"page-{number}" for number in range(5))]

    def opener(name):
        def endless():
            source = Endless(name, iter(()))
            source.info = SourceInfo(name, (8, 8))
            return source

        return endless

    def full():
        feeds = runner._feeds.values()
        return len(feeds) == 6 and all(feed.slot.ready for feed in feeds)

    def on_result(taken, result, status):
        while not full() and not go.is_set():
            pass
        order.append(result.source)
        if len(order) == 60:
            go.set()

    runner = LiveRunner(engine, {"boat": opener("boat")}, on_result)
    for name in names[1:]:
        runner.attach(name, opener(name), "pages")
    runner.start()
    assert go.wait(60)
    assert runner.stop()
    counts = Counter(order[10:60])
    assert 24 <= counts["boat"] <= 26
    assert all(4 <= counts[name] <= 6 for name in names[1:])


class Torn(ArrayPicture):
    """A picture that cannot be scaled."""

    def model_input(self, size):
        raise ValueError("a torn picture")


def torn(index):
    return Frame("clip", index, index / 25, Torn(np.zeros((40, 60, 3), np.uint8)))


def one_by_one(collector, frames, missed):
    """Hands on a frame when the one before was classified, or counted as damaged."""
    for number, item in enumerate(frames):
        yield item
        while len(collector.results["clip"]) + missed() < number + 1:
            time.sleep(0.001)


def test_a_frame_that_cannot_be_classified_counts_as_damaged_and_the_source_goes_on(engine, collector, caplog):
    forever = threading.Event()
    spoilt = [torn(index) if index % 3 else frame(index) for index in range(3 * MAX_IN_A_ROW)]
    script = chain(one_by_one(collector, spoilt, lambda: runner.status()["clip"].damaged), [forever])
    runner = runner_of(engine, collector, clip=script)
    runner.start()
    collector.wait(lambda: len(collector.results["clip"]) == MAX_IN_A_ROW)
    while runner.status()["clip"].damaged < 2 * MAX_IN_A_ROW:
        time.sleep(0.001)
    assert runner.status()["clip"].state == "live"
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "source clip: a frame cannot be classified and counts as damaged"
    ]
    assert runner.stop()


def test_a_source_none_of_whose_frames_can_be_classified_says_why_and_goes_on_with_the_next_that_can(engine, collector):
    go_on, forever = threading.Event(), threading.Event()
    spoilt = one_by_one(collector, map(torn, range(MAX_IN_A_ROW)), lambda: runner.status()["clip"].damaged)
    runner = runner_of(engine, collector, clip=chain(spoilt, [go_on, frame(MAX_IN_A_ROW), forever]))
    runner.start()
    collector.wait(lambda: "stalled" in collector.states["clip"])
    status = runner.status()["clip"]
    assert (status.reason, status.cause, status.damaged) == ("a torn picture", "engine", MAX_IN_A_ROW)
    go_on.set()
    collector.wait(lambda: collector.states["clip"][-1] == "live")
    assert runner.stop()


def white(index):
    return Frame("clip", index, index / 25, ArrayPicture(np.full((40, 60, 3), 255, np.uint8)))


def test_a_model_that_fails_on_some_frames_is_said_in_a_sentence_and_goes_on_with_others(tmp_path, collector, caplog):
    go_on, forever = threading.Event(), threading.Event()
    spoilt = one_by_one(collector, map(white, range(MAX_IN_A_ROW)), lambda: runner.status()["clip"].damaged)
    with Engine.open(write_fragile_model(tmp_path / "fragile.onnx"), provider="cpu") as fragile:
        runner = runner_of(fragile, collector, clip=chain(spoilt, [go_on, frame(MAX_IN_A_ROW), forever]))
        runner.start()
        collector.wait(lambda: "stalled" in collector.states["clip"])
        status = runner.status()["clip"]
        assert status.reason.startswith("fragile.onnx fails on a frame (")
        assert (status.cause, status.damaged) == ("engine", MAX_IN_A_ROW)
        assert runner.trouble().startswith("the model fails: fragile.onnx fails on a frame (")
        go_on.set()
        collector.wait(lambda: collector.states["clip"][-1] == "live")
        assert runner.stop()
    told = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [record.exc_info for record in told] == [None, None]  # a sentence each: of the first frame, of the source


def test_an_attached_source_none_of_whose_frames_can_be_classified_fails_with_the_reason(engine, collector):
    spoilt = one_by_one(collector, map(torn, range(MAX_IN_A_ROW)), lambda: runner.status()["clip"].damaged)
    runner = runner_of(engine, collector)
    runner.attach("clip", scripted("clip", spoilt))
    runner.start()
    collector.wait(lambda: "failed" in collector.states["clip"])
    status = runner.status()["clip"]
    assert (status.reason, status.damaged) == ("a torn picture", MAX_IN_A_ROW)
    assert runner.stop()


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


def look(runner):
    for part in runner.parts():
        part.look()


class Counting:
    """An engine that notes how many frames each run takes, and refuses batches when told."""

    def __init__(self, engine: Engine, *, alone: bool = False) -> None:
        self._engine, self._alone = engine, alone
        self.sizes: list[int] = []

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def run(self, frames, explain=None):
        self.sizes.append(len(frames))
        if self._alone and len(frames) > 1:
            raise RuntimeError("out of memory")
        return self._engine.run(frames, explain)


@pytest.mark.parametrize("alone", [False, True])
def test_frames_of_several_cameras_share_a_run_and_each_gets_its_own_answer(engine, collector, alone):
    """The same answers, too, when the batch fails and each is run by itself."""
    counting = Counting(engine, alone=alone)
    forever = threading.Event()
    names = {f"cam {label}": label for label in COLOURS}
    sources = {name: scripted(name, [frame(0, label, name), forever]) for name, label in names.items()}
    runner = LiveRunner(counting, sources, collector.on_result, collector.on_status, together=3, gather_s=30.0)
    runner.start()
    collector.wait(lambda: len(collector.results) == 3)
    assert runner.stop()
    assert counting.sizes == ([3, 1, 1, 1] if alone else [3])
    assert {name: int(collector.results[name][0].probabilities.argmax()) for name in names} == names
    assert all(status.engine_s > 0 for status in runner.status().values())


def test_a_frame_waits_for_others_no_longer_than_it_may_and_a_torn_one_is_its_own_camera_s(engine, collector):
    forever = threading.Event()
    sources = {
        "silent": scripted("silent", [forever]),
        "good": scripted("good", [frame(0, 1, "good"), forever]),
        "clip": scripted("clip", [torn(0), forever]),
    }
    runner = LiveRunner(engine, sources, collector.on_result, collector.on_status, together=3, gather_s=0.05)
    runner.start()
    collector.wait(lambda: collector.results["good"])
    while not runner.status()["clip"].damaged:
        time.sleep(0.001)
    assert runner.stop()
    assert list(collector.results) == ["good"]
