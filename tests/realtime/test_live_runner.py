"""The threads around live sources: who is served, who is told what, and that they stop."""

import threading
from collections import Counter

import pytest
from live_sources import Scripted, endless, frame, runner_of, scripted

from realtime.errors import Cause, SourceError
from realtime.live import LiveRunner
from realtime.sources import SourceInfo


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
