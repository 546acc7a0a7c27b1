"""An hour of everything that goes wrong, at once: does the server grow, and is anything lost that it had acknowledged?

    python bench/soak.py [--minutes 60] [--json soak.json]          (make soak)

One server on this machine, with --record, clips and a library, and around it all of these at the same time:

- an RTSP camera that is pulled out every 20 s and comes back in another colour, beside an MJPEG one that stays;
- viewers who come and go, who are slow, who never read, who leave without a word, who break every rule of the protocol,
  and more of them than there are places;
- recordings sent in parts, some of them broken off, classified, corrected, downloaded, deleted;
- words said of live sightings; scripts that ask for everything;
- half-way, the disk that all of it is written to is full for a while. For that it is a small one in memory, which only
  root can mount; others skip that line.

The model is the tests' own, which tells colours apart, so that every return of the camera is a sighting. Prints a line
a minute, and at the end a table of what is promised; exits with 1 when a line of it does not hold. Needs GStreamer, as
the tests do.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench"), str(ROOT / "tests"), str(ROOT / "tests" / "realtime")]

from clips import write_clip  # noqa: E402
from insults import INSULTS, STRAIGHT, handshake  # noqa: E402
from rtsp_server import RtspCamera  # noqa: E402
from soak_verdict import CAME_BACK, Account, End, Line, as_json, judged, table  # noqa: E402
from toy_onnx import write_toy_model  # noqa: E402
from trend import Sampler, look  # noqa: E402

PLACES = 12
LOST_EVERY_S = 20.0
FULL_S = 40.0
DISK_BYTES = 2 << 30  # uploads want 1 GB left free
SETTLE_S = 20.0  # what worker threads, connections and jobs take to end when nobody comes any more
COLOURS = ("red", "green", "blue")
UNDER_WAY = ("queued", "running")
PASSING = (423, 503, 507)  # refusals that say when to come back


class Soak(Account):
    """What the actors share: where the server is, and what they saw of it."""

    def __init__(self, url: str, folder: Path, camera: RtspCamera, videos: list[Path]) -> None:
        super().__init__(folder)
        self.url, self.camera, self.videos = url, camera, videos
        self.ws = url.replace("http://", "ws://")
        self.over = threading.Event()
        self.last_s = {"steady": 0.0, "lost": 0.0}  # when the watcher of each had its newest result
        self._number = iter(range(1 << 40))

    def rest(self, seconds: float) -> None:
        """Waits; ends at once when it is over."""
        self.over.wait(seconds)

    def client(self) -> httpx.Client:
        """For one actor."""
        return httpx.Client(base_url=self.url, timeout=30.0)

    def look_at(self, source: str) -> ClientConnection:
        """A viewer, who has more patience than an hour of load takes. Raises InvalidStatus when turned away."""
        return connect(f"{self.ws}ws/live/{source}", max_size=None, open_timeout=60.0)

    def trouble(self, what: str) -> None:
        """Notes what nobody expected, and says it while it is fresh."""
        self.troubles.append(what)
        print(f"  ! {time.strftime('%X')} {what}", flush=True)

    def word(self) -> str:
        """One that nobody said before."""
        return f"word {next(self._number)}"

    def act(self, actor: Callable[[Soak], None]) -> threading.Thread:
        """Runs ``actor`` over and over, in a thread; what it raises is a trouble."""

        def run() -> None:
            while not self.over.is_set():
                try:
                    actor(self)
                except Exception as error:
                    if self.over.is_set():
                        return
                    self.trouble(f"{actor.__name__}: {''.join(traceback.format_exception(error))}")
                    self.rest(2.0)

        thread = threading.Thread(target=run, name=actor.__name__, daemon=True)
        thread.start()
        return thread


# Viewers


def watcher(soak: Soak, source: str) -> None:
    """Stays as long as it can, and notes how old what it gets is."""
    try:
        with soak.look_at(source) as viewer:
            while not soak.over.is_set():
                message = viewer.recv(timeout=30.0)
                if isinstance(message, bytes):
                    header = header_of(message)
                    viewer.send(json.dumps({"type": "ack", "seq": header["seq"]}))
                    soak.last_s[source] = time.monotonic()
                    if source == "steady":
                        soak.ages.append((time.monotonic(), header["age_ms"]))
    except (ConnectionClosed, TimeoutError):
        soak.counts["watchers lost"] += not soak.over.is_set()
    except InvalidStatus as error:
        turned_away(soak, error)
        soak.rest(1.0)


def watch_steady(soak: Soak) -> None:
    """One of those who see that the source that stays is served."""
    watcher(soak, "steady")


def watch_lost(soak: Soak) -> None:
    """Sees when the camera is back."""
    watcher(soak, "lost")


def visit(soak: Soak, *, ack_s: float = 0.0) -> None:
    """Somebody who looks for some seconds; now and then without saying good-bye."""
    source, until_s = random.choice(("steady", "lost")), time.monotonic() + random.uniform(2.0, 20.0)
    try:
        with soak.look_at(source) as viewer:
            if random.random() < 0.3:
                viewer.send(json.dumps({"type": "explain", "class": random.randrange(3)}))
            if random.random() < 0.3:
                viewer.send(json.dumps({"type": "want", "picture": False}))
            while time.monotonic() < until_s and not soak.over.is_set():
                with suppress(TimeoutError):
                    message = viewer.recv(timeout=1.0)
                    if isinstance(message, bytes):
                        soak.rest(ack_s)
                        viewer.send(json.dumps({"type": "ack", "seq": header_of(message)["seq"]}))
            if random.random() < 0.3:
                viewer.socket.shutdown(socket.SHUT_RDWR)
            soak.counts["visits"] += 1
    except InvalidStatus as error:
        turned_away(soak, error)
    except ConnectionClosed as error:
        soak.counts[f"visits closed: {error.rcvd.code if error.rcvd else 'gone'}"] += 1
    soak.rest(random.uniform(0.2, 3.0))


def visit_slowly(soak: Soak) -> None:
    """Acknowledges a second and a half late."""
    visit(soak, ack_s=1.5)


def never_read(soak: Soak) -> None:
    """Takes a place and not one byte; the server gives up first, after 20 s."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        if handshake(connection, soak.ws, "ws/live/steady"):
            soak.rest(30.0)
            soak.counts["never read"] += 1
    soak.rest(1.0)


