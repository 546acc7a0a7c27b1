"""Threads that a server cannot do without: what dies is begun again and counted, what hangs is noticed and said.

                 the work raises, or the thread is gone
        well ───────────────────────────────────────────▶ restarting ──▶ well, when it has worked for LOOK_S
          │
          │ busy with one thing for `hangs_s`
          ▼
        hanging ──▶ well, when that thing ends, or when another thread took its place (`replace`)
          │
          │ for `lost_s`
          ▼
        lost: nothing in this process can help any more

A thread cannot be ended from outside. One that hangs is left behind where another may take its place, else it is only
said. Whoever looks calls ``look`` every LOOK_S; time is counted in looks, so that a process that was stopped
(Ctrl-Z, a laptop's lid) is not taken for one that hangs.
"""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

log = logging.getLogger(__name__)

LOOK_S = 1.0
FIRST_S, MOST_S = 0.5, 30.0  # the first and the longest pause before a thread is begun again
STEADY_S = 60.0  # after so long at work the next death is a new one
MAX_LEFT = 2  # threads left behind; with more, work that always hangs would eat the machine


@dataclass(frozen=True, slots=True)
class PartStatus:
    """How a part is doing.

    state: "well", "restarting" or "hanging"; reason: why, as a sentence, empty while all is well. restarts: times its
    thread was begun again or replaced. hangs: times it hung. lost: it cannot be helped within this process.
    """

    state: str = "well"
    reason: str = ""
    restarts: int = 0
    hangs: int = 0
    lost: bool = False


PART_STATES = ("well", "restarting", "hanging")


class Part:
    """A thread around ``work``, which returns when it is told to end, by whoever made both.

    hangs_s: how long one ``busy`` block may take, None for any time. lost_s: how long until hanging means that only a
    new process helps, None for never. replace: another thread may take the place of one that hangs; ``work`` then asks
    ``mine`` after everything that may hang, and ends where that is false. excused: says that a busy block waits
    for a reason now. on_change: told of a change of state, on the part's own thread or on the one that looks; must not
    wait for long. Methods are for any thread, except ``busy`` and ``mine``, which are for ``work``.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        *,
        hangs_s: float | None = None,
        lost_s: float | None = None,
        replace: bool = False,
        excused: Callable[[], bool] = lambda: False,
        on_change: Callable[[PartStatus], None] = lambda status: None,
        first_s: float = FIRST_S,
    ) -> None:
        self.name = name
        self._about = {"part": name}
        self._work = work
        self._hangs_s = hangs_s
        self._lost_s = lost_s
        self._replace = replace
        self._excused = excused
        self._on_change = on_change
        self._first_s = first_s
        self._thread: threading.Thread | None = None
        self._left: list[threading.Thread] = []
        self._ending = threading.Event()
        self._done = False
        self._failures = 0
        self._working_s = math.inf  # since when it has worked without dying
        self._beats = 0  # odd while busy
        self._seen = 0
        self._looks = 0  # at the same busy block
        self._status = PartStatus()
        self._lock = threading.Lock()  # guards the status and the choice of the thread; held for moments

    def start(self) -> None:
        """Begins. Raises RuntimeError when called twice."""
        with self._lock:
            if self._thread is not None:
                raise RuntimeError(f"{self.name} is started once")
            self._begin()

    def join(self, timeout: float | None = None) -> None:
        """Waits for the end of the thread, whose work was told to end; it is not begun again from now on."""
        self._ending.set()
        deadline_s = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            threads = [*self._left, self._thread]
        for thread in threads:
            if thread is not None and thread.is_alive() and thread is not threading.current_thread():
                thread.join(None if deadline_s is None else max(0.0, deadline_s - time.monotonic()))

    def is_alive(self) -> bool:
        """Whether a thread of it still runs, one that was left behind included."""
        with self._lock:
            return any(thread is not None and thread.is_alive() for thread in (*self._left, self._thread))

    @property
    def mine(self) -> bool:
        """Whether the calling thread is the one that works; false for one that was left behind."""
        return threading.current_thread() is self._thread

    @property
    def status(self) -> PartStatus:
        """Now."""
        return self._status

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Around what must not take longer than ``hangs_s``. Blocks do not nest."""
        mine = self.mine
        if mine:
            self._beats += 1
        try:
            yield
        finally:
            if mine and self.mine:
                self._beats += 1

    def look(self) -> None:
        """Begins again what is gone, and notices what hangs; to be called every LOOK_S."""
        with self._lock:
            thread = self._thread
            if thread is None or self._done or self._ending.is_set():
                return
            gone = not thread.is_alive()
            if gone:
                self._begin()
        if gone:
            log.error("%s: its thread is gone; another one is begun", self.name, extra=self._about)
            self._set("restarting", "its thread was gone", restarts=1)
            return
        if self._status.state == "restarting" and time.monotonic() - self._working_s >= LOOK_S:
            self._set("well")
        if self._hangs_s is not None:
            self._look_at_beats(thread)

    def _look_at_beats(self, thread: threading.Thread) -> None:
        beats = self._beats
        if beats != self._seen or not beats % 2 or self._excused():
            self._seen, self._looks = beats, 0
            if self._status.state == "hanging":
                log.warning("%s goes on", self.name, extra=self._about)
                self._set("well")
            return
        self._looks += 1
        stuck_s = self._looks * LOOK_S
        assert self._hangs_s is not None
        if self._status.state != "hanging" and stuck_s >= self._hangs_s:
            reason = f"it has hung for {stuck_s:.0f} s"
            log.error("%s: %s, here:\n%s", self.name, reason, _where(thread), extra=self._about)
            self._set("hanging", reason, hangs=1)
            if self._replace:
                self._leave_behind(thread)
        if self._lost_s is not None and stuck_s >= self._lost_s and not self._status.lost:
            self._set("hanging", f"it has hung for {stuck_s:.0f} s", lost=True)

    def _leave_behind(self, thread: threading.Thread) -> None:
        with self._lock:
            self._left = [*(left for left in self._left if left.is_alive()), thread]
            if len(self._left) > MAX_LEFT or self._ending.is_set():
                self._left.pop()
                return
            self._begin()
        log.warning("%s: another thread takes its place", self.name, extra=self._about)
        self._set("well", restarts=1)

    def _begin(self) -> None:
        self._beats += self._beats % 2
        self._seen = self._looks = 0
        # A daemon: a driver that hangs must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            begun_s = self._working_s = time.monotonic()
            try:
                self._work()
                if self.mine:
                    self._done = True
                return
            except BaseException as error:  # also what a library throws into threads to end them
                if not self.mine or self._ending.is_set():
                    return
                self._failures = 1 if time.monotonic() - begun_s > STEADY_S else self._failures + 1
                pause_s = min(self._first_s * 2.0 ** min(self._failures - 1, 30), MOST_S)
                self._working_s = math.inf
                self._beats += self._beats % 2  # it may have been killed on the way into or out of `busy`
                log.exception("%s died and is begun again in %.1f s", self.name, pause_s, extra=self._about)
                self._set("restarting", str(error) or type(error).__name__, restarts=1)
            self._ending.wait(pause_s)
            if not self.mine or self._ending.is_set():
                return

    def _set(self, state: str, reason: str = "", *, restarts: int = 0, hangs: int = 0, lost: bool = False) -> None:
        with self._lock:
            before = self._status
            self._status = PartStatus(state, reason, before.restarts + restarts, before.hangs + hangs, lost)
        self._on_change(self._status)


def _where(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    return "".join(traceback.format_stack(frame)) if frame is not None else "nobody knows"
