"""serving/watchdog.py: threads of a real server that are killed, and a real one that hangs and ends with a word."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import socket as sockets
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from time import monotonic

import httpx
import pytest
from running import WAIT_S, Running, result, running

from realtime.parts import LOOK_S, PartStatus
from serving.watchdog import EventLoop, Watchdog

ROOT = Path(__file__).parents[2]


def kill(name: str) -> None:
    """SystemExit at the thread's next line of Python: what ends a thread from outside."""
    (thread,) = [each for each in threading.enumerate() if each.name == name]
    assert thread.ident is not None
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)) == 1


def restarts(server: Running, part: str) -> float:
    found = re.search(
        rf'^reeflens_restarts_total{{part="{part}"}} (\S+)', server.http.get("metrics").text, re.MULTILINE
    )
    assert found is not None
    return float(found[1])


PARTS = ["capture-scene", "event loop", "inference", "jobs", "jpeg", "logbook", "thumbnail"]


def test_every_thread_that_is_killed_is_begun_again_counted_and_well_again(toy_model: Path, tmp_path: Path) -> None:
    with running(toy_model, sources={"scene": "scene"}, library=tmp_path / "dives") as server, server.watch() as socket:
        result(socket)
        told = server.status()
        assert sorted(told["parts"]) == PARTS
        assert told["trouble"] == ""
        for name in PARTS:
            if name == "event loop":
                continue
            kill(name)
            deadline_s = monotonic() + WAIT_S
            while (now := server.status()["parts"][name])["restarts"] != 1 or now["state"] != "well":
                assert monotonic() < deadline_s, (name, now)
                server.http.get("api/sources/scene/thumbnail.jpg")
                result(socket)  # viewers go on: whoever waited for a picture that was lost gets the next
            assert restarts(server, name) == 1
        before = server.status()["sources"]["scene"]["classified"]
        server.wait_for("scene", lambda source: source["classified"] > before and source["state"] == "live")
        assert server.http.get("readyz").status_code == 200
        assert server.stop() < 3.0


def test_a_loop_that_is_held_up_is_noticed_and_well_again_afterwards(caplog: pytest.LogCaptureFixture) -> None:
    loop, hold = asyncio.new_event_loop(), threading.Event()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    heart = EventLoop(loop, hangs_s=2 * LOOK_S, lost_s=4 * LOOK_S)

    def answered() -> None:
        done = threading.Event()
        loop.call_soon_threadsafe(done.set)
        assert done.wait(WAIT_S)

    try:
        for _ in range(3):
            heart.look()
            answered()
        assert heart.status == PartStatus()
        loop.call_soon_threadsafe(hold.wait, WAIT_S)
        told = []
        for _ in range(6):
            heart.look()
            told.append((heart.status.state, heart.status.lost))
        assert told == [("well", False)] * 2 + [("hanging", False)] * 2 + [("hanging", True)] * 2
        hold.set()
        answered()
        heart.look()
        assert heart.status == PartStatus(hangs=1)
    finally:
        hold.set()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT_S)
    heart.look()  # asked, and never answered
    loop.close()
    for _ in range(3):
        heart.look()
    assert heart.status.hangs == 1  # a server that has stopped does not hang
    assert [record.message for record in caplog.records] == ["the event loop hangs", "the event loop goes on"]


class Odd:
    """A part that cannot be looked at."""

    name = "odd"

    def __init__(self) -> None:
        self.status = PartStatus()

    def look(self) -> None:
        raise ValueError("a slip")


def test_the_one_that_looks_outlives_what_it_looks_at_and_tells_a_loss_once() -> None:
    odd, lost, well = Odd(), [], []
    watchdog = Watchdog(lambda: [odd], lost.append, lambda: well.append(1))
    watchdog.look()
    odd.status = PartStatus("hanging", "it has hung for 60 s", lost=True)
    watchdog.look()
    watchdog.look()
    assert (lost, len(well)) == (["odd: it has hung for 60 s"], 1)
    watchdog.start()
    watchdog.stop()


HANGING_MODEL = """
    class Hangs:
        def __init__(self, session):
            self.session, self.left = session, 5
        def __getattr__(self, name):
            return getattr(self.session, name)
        def run(self, *given):
            self.left -= 1
            if self.left < 0:
                ctypes.CDLL(None).sleep(10**6)  # a call into C that never comes back
            return self.session.run(*given)

    real = Engine.open
    def opened(*given, **options):
        engine = real(*given, **options)
        engine._session = Hangs(engine._session)
        return engine
    Engine.open = opened
"""
HANGING_LOOP = """
    real = server._Server.startup
    async def startup(self, sockets=None):
        await real(self, sockets)
        asyncio.get_running_loop().call_later(1.0, ctypes.CDLL(None).sleep, 10**6)
    server._Server.startup = startup
"""


@pytest.mark.skipif(
    not hasattr(sockets, "AF_UNIX") or os.name == "nt", reason="needs sleep() of libc and a Unix socket"
)
@pytest.mark.parametrize(("how", "part"), [(HANGING_MODEL, "inference"), (HANGING_LOOP, "event loop")])
def test_a_part_that_hangs_for_good_ends_the_process_with_a_last_word(
    toy_model: Path, tmp_path: Path, how: str, part: str
) -> None:
    """The real command, told to lose patience sooner; a service manager hears that it is ready, and well until then."""
    script = (
        textwrap.dedent("""
    import asyncio, ctypes, sys
    from functools import partial
    import server
    from cli.app import main
    from realtime.engine import Engine
    server.LiveRunner = partial(server.LiveRunner, hangs_s=2, lost_s=4)
    server.EventLoop = partial(server.EventLoop, hangs_s=2, lost_s=4)
    server.LEAVE_S = 2.0
    """)
        + textwrap.dedent(how)
        + textwrap.dedent(f"""
    main(["serve", "--port", "0", "--provider", "cpu", "--model", {str(toy_model)!r}])
    """)
    )
    clean = {key: value for key, value in os.environ.items() if not key.startswith("REEFLENS")}
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(WAIT_S)
        with subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**clean, "NOTIFY_SOCKET": str(tmp_path / "notify")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            if part == "inference":
                deadline_s = monotonic() + WAIT_S
                while (answer := httpx.get(f"{url}readyz")).status_code == 200 or "hang" not in answer.text:
                    assert monotonic() < deadline_s, answer.text
                assert httpx.get(f"{url}api/status").json()["sources"]["scene"]["state"] == "stalled"
                assert httpx.get(f"{url}healthz").text == "ok"
            _, errors = process.communicate(timeout=2 * WAIT_S)
        manager.settimeout(0.0)
        told = []
        while True:
            try:
                told.append(manager.recv(1000).decode())
            except BlockingIOError:
                break
    assert process.returncode == 1
    assert f"{part}: it has hung for 4 s; only a new start helps, and this process ends" in errors
    assert told[0] == f"READY=1\nSTATUS=at {url}"
    assert set(told[1:]) <= {"WATCHDOG=1", "STOPPING=1"}
    assert told.count("WATCHDOG=1") >= 2
    assert "WATCHDOG=1" not in told[told.index("STOPPING=1") :] if "STOPPING=1" in told else part == "event loop"
    if part == "inference":
        assert "error: inference: it has hung for 4 s; start it again" in errors.replace("\n", " ")
    else:
        assert "Fatal Python error" in errors or "most recent call first" in errors
