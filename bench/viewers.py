"""What viewers cost: the engine's frames/s with one and with ten, and the server's memory beside one that never reads.

    python bench/viewers.py [--rounds 4] [--rate 90]
    python bench/viewers.py --never 1 --minutes 10

The first form switches between one viewer and ten, several times in one run of the server, so that a change of the
machine's mood hits both alike; the viewers take every picture and acknowledge it at once, from a process of their own
on this machine, whose cost is told beside it. The second connects viewers that never read a byte.
The camera is bench/clock_camera.py; at more frames/s than the engine makes, the engine is the bottleneck.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
from websockets.asyncio.client import connect

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "bench")]

from age import memory_mb, process  # noqa: E402

WINDOW_S = 12.0
GIVEN_UP_S = 45.0  # the server's own patience is 20 s


async def watch(url: str) -> None:
    """Takes what comes and acknowledges it, for ever."""
    async with connect(url, max_size=None) as socket:
        async for message in socket:
            if isinstance(message, bytes):
                header = json.loads(message[4 : 4 + int.from_bytes(message[:4], "big")])
                await socket.send(json.dumps({"type": "ack", "seq": header["seq"]}))


async def watch_all(url: str, viewers: int) -> None:
    """That many at once."""
    await asyncio.gather(*(watch(url) for _ in range(viewers)))


async def never_read(url: str, viewers: int) -> None:
    """Connects and leaves all that comes unread; when the server must have given up, connects again."""
    host, port = url.removeprefix("ws://").split("/")[0].split(":")
    path = "/" + url.removeprefix("ws://").split("/", 1)[1]
    while True:
        writers = []
        for _ in range(viewers):
            reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            await writer.drain()
            if b"101" not in await reader.readline():
                raise SystemExit("the server did not take the viewer")
            writer.transport.pause_reading()
            writers.append(writer)
        await asyncio.sleep(GIVEN_UP_S)
        for writer in writers:
            writer.transport.abort()


def helper(kind: str, url: str, number: int) -> subprocess.Popen[bytes]:
    """Viewers in a process of their own."""
    return subprocess.Popen([sys.executable, __file__, "--be", kind, url, str(number)])


def processor_s(pid: int) -> float:
    """Processor time of a process so far, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
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


def one_against_ten(client: httpx.Client, url: str, rounds: int) -> None:
    """Prints both rates of every round, and their ratio."""
    rates: dict[int, list[float]] = {1: [], 10: []}
    for _ in range(rounds):
        for viewers in (1, 10):
            with helper("reader", url, viewers) as readers:
                time.sleep(3)
                used_s = processor_s(readers.pid)
                engine, sent = rate(client, WINDOW_S)
                used_s = processor_s(readers.pid) - used_s
                readers.terminate()
            rates[viewers].append(engine)
            print(
                f"{viewers:2} viewers: engine {engine:5.1f} frames/s, {sent:6.1f} messages/s; "
                f"the viewers themselves used {used_s / WINDOW_S:.0%} of a core",
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
        asyncio.run((watch_all if kind == "reader" else never_read)(url, int(number)))
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
            one_against_ten(client, url, options.rounds)


if __name__ == "__main__":
    main()
