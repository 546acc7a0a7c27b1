"""kill -9 at random moments: what was acknowledged is there, nothing is there twice, and results end in the same bytes.

    python bench/kills.py [--moments 50] [--seed 1] [process upload overlay times record correct]

Acknowledged is what was printed, what was answered with 2xx, and what a list or a counter of the server has shown. Each
moment is one SIGKILL, drawn from a seed, of a process at work: the command `process`, or a server to which somebody
sends, which draws an overlay, joins another start, records, or to which somebody says what was seen. After it
everything is looked at, on the disk and over HTTP, and the work goes on from there. The model is a toy, so that the
time goes into what is tested here: writing.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / place) for place in (".", "tests", "tests/realtime", "tests/dives", "tests/serving")]

from clips import write_clip, write_noise  # noqa: E402
from faulty import COMMAND, Server, serving  # noqa: E402
from result_files import results  # noqa: E402
from sending import send, settled  # noqa: E402
from toy_onnx import write_toy_model  # noqa: E402

from dives.locking import lock  # noqa: E402
from dives.worker import LOCK  # noqa: E402

PIECE_BYTES = 64 << 10
# Of a dive's folder: what grows while it is classified, and what is there before.
GROWING = {"raw.journal", "frames.csv.partial", "sightings.csv.partial"}
AT_ONCE = {"run.json", "run.json.partial", ".lock", "stills"}


class LostError(AssertionError):
    """Something that was acknowledged is gone, is there twice, or came out otherwise."""


@dataclass
class Tally:
    """What came of one kind of work. fell: in which phase the kills did; acknowledged: things, over all moments."""

    kind: str
    moments: int = 0
    acknowledged: int = 0
    seconds: float = 0.0
    fell: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        fell = ", ".join(f"{phase} {count}" for phase, count in sorted(self.fell.items()))
        known = f"{self.kind:8} {self.moments:4} kills  {self.acknowledged:6} acknowledged  {self.seconds:5.0f} s"
        return f"{known}  ({fell})"


@dataclass
class _Sending:
    """An upload under way. offset: bytes that were acknowledged."""

    data: bytes
    id: str = ""
    offset: int = 0


def kill_process(model: Path, folder: Path, moments: int, rng: random.Random) -> Tally:
    """`reeflens process --overlay --resume` on one dive after another, each killed until it gets through."""
    tally = Tally("process")
    clip = write_noise(folder / "dive.mp4", frames=1000)
    for _ in range(2):  # the first starts with cold files
        phases = _phases(_process(clip, folder / "whole", model), folder / "whole" / "dive")
    expected = results(folder / "whole" / "dive")
    dive, done = 0, False
    while tally.moments < moments:
        out = folder / f"out-{dive}"
        running = _process(clip, out, model)
        began_s = time.time()
        try:
            # Any phase is as likely as another, however short: most of the time goes into drawing the overlay.
            running.wait(rng.uniform(*rng.choice(phases)))
            if running.returncode:
                raise LostError(f"process ended with {running.returncode}")
            done = True  # it said so; another run over the same folder must not harm it
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
            tally.fell[_phase(out / "dive", began_s)] += 1
            tally.moments += 1
        if done:
            if _process(clip, out, model).wait():
                raise LostError("what was finished could not be resumed")
            _same(results(out / "dive"), expected)
            tally.acknowledged += len(expected)
            dive, done = dive + 1, False
    if _process(clip, folder / f"out-{dive}", model).wait():
        raise LostError("what was killed could not be resumed")
    _same(results(folder / f"out-{dive}" / "dive"), expected)
    return tally


def kill_upload(model: Path, folder: Path, moments: int, rng: random.Random) -> Tally:
    """Files sent in pieces; the server is killed while it takes one in, or makes a dive of one or of two.

    Of two, somebody who was cut short may decide anew whether they are one dive or one each.
    """
    tally, library = Tally("upload"), folder / "library"
    kept: dict[str, list[bytes]] = {}  # dives that were acknowledged, and their files
    sending: list[_Sending] = []  # under way, to become dives together
    phase, joined = "between", False
    numbers = itertools.count(1)

    def work(http: httpx.Client) -> None:
        nonlocal phase, joined
        while True:
            if not sending:
                sizes = [rng.randint(1, 24) * PIECE_BYTES + rng.randint(1, 999) for _ in range(rng.randint(1, 2))]
                sending.extend(_Sending(rng.randbytes(size)) for size in sizes)
            for each in sending:
                if not each.id:
                    phase = "begin"
                    wanted = {"name": f"{next(numbers)}.mp4", "size": len(each.data)}
                    each.id = http.post("api/uploads", json=wanted).raise_for_status().json()["id"]
                    tally.acknowledged += 1
                phase = "append"
                while (at := each.offset) < len(each.data):
                    piece, headers = each.data[at : at + PIECE_BYTES], {"upload-offset": str(at)}
                    http.patch(f"api/uploads/{each.id}", content=piece, headers=headers).raise_for_status()
                    each.offset = at + len(piece)
                    tally.acknowledged += 1
            joined = len(sending) > 1 and rng.random() < 0.7
            phase = "finish joined" if joined else "finish"
            while sending:
                parts = list(sending) if joined else sending[:1]
                belongs = {"more": [each.id for each in parts[1:]]}
                http.post(f"api/uploads/{parts[0].id}/finish", json=belongs).raise_for_status()
                tally.acknowledged += 1
                kept[parts[0].id] = [each.data for each in parts]
                del sending[: len(parts)]

    def look(server: Server) -> None:
        nonlocal phase
        dives = {row["id"]: row for row in server.http.get("api/dives").raise_for_status().json()["dives"]}
        uploads = {each["id"]: each for each in server.http.get("api/uploads").raise_for_status().json()}
        if missing := set(kept) - set(dives):
            raise LostError(f"dives are gone: {missing}")
        if sending and sending[0].id in dives:  # the answer was lost, the dive is there
            parts = list(sending) if joined else sending[:1]
            kept[sending[0].id] = [each.data for each in parts]
            del sending[: len(parts)]
        sending[:] = [each for each in sending if each.id]  # nobody heard its id: it is sent anew, under another one
        for each in sending:
            at = uploads[each.id]["offset"]
            there = (library / "uploads" / each.id / "data.part").read_bytes()
            if at < each.offset or there != each.data[:at]:
                raise LostError(f"{each.offset} bytes were acknowledged, {at} are there")
            each.offset = at
        if set(dives) != set(kept):
            raise LostError(f"dives that nobody sent: {set(dives) - set(kept)}")
        for dive_id, parts in kept.items():
            found = [original.read_bytes() for original in (library / "dives" / dive_id / "original").iterdir()]
            if sorted(map(_digest, found)) != sorted(map(_digest, parts)):
                raise LostError(f"dive {dive_id} has {len(found)} files for {len(parts)}, or their bytes are others")
        phase = "between"

    for _ in range(moments):
        with serving(model, folder / "log", "--library", library) as server:
            look(server)
            with _killed(server, rng.uniform(0.0, 0.6)):
                work(server.http)
            tally.moments += 1
            tally.fell[phase] += 1
    with serving(model, folder / "log", "--library", library) as server:
        look(server)
        for dive_id in kept:
            settled(server.http, dive_id)  # the queue went on
    return tally


def kill_overlay(model: Path, folder: Path, moments: int, rng: random.Random) -> Tally:
    """A finished dive whose overlay video is asked for; the server and with it the job are killed while it is drawn."""
    tally, library = Tally("overlay"), folder / "library"
    clip = write_noise(folder / "dive.mp4", frames=600)
    with serving(model, folder / "log", "--library", library) as server:
        dive = send(server.http, clip)
        settled(server.http, dive)
        found = library / "dives" / dive / "results"
        expected = results(found)
        began_s = time.monotonic()
        server.http.post(f"api/dives/{dive}/again", json={"what": "overlay"}).raise_for_status()
        settled(server.http, dive)
        drawn, longest_s = results(found), time.monotonic() - began_s
    (found / "overlay.mp4").unlink()
    for _ in range(moments):
        with serving(model, folder / "log", "--library", library) as server:
            if server.http.get(f"api/dives/{dive}").raise_for_status().json()["overlay_state"] != "wanted":
                server.http.post(f"api/dives/{dive}/again", json={"what": "overlay"}).raise_for_status()
            with _killed(server, rng.uniform(0.0, longest_s)):
                while server.http.get(f"api/dives/{dive}").json()["overlay_state"] == "wanted":
                    time.sleep(0.05)
            with (library / "dives" / dive / LOCK).open("ab") as held:
                lock(held, wait=True)  # the job ends just after its server
            tally.moments += 1
            partial = (found / "overlay.mp4.partial").exists()
            tally.fell["over" if (found / "overlay.mp4").exists() else "drawing" if partial else "before"] += 1
            state = json.loads((found / "run.json").read_text(encoding="utf-8"))["state"]
            if state != "complete":
                raise LostError(f"a finished dive is {state!r} while its overlay is drawn")
            now = {name: data for name, data in results(found).items() if not name.endswith(".partial")}
            _same({name: now[name] for name in now.keys() - {"overlay.mp4"}}, expected)
            tally.acknowledged += len(expected)
        (found / "overlay.mp4").unlink(missing_ok=True)
    with serving(model, folder / "log", "--library", library) as server:
        server.http.post(f"api/dives/{dive}/again", json={"what": "overlay"}).raise_for_status()
        settled(server.http, dive)
        _same(results(found), drawn)
    return tally


def kill_times(model: Path, folder: Path, moments: int, rng: random.Random) -> Tally:
    """A finished dive gets one start and then the other; the server and with it the job are killed meanwhile."""
    tally, library = Tally("times"), folder / "library"
    starts = [{"start_utc": f"2026-05-0{day}T09:30:00Z"} for day in (1, 2)]
    expected, longest_s = [], 0.0
    with serving(model, folder / "log", "--library", library) as server:
        dive = send(server.http, write_noise(folder / "dive.mp4", frames=600))
        settled(server.http, dive)
        found = library / "dives" / dive / "results"
        for start in starts:
            began_s = time.monotonic()
            server.http.post(f"api/dives/{dive}/times", json=start).raise_for_status()
            settled(server.http, dive)
            expected.append(results(found))
            longest_s = max(longest_s, time.monotonic() - began_s)
    for moment in range(moments):
        old, new = expected[(moment + 1) % 2], expected[moment % 2]
        with serving(model, folder / "log", "--library", library) as server:
            settled(server.http, dive)  # it goes on with what it was killed at
            _same(results(found), old)
            server.http.post(f"api/dives/{dive}/times", json=starts[moment % 2]).raise_for_status()
            with _killed(server, rng.uniform(0.0, longest_s)):
                while server.http.get(f"api/dives/{dive}").json()["times_state"] == "wanted":
                    time.sleep(0.05)
            with (library / "dives" / dive / LOCK).open("ab") as held:
                lock(held, wait=True)
        now = results(found)
        if now in (old, new):
            tally.fell["the old ones" if now == old else "the new ones"] += 1
        elif found.with_name("results.ready").exists():
            tally.fell["on their way"] += 1
        else:
            _same(now, new)
        tally.moments += 1
        tally.acknowledged += len(new)
    return tally


def kill_record(model: Path, folder: Path, moments: int, rng: random.Random) -> Tally:
    """A camera that is recorded with clips; sightings that the list has shown, and lines that were counted."""
    tally, record = Tally("record"), folder / "record"
    clip = write_clip(folder / "reef.mp4", frames=150, rate=25)
    options = ("--source", f"reef={clip}", "--record", record, "--record-clips", "0.5")
    listed: set[str] = set()
    lines = 0  # of frames, acknowledged by all runs together

    def watch(http: httpx.Client) -> None:
        counted = 0
        nonlocal lines
        try:
            while True:
                shown = http.get("api/sightings?limit=20").raise_for_status().json()
                listed.update(each["id"] for each in shown)
                counted = http.get("api/status").raise_for_status().json()["recording"]["rows"]
        finally:
            lines += counted
            tally.acknowledged += counted

    def look() -> None:
        tables: dict[str, list[list[str]]] = {}
        for path in sorted((record / "reef").glob("*.csv")):
            text = path.read_text(encoding="utf-8")
            whole = text[: text.rfind("\n") + 1]  # the next start cuts off the rest
            header, *rows = csv.reader(whole.splitlines())
            if any(len(row) != len(header) for row in rows):
                raise LostError(f"{path.name}: a line is not whole")
            tables[path.name] = rows
        frames = [tuple(row) for name, rows in tables.items() if name.startswith("frames") for row in rows]
        seen = [tuple(row[:4]) for row in tables["sightings.csv"]]
        if len(frames) < lines:
            raise LostError(f"{lines} lines of frames were counted, {len(frames)} are there")
        if len(set(frames)) != len(frames) or len({(row[0], row[3]) for row in seen}) != len(seen):
            raise LostError("a line is there twice")

    for _ in range(moments):
        with serving(model, folder / "log", *options) as server:
            _all_there(server.http, listed)
            with _killed(server, rng.uniform(0.0, 2.5)):
                watch(server.http)
            tally.moments += 1
            tally.fell["a sighting under way" if (record / "reef" / "ongoing.csv").exists() else "between"] += 1
            look()
    with serving(model, folder / "log", *options) as server:
        _all_there(server.http, listed)
        for each in server.http.get("api/sightings?limit=500").json():
            for name in ("still", "clip"):
                if each[name] and not each["ongoing"] and server.http.get(each[name]).status_code != 200:
                    raise LostError(f"{each[name]} is listed and not there")
    tally.acknowledged += len(listed)
    return tally


def kill_correct(model: Path, folder: Path, moments: int, rng: random.Random) -> Tally:
    """What people say of a dive's sightings, that an animal was missed, and what they call the dive."""
    tally, library = Tally("correct"), folder / "library"
    clip = write_clip(folder / "reef.mp4", frames=150, rate=10)
    with serving(model, folder / "log", "--library", library) as server:
        dive = send(server.http, clip)
        settled(server.http, dive)
        rows = server.http.get(f"api/dives/{dive}/sightings").json()
    said: list[tuple[int, str]] = []  # (sighting, word), acknowledged, in order
    flying: list[tuple[int, str]] = []  # the one that nobody answered
    title, wanted = "reef", ""

    def work(http: httpx.Client) -> None:
        nonlocal title, wanted
        while True:
            if rng.random() < 0.1:
                wanted = f"Reef {rng.randint(0, 10**6)}"
                http.patch(f"api/dives/{dive}", json={"title": wanted}).raise_for_status()
                title, wanted = wanted, ""
                tally.acknowledged += 1
                continue
            number, word = rng.randrange(len(rows)), rng.choice(["right", "nothing", "undo", "Nudibranch", "Squid"])
            flying[:] = [(number, word)]
            _say(http, dive, rows[number], word)
            said.extend(flying)
            flying.clear()
            tally.acknowledged += 1

    def look(server: Server) -> None:
        nonlocal title, wanted
        found = {
            row["number"]: row["correction"] and (row["correction"]["label"] or row["correction"]["verdict"])
            for row in server.http.get(f"api/dives/{dive}/sightings").raise_for_status().json()
        }
        journal = library / "dives" / dive / "results" / "corrections.jsonl"
        lines = journal.read_text(encoding="utf-8").count("\n") if journal.exists() else 0
        taken = lines == len(said) + 1
        if lines != len(said) and not (taken and flying):
            raise LostError(f"{len(said)} words were acknowledged, {lines} are kept")
        said.extend(flying if taken else ())
        flying.clear()
        standing = _standing(said, len(rows))
        if found != standing:
            raise LostError(f"said: {standing}; kept: {found}")
        now = server.http.get(f"api/dives/{dive}").raise_for_status().json()["title"]
        if now not in (title, wanted):
            raise LostError(f"called {title!r}, kept as {now!r}")
        title, wanted = now, ""

    for _ in range(moments):
        with serving(model, folder / "log", "--library", library) as server:
            look(server)
            with _killed(server, rng.uniform(0.0, 0.5)):
                work(server.http)
            tally.moments += 1
            tally.fell["a word" if flying else "a title" if wanted else "between"] += 1
    with serving(model, folder / "log", "--library", library) as server:
        look(server)
    return tally


