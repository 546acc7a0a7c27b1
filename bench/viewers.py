"""What viewers cost: the engine's frames/s with one and with ten, and the server's memory beside one that never reads.

    python bench/viewers.py [--rounds 4] [--rate 90]
    python bench/viewers.py --never 1 --minutes 10

The first form switches between one viewer and ten, several times in one run of the server, so that a change of the
machine's mood hits both alike. The second connects viewers that never read a byte.

A viewer takes every picture, acknowledges it at once and throws it away unseen, all of them in one process on this
machine: what that process uses is told beside the rates, as a real viewer would use it elsewhere. "Sending" is the
processor time of the server's event loop, which is where messages are made, framed and handed to the kernel; what the
kernel does on the loopback is in it. The camera is bench/clock_camera.py; at more frames/s than the engine makes, the
engine is the bottleneck.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "bench")]

from age import memory_mb, process  # noqa: E402

WINDOW_S = 12.0
GIVEN_UP_S = 45.0  # the server's own patience is 20 s

TEXT, BINARY, PING, PONG = 0x81, 0x82, 0x89, 0x8A  # whole frames (RFC 6455, 5.2)
MASKED, NO_MASK = 0x80, bytes(4)
DISCARD = socket.MSG_TRUNC if sys.platform == "linux" else 0  # the kernel throws it away and copies nothing
SCRAP = bytearray(1 << 20)


def watch(connection: socket.socket, on_result: Callable[[dict[str, Any]], None] | None = None) -> Iterator[None]:
    """A viewer on a websocket, as cheap as can be: yields whenever there is nothing more to read.

    on_result: told the header of each result when all of it is here. Raises OSError when the server ends it.
    """

    def exactly(size: int) -> Generator[None, None, bytes]:
        data = b""
        while len(data) < size:
            try:
                piece = connection.recv(size - len(data))
            except BlockingIOError:
                yield
                continue
            if not piece:
                raise ConnectionError("the server closed the connection")
            data += piece
        return data

    while True:
        opcode, size = yield from exactly(2)
        if size > 125:
            size = int.from_bytes((yield from exactly(2 if size == 126 else 8)), "big")
        if opcode == PING:
            connection.send(bytes((PONG, MASKED | size)) + NO_MASK + (yield from exactly(size)))
            continue
        answer, header = b"", None
        if opcode == BINARY:
            length = int.from_bytes((yield from exactly(4)), "big")
            header = json.loads((yield from exactly(length)))
            size -= 4 + length
            ack = json.dumps({"type": "ack", "seq": header["seq"]}).encode()
            answer = bytes((TEXT, MASKED | len(ack))) + NO_MASK + ack
        while size:
            try:
                size -= connection.recv_into(SCRAP, min(size, len(SCRAP)), DISCARD)
            except BlockingIOError:
                yield
        if header is not None:
            connection.send(answer)
            if on_result is not None:
                on_result(header)


def watch_all(url: str, viewers: int) -> None:
    """That many at once, for ever."""
    with selectors.DefaultSelector() as selector:
        for _ in range(viewers):
            connection = upgraded(url)
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ, watch(connection))
        while True:
            for key, _ in selector.select():
                next(key.data)


def upgraded(url: str, receive_bytes: int | None = None) -> socket.socket:
    """A connection on which the server speaks websocket now. receive_bytes: that the kernel keeps for us unread."""
    authority, _, path = url.removeprefix("ws://").partition("/")
    host, port = authority.split(":")
    connection = socket.socket()
    if receive_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.connect((host, int(port)))
    connection.sendall(
        f"GET /{path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        if not (byte := connection.recv(1)):
            break
        answer += byte
    if b" 101 " not in answer:
        raise SystemExit("the server did not take the viewer")
    return connection


def never_read(url: str, viewers: int) -> None:
    """Connects and leaves all that comes unread; when the server must have given up, connects again.

    Not one picture fits into the kernel's buffer, so that it is the server that is left with it.
    """
    while True:
        connections = [upgraded(url, receive_bytes=4096) for _ in range(viewers)]
        time.sleep(GIVEN_UP_S)
        for connection in connections:
            connection.close()


def helper(kind: str, url: str, number: int) -> subprocess.Popen[bytes]:
    """Viewers in a process of their own."""
    return subprocess.Popen([sys.executable, __file__, "--be", kind, url, str(number)])


def processor_s(pid: int, *, main_thread: bool = False) -> float:
    """Processor time of a process so far, or of its main thread alone; seconds."""
    path = Path(f"/proc/{pid}/task/{pid}/stat" if main_thread else f"/proc/{pid}/stat")
    fields = path.read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def classified(client: httpx.Client) -> tuple[float, int, int]:
    """(monotonic seconds, frames classified, messages sent) of the source."""
    source = client.get("api/status").json()["sources"]["cam"]
    return time.monotonic(), source["classified"], source["messages"]["sent"]


def rate(client: httpx.Client, seconds: float) -> tuple[float, float]:
    """Results/s of the engine and messages/s to viewers over a while."""
    then_s, before, sent_before = classified(client)
    time.sleep(seconds)
    now_s, after, sent = classified(client)
    return (after - before) / (now_s - then_s), (sent - sent_before) / (now_s - then_s)


def one_against_ten(client: httpx.Client, url: str, server_pid: int, rounds: int) -> None:
    """Prints both rates of every round, and their ratio."""
    rates: dict[int, list[float]] = {1: [], 10: []}
    for _ in range(rounds):
        for viewers in (1, 10):
            with helper("reader", url, viewers) as readers:
                time.sleep(3)
                read_s, sent_s = processor_s(readers.pid), processor_s(server_pid, main_thread=True)
                engine, sent = rate(client, WINDOW_S)
                read_s = processor_s(readers.pid) - read_s
                sent_s = processor_s(server_pid, main_thread=True) - sent_s
                readers.terminate()
            rates[viewers].append(engine)
            print(
                f"{viewers:2} viewers: engine {engine:5.1f} frames/s, {sent:6.1f} messages/s; of a core: sending "
                f"{sent_s / WINDOW_S:.0%} ({sent_s / WINDOW_S / sent * 1e3:.2f} ms a message), "
                f"the viewers themselves {read_s / WINDOW_S:.0%}",
                flush=True,
            )
    ratio = statistics.median(b / a for a, b in zip(rates[1], rates[10], strict=True))
    print(f"ten viewers / one viewer: {ratio:.3f}")


def beside_never(client: httpx.Client, url: str, pid: int, viewers: int, minutes: int) -> None:
    """Prints memory and the other viewer's rate, minute by minute."""
    with helper("reader", url, 1) as reader:
        time.sleep(3)
        engine, sent = rate(client, WINDOW_S)
        print(
            f"before: engine {engine:.1f} frames/s, one viewer gets {sent:.1f}/s, server {memory_mb(pid):.0f} MB",
            flush=True,
        )
        with helper("never", url, viewers) as never:
            time.sleep(1)
            for minute in range(minutes):
                engine, sent = rate(client, 60.0)
                print(
                    f"minute {minute + 1:2}: engine {engine:.1f} frames/s, {sent:.1f} messages/s in all, "
                    f"server {memory_mb(pid):.0f} MB, "
                    f"{client.get('api/status').json()['sources']['cam']['viewers']} connected",
                    flush=True,
                )
            never.terminate()
        reader.terminate()


def main() -> None:
    """Runs one of the two measurements; --be is how it starts its own helpers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--rate", type=float, default=90.0)
    parser.add_argument("--never", type=int, default=0)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--be", nargs=3, metavar=("KIND", "URL", "N"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.be:
        kind, url, number = options.be
        (watch_all if kind == "reader" else never_read)(url, int(number))
        return
    with ExitStack() as stack:
        _, camera = stack.enter_context(process(["bench/clock_camera.py", "--rate", str(options.rate)]))
        command = ["-m", "cli", "serve", "--port", "0", "--source", f"cam={camera}"]
        server, page = stack.enter_context(process(command))
        client = stack.enter_context(httpx.Client(base_url=page, timeout=20.0))
        while not client.get("api/status").json()["sources"]["cam"]["classified"]:
            time.sleep(0.1)
        url = page.replace("http://", "ws://") + "ws/live/cam"
        if options.never:
            beside_never(client, url, server.pid, options.never, options.minutes)
        else:
            one_against_ten(client, url, server.pid, options.rounds)


if __name__ == "__main__":
    main()
