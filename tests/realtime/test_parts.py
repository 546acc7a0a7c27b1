"""realtime/parts.py: threads that are really ended from outside, and that really hang."""

import ctypes
import logging
import threading
import time

import pytest

from realtime.parts import LOOK_S, MAX_LEFT, Part

WAIT_S = 20.0


def kill(thread: threading.Thread) -> None:
    """What a debugger, or a library that ends threads, does: SystemExit at its next line of Python."""
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)) == 1


def until(reached) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not reached():
        assert time.monotonic() < deadline_s
        time.sleep(0.001)


class Steps:
    """Work that does what it is told to, one step at a time."""

    def __init__(self) -> None:
        self.go, self.stopping, self.hold = threading.Semaphore(0), threading.Event(), threading.Event()
        self.begun, self.done, self.error = 0, 0, None
        self.hangs = False

    def __call__(self) -> None:
        self.begun += 1
        while not self.stopping.is_set():
            if not self.go.acquire(timeout=0.01):
                continue
            with self.part.busy():
                if self.error is not None:
                    error, self.error = self.error, None
                    raise error
                if self.hangs:
                    self.hangs = False
                    self.hold.wait(WAIT_S)
                self.done += 1
            if not self.part.mine:
                return


@pytest.fixture
def steps():
    work = Steps()
    yield work
    work.stopping.set()
    work.hold.set()
    work.part.join(WAIT_S)
    assert not work.part.is_alive()


def begin(steps, **options) -> Part:
    steps.told = []
    part = steps.part = Part(
        "worker", steps, first_s=0.01, on_change=lambda now: steps.told.append(now.state), **options
    )
    part.start()
    return part


@pytest.mark.parametrize(
    "error", [ValueError("a slip"), MemoryError(), SystemExit(1), KeyboardInterrupt(), RecursionError("deep")]
)
def test_work_that_raises_anything_is_begun_again_and_counted(steps, error, caplog):
    part = begin(steps)
    steps.error = error
    steps.go.release()
    until(lambda: steps.begun == 2)
    steps.go.release()
    until(lambda: steps.done == 1)
    assert part.status.restarts == 1
    assert part.status.reason == (str(error) or type(error).__name__)
    assert "worker died and is begun again in 0.0 s" in caplog.text
    until(lambda: part.look() or part.status.state == "well")
    assert (part.status.state, part.status.reason, steps.told) == ("well", "", ["restarting", "well"])


def test_a_thread_that_is_killed_is_begun_again(steps):
    part = begin(steps)
    (thread,) = [each for each in threading.enumerate() if each.name == "worker"]
    kill(thread)
    until(lambda: steps.begun == 2)
    assert (part.status.restarts, part.status.reason) == (1, "SystemExit")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_is_gone_altogether_is_replaced_at_the_next_look(steps, caplog):
    """Killed once more in its pause, where nothing of ours is left to begin it again."""
    part = steps.part = Part("worker", steps, first_s=WAIT_S)
    steps.told = []
    part.start()
    (thread,) = [each for each in threading.enumerate() if each.name == "worker"]
    steps.error = ValueError("first")
    steps.go.release()
    until(lambda: part.status.state == "restarting")
    kill(thread)
    part._ending.set()  # only wakes it, so that it gets to a line of Python
    thread.join(WAIT_S)
    part._ending.clear()
    assert not part.is_alive()
    part.look()
    steps.go.release()
    until(lambda: steps.done == 1)
    assert part.status.restarts == 2
    assert "its thread is gone" in caplog.text


def test_pauses_grow_while_it_dies_at_once(monkeypatch):
    pauses = []

    def work():
        raise ValueError("always")

    part = Part("worker", work, first_s=0.5)

    def pause(pause_s):
        pauses.append(pause_s)
        if len(pauses) == 9:
            part._ending.set()

    monkeypatch.setattr(part._ending, "wait", pause)
    part.start()
    until(lambda: not part.is_alive())
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_what_hangs_is_told_with_the_place_where_it_stands_and_is_well_again_when_it_goes_on(steps, caplog):
    part = begin(steps, hangs_s=3 * LOOK_S, lost_s=5 * LOOK_S)
    steps.hangs = True
    steps.go.release()
    until(lambda: not steps.hangs)
    told = []
    for _ in range(7):
        part.look()
        told.append((part.status.state, part.status.lost))
    assert told == [("well", False)] * 3 + [("hanging", False)] * 2 + [("hanging", True)] * 2
    assert (part.status.hangs, part.status.restarts) == (1, 0)
    assert "self.hold.wait(WAIT_S)" in caplog.text
    steps.hold.set()
    until(lambda: steps.done == 1)
    part.look()
    assert (part.status.state, part.status.lost, part.status.hangs) == ("well", False, 1)


def test_waiting_for_work_is_not_hanging_and_neither_is_a_pause_for_a_reason(steps):
    rests = True
    part = begin(steps, hangs_s=LOOK_S, excused=lambda: rests)
    for _ in range(5):
        part.look()
    steps.hangs = True
    steps.go.release()
    until(lambda: not steps.hangs)
    for _ in range(5):
        part.look()
    assert part.status.state == "well"
    rests = False
    for _ in range(3):
        part.look()
    assert part.status.state == "hanging"


def test_another_thread_takes_the_place_of_one_that_hangs_but_not_without_end(steps):
    part = begin(steps, hangs_s=LOOK_S, replace=True)
    for times in range(1, MAX_LEFT + 2):
        steps.hangs = True
        steps.go.release()
        until(lambda: not steps.hangs)
        for _ in range(3):
            part.look()
        assert part.status.hangs == times
    assert (part.status.state, part.status.restarts) == ("hanging", MAX_LEFT)
    assert len([each for each in threading.enumerate() if each.name == "worker"]) == MAX_LEFT + 1
    steps.hold.set()  # those left behind end, the last one goes on
    until(lambda: len([each for each in threading.enumerate() if each.name == "worker"]) == 1)
    part.look()
    assert part.status.state == "well"
    steps.go.release()
    until(lambda: steps.done == MAX_LEFT + 2)


def test_work_that_returns_is_over_and_not_begun_again(caplog):
    part = Part("worker", lambda: None)
    part.start()
    part.join(WAIT_S)
    part._ending.clear()
    with caplog.at_level(logging.INFO):
        part.look()
    assert not part.is_alive()
    assert not caplog.records
    with pytest.raises(RuntimeError, match="started once"):
        part.start()
