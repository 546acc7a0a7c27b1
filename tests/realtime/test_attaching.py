"""Sources that come and go while others are served."""

import threading

import pytest
from live_sources import Scripted, endless, frame, runner_of, scripted

from realtime.live import LiveRunner


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