def insult(soak: Soak) -> None:
    """Breaks one rule, and looks whether the server ends it."""
    name, path, data = random.choice(INSULTS)
    with socket.socket() as connection:
        connection.settimeout(3.0 if path in STRAIGHT else 15.0)  # the server waits 10 s for a close to be answered
        if path in STRAIGHT:
            host, _, port = soak.ws.removeprefix("ws://").rstrip("/").partition(":")
            connection.connect((host, int(port)))
        elif not handshake(connection, soak.ws, path):
            soak.rest(1.0)
            return
        with suppress(OSError):  # closed before all of it was sent
            connection.sendall(data)
        try:
            until_s = time.monotonic() + 15.0
            while connection.recv(1 << 16):
                if time.monotonic() > until_s:
                    raise TimeoutError
        except TimeoutError:
            if path not in STRAIGHT:
                soak.trouble(f"insult: {name} was not answered with an end")
        except OSError:
            pass  # that is an end, too
        soak.counts["insults"] += 1
    soak.rest(random.uniform(0.1, 0.5))


def push(soak: Soak) -> None:
    """Takes every place that is left and wants more."""
    with ExitStack() as stack:
        try:
            for _ in range(PLACES + 1):
                stack.enter_context(soak.look_at("steady"))
            soak.trouble(f"push: more than {PLACES} were let in")
        except InvalidStatus as error:
            turned_away(soak, error)
        soak.rest(1.0)
    soak.rest(random.uniform(5.0, 15.0))


def turned_away(soak: Soak, error: InvalidStatus) -> None:
    """Notes a refusal; one that is not polite is a trouble."""
    soak.counts["turned away"] += 1
    answer = error.response
    if answer.status_code != 503 or int(answer.headers.get("retry-after", "0")) < 1 or b"detail" not in answer.body:
        soak.trouble(f"turned away with {answer.status_code} {dict(answer.headers)}")


def header_of(message: bytes) -> dict[str, Any]:
    """Of a result."""
    length = int.from_bytes(message[:4], "big")
    found: dict[str, Any] = json.loads(message[4 : 4 + length])
    return found


# The camera, and the disk