KINDS: dict[str, Callable[[Path, Path, int, random.Random], Tally]] = {
    "process": kill_process,
    "upload": kill_upload,
    "overlay": kill_overlay,
    "times": kill_times,
    "record": kill_record,
    "correct": kill_correct,
}


def _process(clip: Path, out: Path, model: Path) -> subprocess.Popen[bytes]:
    options = ["--out", str(out), "--overlay", "--resume", "--model", str(model), "--provider", "cpu"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-c", COMMAND, "process", str(clip), *options], cwd=ROOT, **quiet)


def _phases(running: subprocess.Popen[bytes], dive: Path) -> list[tuple[float, float]]:
    """Waits for a `process` to end; from when to when each of its phases went, in seconds, but for the start."""
    began_s, began_utc_s = time.monotonic(), time.time()
    changes, phase = [0.0], "start"
    while running.poll() is None:
        if (now := _phase(dive, began_utc_s)) != phase:
            phase = now
            changes.append(time.monotonic() - began_s)
        time.sleep(0.01)
    return list(itertools.pairwise([*changes[1:], 1.02 * (time.monotonic() - began_s)]))


def _phase(dive: Path, began_s: float) -> str:
    """What `process`, which began at this time, is doing, by what it has written since."""
    since: dict[str, float] = {}
    for path in dive.iterdir() if dive.exists() else ():
        with suppress(FileNotFoundError):
            if (written_s := path.stat().st_mtime) >= began_s:
                since[path.name] = written_s
    if max(since, key=lambda name: since[name], default="") == "overlay.mp4.partial":
        return "overlay"
    if since.keys() - GROWING - AT_ONCE:
        return "write"
    return "classify" if since.keys() & GROWING else "start"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _same(found: dict[str, bytes], expected: dict[str, bytes]) -> None:
    if differing := sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)):
        raise LostError(f"came out otherwise: {', '.join(differing)}")


