"""serving/workbench.py: small work on one thread, and what becomes of it when that dies or hangs."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator

import pytest

from realtime.parts import LOOK_S
from serving.workbench import Hung, Workbench

WAIT_S = 20.0


@pytest.fixture
def bench() -> Iterator[Workbench]:
    made = Workbench("bench", hangs_s=LOOK_S)
    yield made
    made.shutdown(wait=True, cancel_futures=True)


def test_work_is_done_in_order_and_its_errors_are_its_own(bench: Workbench) -> None:
    futures = [bench.submit(divmod, 7, by) for by in (2, 0, 3)]
    assert futures[0].result(WAIT_S) == (3, 1)
    assert isinstance(futures[1].exception(WAIT_S), ZeroDivisionError)
    assert futures[2].result(WAIT_S) == (2, 1)
    assert bench.part.status.restarts == 0


def test_a_thread_that_is_killed_while_it_waits_is_replaced_and_work_goes_on(bench: Workbench) -> None:
    (thread,) = [each for each in threading.enumerate() if each.name == "bench"]
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
    results = [bench.submit(lambda: 1) for _ in range(3)]
    # What it was at when it died is told as that; what waited is done.
    outcomes = [future.exception(WAIT_S) for future in results]
    assert outcomes[-1] is None
    assert results[-1].result(0) == 1


def test_work_that_hangs_fails_and_the_rest_is_done_elsewhere(bench: Workbench) -> None:
    hold, inside = threading.Event(), threading.Event()

    def hangs() -> None:
        inside.set()
        hold.wait(WAIT_S)

    stuck, next_one = bench.submit(hangs), bench.submit(lambda: "done")
    assert inside.wait(WAIT_S)
    for _ in range(3):
        bench.part.look()
    with pytest.raises(Hung, match="it has hung for 1 s"):
        stuck.result(0)
    assert next_one.result(WAIT_S) == "done"
    hold.set()
    assert (bench.part.status.hangs, bench.part.status.restarts) == (1, 1)


def test_closed_it_takes_nothing_and_what_waited_is_cancelled() -> None:
    bench, hold, inside = Workbench("bench"), threading.Event(), threading.Event()

    def work() -> str:
        inside.set()
        hold.wait(WAIT_S)
        return "done"

    running, waiting = bench.submit(work), bench.submit(work)
    assert inside.wait(WAIT_S)
    bench.shutdown(wait=False, cancel_futures=True)
    assert waiting.cancelled()
    hold.set()
    assert running.result(WAIT_S) == "done"
    with pytest.raises(RuntimeError, match="closed"):
        bench.submit(work)
    bench.part.join(WAIT_S)
    assert not bench.part.is_alive()