def pull_out(soak: Soak) -> None:
    """The camera goes, and comes back as another one."""
    soak.rest(LOST_EVERY_S - 4.0)
    if soak.over.is_set():
        return
    soak.camera.kill()
    soak.rest(random.uniform(1.0, 4.0))
    if soak.over.is_set():
        return
    soak.counts["cameras lost"] += 1
    soak.camera.start(size="640x360", pattern=COLOURS[soak.counts["cameras lost"] % 3])
    back_s = time.monotonic()
    while soak.last_s["lost"] < back_s and time.monotonic() < back_s + 20.0 and not soak.over.is_set():
        soak.rest(0.02)
    if soak.last_s["lost"] >= back_s:
        soak.returns_s.append(soak.last_s["lost"] - back_s)


def fill(soak: Soak, disk: Path) -> None:
    """Leaves no byte free for FULL_S, and looks what recording says to that."""
    filler = disk / "filler"
    soak.full_s = (time.monotonic(), float("inf"))
    with filler.open("wb") as file, soak.client() as client:
        until_s, size, states = time.monotonic() + FULL_S, 0, set()
        while time.monotonic() < until_s and not soak.over.is_set():
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
            with suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, size + max(free, 1))
                size += free
            states.add(client.get("api/status").json()["recording"]["state"])
            soak.rest(0.5)
    filler.unlink()
    soak.full_s = (soak.full_s[0], time.monotonic())
    with soak.client() as client:
        until_s = time.monotonic() + 30.0
        while (now := client.get("api/status").json()["recording"])["state"] != "on" and time.monotonic() < until_s:
            soak.rest(0.5)
    went = "retrying" in states
    soak.disk = CAME_BACK if went and now["state"] == "on" else f"noticed: {went}, after: {now}"


# Recordings, and words


