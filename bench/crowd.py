"""More viewers than there are places: what do those who are let in get, and how are the others told?

    python bench/crowd.py [--viewers 200] [--places 64] [--sources 4] [--rounds 3] [--minutes 2] [--rate 15]

Round by round, with one server: one viewer a source for half a minute, for comparison; then all of them at the same
moment, for so many minutes; and at last one a source again. Each stays for 20 to 60 s, leaves and wants in again; who
is turned away comes back when it was told to, as the page does. Prints a line a minute, and then what the crowd took
from the sources: each minute against the mean of the half minutes before and after its round, so that a change of the
machine's mood hits both alike. Exits with 1 when a promise did not hold: no more are let in than there are places, each
of the others is told 503, Retry-After and why, nobody who is in is thrown out, and the server does not grow.

The viewers are one process on this machine, as cheap as can be (bench/viewers.py), and so is the camera
(bench/clock_camera.py), which all sources share. An age is that of a picture when all of it has come to its viewer:
from the server's clock when it read the frame to the viewer's, which is the same one here.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import random
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "bench")]

from age import memory_mb, process  # noqa: E402
from viewers import processor_s, watch  # noqa: E402

STAY_S = (20.0, 60.0)
REST_S = 5.0
ALONE_S, WINDOW_S = 30.0, 60.0
SEEN_S = 5.0  # a rate of less is noise
GROWTH_MB = 20.0  # from the end of the first minute to that of the last


# The viewers: a process of their own


@dataclass(slots=True, eq=False)
class Seat:
    """Somebody who was let in. since_s, results: of this window."""

    connection: socket.socket
    until_s: float
    since_s: float
    reader: Iterator[None] | None = None
    results: int = 0


@dataclass(slots=True, eq=False)
class Window:
    """What the viewers saw since the last line."""

    most: int = 0  # inside at a time
    let_in: int = 0
    turned_away: int = 0
    thrown_out: int = 0
    impolite: list[str] = field(default_factory=list)
    answered_ms: list[float] = field(default_factory=list)
    ages_ms: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def line(self, seated: int) -> str:
        """As JSON."""
        quantiles = [0.5, 0.95, 0.99]
        return json.dumps(
            {
                "seated": seated,
                "most": self.most,
                "let_in": self.let_in,
                "turned_away": self.turned_away,
                "thrown_out": self.thrown_out,
                "impolite": self.impolite[:3],
                "answered_ms": np.quantile(self.answered_ms or [np.nan], quantiles).tolist(),
                "ages_ms": np.quantile(self.ages_ms or [np.nan], quantiles).tolist(),
                "rates": np.quantile(self.rates or [np.nan], [0.0, 0.05, 0.5]).tolist(),
                "results": len(self.ages_ms),
            }
        )


class Crowd:
    """``viewers`` of them; a thread knocks at the door for those outside, and ``run`` reads for those inside."""

    def __init__(self, urls: list[str], viewers: int) -> None:
        self._urls = urls
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()  # of all below
        self._window = Window()
        self._outside = [(0.0, number) for number in range(viewers)]  # a heap: when to knock, who
        self._let_in: list[tuple[int, socket.socket]] = []

    def run(self, window_s: float) -> None:
        """A first line at once, then one a window, for ever."""
        print("here", flush=True)
        threading.Thread(target=self._knock_for_all, daemon=True).start()
        told_s, seats = time.monotonic(), {}
        while True:
            for key, _ in self._selector.select(0.02):
                number = key.data
                try:
                    next(seats[number].reader)
                except OSError:
                    self._window.thrown_out += 1
                    self._leave(number, seats.pop(number))
            now_s = time.monotonic()
            with self._lock:
                come, self._let_in = self._let_in, []
            for number, connection in come:
                seats[number] = seat = Seat(connection, now_s + random.uniform(*STAY_S), now_s)
                seat.reader = watch(connection, partial(self._seen, seat))
                connection.setblocking(False)
                self._selector.register(connection, selectors.EVENT_READ, number)
            self._window.most = max(self._window.most, len(seats))
            for number in [number for number, seat in seats.items() if seat.until_s < now_s]:
                self._leave(number, seats.pop(number))
            if now_s - told_s >= window_s:
                told_s = now_s
                for seat in seats.values():
                    self._rate(seat, now_s)
                with self._lock:
                    window, self._window = self._window, Window()
                print(window.line(len(seats)), flush=True)

    def _seen(self, seat: Seat, header: dict[str, Any]) -> None:
        seat.results += 1
        taken = datetime.fromisoformat(header["utc"])
        self._window.ages_ms.append((datetime.now(UTC) - taken).total_seconds() * 1000)

    def _rate(self, seat: Seat, now_s: float) -> None:
        if now_s - seat.since_s > SEEN_S:
            self._window.rates.append(seat.results / (now_s - seat.since_s))
        seat.since_s, seat.results = now_s, 0

    def _leave(self, number: int, seat: Seat) -> None:
        now_s = time.monotonic()
        self._rate(seat, now_s)
        self._selector.unregister(seat.connection)
        seat.connection.close()
        with self._lock:
            heapq.heappush(self._outside, (now_s + random.uniform(0.0, REST_S), number))

    def _knock_for_all(self) -> None:
        while True:
            now_s, due = time.monotonic(), []
            with self._lock:
                while self._outside and self._outside[0][0] <= now_s:
                    due.append(heapq.heappop(self._outside)[1])
            doors = [(number, knock(self._urls[number % len(self._urls)])) for number in due]  # all before any answer
            for number, door in doors:
                status, head, body = answer(door)
                with self._lock:
                    self._window.answered_ms.append(1000 * (time.monotonic() - now_s))
                    if status == 101:
                        self._window.let_in += 1
                        self._let_in.append((number, door))
                        continue
                    door.close()
                    self._window.turned_away += 1
                    retry_s = int(head.get("retry-after", "0"))
                    if status != 503 or retry_s < 1 or b'"detail"' not in body:
                        self._window.impolite.append(f"{status} {head} {body!r}")
                    wait_s = max(1, retry_s) * random.uniform(1.0, 1.5)
                    heapq.heappush(self._outside, (time.monotonic() + wait_s, number))
            time.sleep(0.02)


def knock(url: str) -> socket.socket:
    """Asks for a websocket, and does not wait for the answer."""
    authority, _, path = url.removeprefix("ws://").partition("/")
    host, port = authority.split(":")
    connection = socket.create_connection((host, int(port)), timeout=60.0)
    connection.sendall(
        f"GET /{path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return connection


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body; the body only of a refusal."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):
        head += byte
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name}
    status, body = int(first.split()[1]) if first else 0, b""
    while status != 101 and len(body) < int(headers.get("content-length", "0")):
        if not (piece := connection.recv(4096)):
            break
        body += piece
    return status, headers, body


# The measurement


class Health(threading.Thread):
    """How long /healthz takes, twice a second, in a ``with`` block."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url, self._ms, self._over = url, [float("nan")], threading.Event()

    def run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=60.0) as client:
            while not self._over.wait(0.5):
                began_s = time.monotonic()
                client.get("healthz").raise_for_status()
                self._ms.append(1000 * (time.monotonic() - began_s))

    def take(self) -> list[float]:
        """Milliseconds since the last call."""
        taken, self._ms = self._ms, [float("nan")]
        return taken

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def measure(client: httpx.Client, server: subprocess.Popen[str], viewers: int, windows: int, window_s: float) -> list:
    """Prints a line a window; what the viewers saw in each, and "mb" of the server at its end."""
    sources = list(client.get("api/status").json()["sources"])
    urls = [f"{str(client.base_url).replace('http://', 'ws://')}ws/live/{source}" for source in sources]
    command = [sys.executable, __file__, "--be", str(viewers), str(window_s), *urls]
    lines = []
    with Health(str(client.base_url)) as health, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as crowd:
        assert crowd.stdout is not None
        crowd.stdout.readline()  # they are about to knock
        for window in range(windows):
            before, sent_s = client.get("api/status").json()["sources"], processor_s(server.pid, main_thread=True)
            used_s, read_s, began_s = processor_s(server.pid), processor_s(crowd.pid), time.monotonic()
            told = crowd.stdout.readline()
            if not told:
                raise SystemExit("the viewers failed")
            line, took_s = json.loads(told), time.monotonic() - began_s
            after = client.get("api/status").json()["sources"]
            of_core = [
                (processor_s(server.pid, main_thread=True) - sent_s) / took_s,
                (processor_s(server.pid) - used_s) / took_s,
                (processor_s(crowd.pid) - read_s) / took_s,
            ]
            engine = [(after[name]["classified"] - before[name]["classified"]) / took_s for name in sources]
            asked = np.nanquantile(health.take(), [0.5, 0.99])
            lines.append(line := line | {"mb": memory_mb(server.pid), "engine": engine, "health_ms": asked.tolist()})
            print(
                f"{viewers} want in, window {window + 1} of {took_s:.0f} s: {line['seated']} inside, "
                f"{line['turned_away']} turned away, {line['let_in']} let in, {line['thrown_out']} thrown out; "
                f"answered p50 p95 p99 {figures(line['answered_ms'])} ms; sources {figures(engine, 1)} results/s; "
                f"a viewer's least, p5, p50 {figures(line['rates'], 1)} results/s; "
                f"{line['results'] / took_s:.0f} messages/s; age p50 p95 p99 {figures(line['ages_ms'])} ms; "
                f"/healthz p50 p99 {figures(asked)} ms; server {line['mb']:.0f} MB; of a core: sending "
                f"{of_core[0]:.0%}, the server {of_core[1]:.0%}, the viewers {of_core[2]:.0%}; "
                f"load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
        crowd.terminate()
    while any(each["viewers"] for each in client.get("api/status").json()["sources"].values()):
        time.sleep(0.1)  # the next who come find every place free
    return lines


def compared(alone: list[dict[str, Any]], rounds: list[list[dict[str, Any]]]) -> list[str]:
    """What the crowd took from the sources, and what else changed. alone: before each of ``rounds``, and at last."""
    ratios = []
    for number, lines in enumerate(rounds):
        usual = np.mean([np.mean(each["engine"]) for each in alone[number : number + 2]])
        ratios += [float(np.mean(line["engine"]) / usual) for line in lines]
    crowd = [line for lines in rounds for line in lines]
    found = [
        f"results/s of a source, each minute against one viewer a source just before and after: "
        f"{figures(ratios, 2)}; median {np.median(ratios):.2f}"
    ]
    for name, pick, digits in (
        ("results/s of a source", lambda line: np.mean(line["engine"]), 1),
        ("results/s of a viewer, p50", lambda line: line["rates"][2], 1),
        ("age p50, ms", lambda line: line["ages_ms"][0], 0),
        ("age p95, ms", lambda line: line["ages_ms"][1], 0),
        ("age p99, ms", lambda line: line["ages_ms"][2], 0),
        ("/healthz p99, ms", lambda line: line["health_ms"][1], 0),
        ("server, MB", lambda line: line["mb"], 0),
    ):
        found.append(
            f"{name}: {figures(map(pick, alone), digits)} alone; {figures(map(pick, crowd), digits)} in the crowd"
        )
    return found


def figures(values: Any, digits: int = 0) -> str:
    """Several, in one cell."""
    return " ".join(f"{value:.{digits}f}" for value in values)


def broken(lines: list[dict[str, Any]], places: int) -> list[str]:
    """Which promises were, with what was seen."""
    most, out = max(line["most"] for line in lines), sum(line["thrown_out"] for line in lines)
    grown = lines[-1]["mb"] - lines[0]["mb"]
    found = [f"turned away with {each}" for line in lines for each in line["impolite"]]
    found += [f"{most} were in at a time, places: {places}"] if most > places else []
    found += [f"{out} were thrown out"] if out else []
    found += [f"the server grew by {grown:.0f} MB"] if grown > GROWTH_MB else []
    return found


def main() -> None:
    """Measures; --be is how it starts its own viewers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--places", type=int, default=64)
    parser.add_argument("--sources", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=int, default=2, help="of each round")
    parser.add_argument("--rate", type=float, default=15.0)
    parser.add_argument("--be", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.be:
        viewers, window_s, *urls = options.be
        Crowd(urls, int(viewers)).run(float(window_s))
        return
    with ExitStack() as stack:
        _, camera = stack.enter_context(process(["bench/clock_camera.py", "--rate", str(options.rate)]))
        command = ["-m", "cli", "serve", "--port", "0", "--max-viewers", str(options.places)]
        for number in range(options.sources):
            command += ["--source", f"cam{number}={camera}"]
        server, page = stack.enter_context(process(command))
        client = stack.enter_context(httpx.Client(base_url=page, timeout=60.0))
        while not all(each["classified"] for each in client.get("api/status").json()["sources"].values()):
            time.sleep(0.1)
        alone, rounds = [], []
        for _ in range(options.rounds):
            alone += measure(client, server, options.sources, 1, ALONE_S)
            rounds.append(measure(client, server, options.viewers, options.minutes, WINDOW_S))
        alone += measure(client, server, options.sources, 1, ALONE_S)
    print("\n".join(compared(alone, rounds)))
    failed = broken([line for lines in rounds for line in lines], options.places)
    print("\n".join(failed) or "every promise held")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