@contextmanager
def _killed(server: Server, after_s: float) -> Iterator[None]:
    """Kills the server so many seconds from now; whoever is talking to it is cut short then."""
    timer = threading.Timer(after_s, server.process.kill)
    timer.start()
    try:
        yield
    except httpx.TransportError:
        pass
    finally:
        timer.join()
        server.process.wait()


def _all_there(http: httpx.Client, listed: set[str]) -> None:
    found: set[str] = set()
    page: Sequence[dict[str, Any]] = http.get("api/sightings?limit=500").raise_for_status().json()
    while page:
        ids = [each["id"] for each in page]
        if len(set(ids)) != len(ids) or found & set(ids):
            raise LostError("a sighting is listed twice")
        found.update(ids)
        page = http.get(f"api/sightings?limit=500&before={ids[-1]}").raise_for_status().json()
    if missing := listed - found:
        raise LostError(f"sightings that were listed are gone: {missing}")


def _say(http: httpx.Client, dive: str, row: dict[str, Any], word: str) -> None:
    of = {name: row[name] for name in ("number", "peak_frame", "label")}
    verdict = word if word in ("right", "nothing", "undo") else "wrong"
    body = {**of, "verdict": verdict, "truth": word if verdict == "wrong" else ""}
    http.post(f"api/dives/{dive}/corrections", json=body).raise_for_status()