def send(soak: Soak) -> None:
    """A recording, in parts, one of them broken off; waits until it is classified, says a word of it, fetches all."""
    video, began_s = random.choice(soak.videos).read_bytes(), time.monotonic()
    with soak.client() as client:
        begun = client.post("api/uploads", json={"name": "dive.mp4", "size": len(video), "every_s": 0.2})
        if not taken(soak, begun):
            return
        upload = begun.json()["id"]
        if soak.counts["uploads"] % 3 == 0:
            break_off(soak, upload, video)
        soak.counts["uploads"] += 1
        while (offset := client.get(f"api/uploads/{upload}").json()["offset"]) < len(video):
            part = video[offset : offset + len(video) // 3 + 1]
            headers = {"upload-offset": str(offset)}
            if not taken(soak, client.patch(f"api/uploads/{upload}", content=part, headers=headers)):
                continue
        while not taken(soak, finished := client.post(f"api/uploads/{upload}/finish")):
            if finished.status_code not in PASSING or soak.over.is_set():
                return
        dive = finished.json()["id"]
        soak.dives[dive], soak.sent_s[dive] = None, began_s
        soak.counts["dives"] += 1
        while (now := client.get(f"api/dives/{dive}").json())["state"] in UNDER_WAY:
            soak.rest(0.5)
            if soak.over.is_set():
                return
        soak.counts[f"dives {now['state']}"] += 1
        if now["state"] != "complete":
            soak.unfinished[dive] = why_not(now), soak.was_full(began_s)
            print(f"  ! {time.strftime('%X')} dive {dive}: {why_not(now)}", flush=True)
            return
        found = client.get(f"api/dives/{dive}/sightings")
        if found.status_code == 200 and found.json():
            first, word = found.json()[0], soak.word()
            said = {"number": 0, "label": first["label"], "peak_frame": first["peak_frame"]}
            said |= {"verdict": "wrong", "truth": word, "by": "soak"}
            answer = client.post(f"api/dives/{dive}/corrections", json=said)
            if taken(soak, answer):
                soak.dives[dive] = word
        for path in ("thumbnail", "results.zip", "files"):
            taken(soak, client.get(f"api/dives/{dive}/{path}"))
        kept = [each for each in soak.dives if each not in soak.deleted and each not in soak.unfinished]
        if len(kept) > 10:
            client.delete(f"api/dives/{kept[0]}").raise_for_status()
            soak.deleted.add(kept[0])
    soak.rest(random.uniform(1.0, 6.0))


def why_not(dive: dict[str, Any]) -> str:
    """What the server says of a dive that did not come through."""
    return f"{dive['state']}: {dive['reason']}{f' ({cause})' if (cause := dive['cause']) else ''}"


def ask_again(soak: Soak, patience_s: float = 120.0) -> None:
    """Those whose disk was full go on when there is room, as people would ask them to; else they stay unfinished."""
    with soak.client() as client:
        until_s = time.monotonic() + patience_s
        while any(now["state"] in UNDER_WAY for now in listed(client)) and time.monotonic() < until_s:
            time.sleep(0.5)
        for now in listed(client):  # whoever sent the last ones was called off before their end
            if now["state"] != "complete" and now["id"] not in soak.unfinished:
                soak.unfinished[now["id"]] = why_not(now), soak.was_full(soak.sent_s.get(now["id"], float("inf")))
        for dive, (why, full) in list(soak.unfinished.items()):
            if not full:
                continue
            until_s = time.monotonic() + patience_s
            now = client.post(f"api/dives/{dive}/again", json={}).raise_for_status().json()
            while now["state"] in UNDER_WAY and time.monotonic() < until_s:
                time.sleep(0.5)
                now = client.get(f"api/dives/{dive}").json()
            soak.counts["dives that went on"] += now["state"] == "complete"
            if now["state"] != "complete":
                soak.unfinished[dive] = f"{why}; asked again: {why_not(now)}", False


def listed(client: httpx.Client) -> list[dict[str, Any]]:
    """The dives of the library, newest first."""
    dives: list[dict[str, Any]] = client.get("api/dives").raise_for_status().json()["dives"]
    return dives


def break_off(soak: Soak, upload: str, video: bytes) -> None:
    """Announces all of it and leaves in the middle."""
    authority = soak.url.removeprefix("http://").rstrip("/")
    host, _, port = authority.partition(":")
    head = (
        f"PATCH /api/uploads/{upload} HTTP/1.1\r\nHost: {authority}\r\nUpload-Offset: 0\r\n"
        f"Content-Length: {len(video)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + video[: len(video) // 5])
    soak.counts["uploads broken off"] += 1
    soak.rest(0.5)


def taken(soak: Soak, answer: httpx.Response) -> bool:
    """Whether the server took it; when not, waits as long as it says, and a refusal without a time is a trouble."""
    if answer.is_success:
        return True
    soak.counts[f"refused {answer.status_code}"] += 1
    if answer.status_code in PASSING:
        soak.rest(min(5.0, float(answer.headers.get("retry-after", "nan"))))
    elif answer.status_code not in (404, 409):
        soak.trouble(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:200]}")
    return False


def list_and_say(soak: Soak) -> None:
    """Keeps what was listed as ended, and says something of one that nobody spoke of yet."""
    with soak.client() as client:
        while not soak.over.is_set():
            listed = client.get("api/sightings", params={"limit": 500}).json()
            ended = [entry for entry in listed if not entry["ongoing"]]
            soak.sightings |= {entry["id"]: entry for entry in ended}
            silent = [entry for entry in ended if entry["correction"] is None]
            if silent and random.random() < 0.5:
                word = soak.word()
                entry = random.choice(silent)
                said = {"verdict": "wrong", "truth": word, "by": "soak"}
                if taken(soak, client.post(f"api/sightings/{entry['id']}/correction", json=said)):
                    soak.words[word] = entry["source"]
            soak.rest(2.0)


def ask(soak: Soak) -> None:
    """A page's and a script's questions, and how long the shortest takes."""
    with soak.client() as client:
        while not soak.over.is_set():
            began_s = time.monotonic()
            client.get("healthz").raise_for_status()
            soak.health_ms.append(1000 * (time.monotonic() - began_s))
            for path in ("api/status", "api/dives", "metrics", "", "dives"):
                client.get(path).raise_for_status()
            for source in client.get("api/sources").json():
                if source["thumbnail"]:
                    client.get(source["thumbnail"])
            soak.rest(1.0)


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A file system of DISK_BYTES at ``folder``, if this user may mount one; whether that is so."""
    mounted = False
    with suppress(OSError):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], check=False)
        mounted = done.returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=False)


@contextmanager
def started(command: list[str], log: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process and the last word of the first line that it prints; what it logs goes to a file."""
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as process,
    ):
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().split()[-1]
        finally:
            process.kill()


