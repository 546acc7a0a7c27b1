"""Looks after the threads that a running server cannot do without, and says when only a new process helps.

Every LOOK_S each part (realtime/parts.py) is looked at, on a thread of its own that waits for nobody: what is gone is
begun again, what hangs is said in the log, in `/api/status`, in `/readyz` and in `/metrics`. The event loop is one of
them. A service manager that asked for it is told that all is well for as long as it is (serving/systemd.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from realtime.parts import LOOK_S, PartStatus

log = logging.getLogger(__name__)

LOOP_HANGS_S = 5.0  # without a turn, after which it is said: no callback of ours should take a tenth of that
LOOP_LOST_S = 60.0


class Watched(Protocol):
    """A part, or what is looked at like one."""

    name: str

    @property
    def status(self) -> PartStatus:
        """Now."""

    def look(self) -> None:
        """Called every LOOK_S."""


class EventLoop:
    """The loop as a part: it is asked for a sign of life at every look."""

    name = "event loop"

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, hangs_s: float = LOOP_HANGS_S, lost_s: float = LOOP_LOST_S
    ) -> None:
        self._loop = loop
        self._hangs_s = hangs_s
        self._lost_s = lost_s
        self._asked = False
        self._looks = 0
        self.status = PartStatus()

    def look(self) -> None:
        """Asks again if it has answered, else counts; one that is closed has stopped, and does not hang."""
        if self._loop.is_closed():
            return
        before = self.status
        if not self._asked:
            if before.state != "well":
                log.warning("the event loop goes on")
                self.status = PartStatus(hangs=before.hangs)
            self._looks = 0
            self._asked = True
            with contextlib.suppress(RuntimeError):  # it was closed this moment
                self._loop.call_soon_threadsafe(self._answer)
            return
        self._looks += 1
        stuck_s = self._looks * LOOK_S
        if stuck_s < self._hangs_s:
            return
        reason, fresh = f"it has hung for {stuck_s:.0f} s", before.state == "well"
        if fresh:
            log.error("the event loop hangs")
        self.status = PartStatus("hanging", reason, hangs=before.hangs + fresh, lost=stuck_s >= self._lost_s)

    def _answer(self) -> None:
        self._asked = False


class Watchdog:
    """Looks at ``parts`` from ``start`` until ``stop``. Methods are for any thread.

    on_lost: called once, on the thread that looks, with a sentence that names the part that cannot be helped. on_well:
    called at every look that finds none lost.
    """

    def __init__(
        self,
        parts: Callable[[], Iterable[Watched]],
        on_lost: Callable[[str], None],
        on_well: Callable[[], None] = lambda: None,
    ) -> None:
        self._parts = parts
        self._on_lost = on_lost
        self._on_well = on_well
        self._stopping = threading.Event()
        self._lost = False
        self._thread = threading.Thread(target=self._work, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self, timeout: float = LOOK_S) -> None:
        """Looks no more; waits at most ``timeout`` seconds for a look that is under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def status(self) -> dict[str, PartStatus]:
        """How every part is doing, by name."""
        return {part.name: part.status for part in self._parts()}

    def look(self) -> None:
        """One look at all of them. A mistake of ours with one must not cost the others their look."""
        lost = ""
        for part in self._parts():
            try:
                part.look()
            except Exception:
                log.exception("%s cannot be looked at", part.name)
            if part.status.lost:
                lost = lost or f"{part.name}: {part.status.reason}"
        if not lost:
            self._on_well()
        elif not self._lost:
            self._lost = True
            self._on_lost(lost)

    def _work(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                self.look()
            except BaseException:  # it must outlive whatever it looks at
                log.exception("a look at the parts of the server failed")