def _standing(said: Sequence[tuple[int, str]], sightings: int) -> dict[int, str | None]:
    words: dict[int, list[str]] = {number: [] for number in range(sightings)}
    for number, word in said:
        if word == "undo":
            del words[number][-1:]
        else:
            words[number].append(word)
    return {number: each[-1] if each else None for number, each in words.items()}


def kills(kind: str, moments: int, seed: int, folder: Path) -> Tally:
    """One kind of work, killed at so many moments. Raises LostError."""
    folder.mkdir(parents=True)
    began_s = time.monotonic()
    tally = KINDS[kind](write_toy_model(folder / "toy.onnx"), folder, moments, random.Random(f"{kind} {seed}"))
    tally.seconds = time.monotonic() - began_s
    return tally


def main() -> None:
    """Prints a line per kind of work, and ends with 1 where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], default=list(KINDS))
    parser.add_argument("--moments", type=int, default=50, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    lost = 0
    for kind in given.kinds:
        with tempfile.TemporaryDirectory() as folder:
            try:
                tally = kills(kind, given.moments, given.seed, Path(folder) / kind)
                print(json.dumps(vars(tally)) if given.json else tally, flush=True)
            except LostError as error:
                lost += 1
                print(f"{kind:8} LOST: {error}", flush=True)
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