def main() -> None:
    """Runs it, and judges."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random.seed(options.seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logging.getLogger("websockets.client").setLevel(logging.CRITICAL)  # of who shuts a connection under its feet
    with ExitStack() as stack:
        aside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        disk = aside / "disk"
        disk.mkdir()
        may_fill = stack.enter_context(small_disk(disk))
        model = write_toy_model(aside / "toy.onnx")
        camera = stack.enter_context(RtspCamera(size="640x360", pattern=COLOURS[0]))
        _, steady = stack.enter_context(started(["bench/clock_camera.py", "--rate", "15"], aside / "camera.log"))
        command = ["-m", "cli", "serve", "--port", "0", "--model", str(model), "--max-viewers", str(PLACES)]
        command += ["--source", f"steady={steady}", "--source", f"lost={camera.url}", "--record", str(disk / "record")]
        command += ["--record-clips", "2", "--library", str(disk / "library")]
        server, url = stack.enter_context(started(command, aside / "server.log"))
        videos = [write_clip(aside / f"{n}.mp4", frames=n, rate=10, size_hw=(180, 320)) for n in (40, 90, 200)]
        soak = Soak(url, disk, camera, videos)
        lines = run(soak, server, options.minutes, disk if may_fill else None, aside / "server.log")
        if options.json:
            options.json.with_suffix(".log").write_text((aside / "server.log").read_text())
    print(table(lines))
    if options.json:
        options.json.write_text(as_json(lines))
    sys.exit(any(line.holds is False for line in lines))


def run(soak: Soak, server: subprocess.Popen[str], minutes: float, disk: Path | None, log: Path) -> list[Line]:
    """All of it for so long, then quiet, then the end; what can be said of each promise."""
    time.sleep(SETTLE_S / 2)
    before = look(server.pid, 0.0)
    sampler = Sampler(server.pid)
    sampler.start()
    actors = [watch_steady, watch_lost, visit, visit, visit, visit, visit_slowly, never_read, insult, insult, push]
    actors += [pull_out, send, list_and_say, ask]
    threads = [soak.act(actor) for actor in actors]
    began_s = time.monotonic()
    over_s, full_at_s, told = began_s + 60 * minutes, began_s + 30 * minutes, 0
    while time.monotonic() < over_s and server.poll() is None:
        time.sleep(1.0)
        if disk is not None and time.monotonic() > full_at_s:
            full_at_s = float("inf")
            threads.append(threading.Thread(target=fill, args=(soak, disk), daemon=True))
            threads[-1].start()
        if time.monotonic() >= began_s + 60 * (told + 1):
            told += 1
            print(progress(soak, sampler, told), flush=True)
    soak.over.set()
    for thread in threads:
        thread.join(40.0)
    samples = sampler.stop()
    last = soak.client().get("api/sightings", params={"limit": 500}).json()
    soak.sightings |= {entry["id"]: entry for entry in last if not entry["ongoing"]}
    soak.camera.start(size="640x360", pattern="red")
    time.sleep(SETTLE_S)
    after, status = look(server.pid, sampler.now_s), soak.client().get("api/status").json()
    ask_again(soak)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(soak.look_at("steady"))
        began_s = time.monotonic()
        server.send_signal(signal.SIGTERM)
        code = server.wait(30)
        stopped_s = time.monotonic() - began_s
    filled = disk is not None
    return judged(
        soak, End(samples, before, after, minutes, code, stopped_s, log.read_text(), status["recording"], filled)
    )


def progress(soak: Soak, sampler: Sampler, minute: int) -> str:
    """A line a minute."""
    newest = sampler.samples[-1]
    ages = [age for at_s, age in soak.ages if at_s > time.monotonic() - 60.0] or [float("nan")]
    counts = soak.counts
    return (
        f"minute {minute:3}: {newest.mb:.0f} MB, {newest.threads} threads, {newest.descriptors} descriptors, "
        f"{newest.children} children; age p95 {np.quantile(ages, 0.95):.0f} ms; {counts['visits']} visits, "
        f"{counts['turned away']} turned away, {counts['insults']} insults, {counts['cameras lost']} cameras lost, "
        f"{counts['dives complete']} dives, {len(soak.sightings)} sightings, {len(soak.words)} words; "
        f"{len(soak.troubles)} troubles; load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
