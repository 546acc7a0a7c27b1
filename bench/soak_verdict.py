"""What can be said of each promise after bench/soak.py: trends, what is left when it is quiet, what was lost; a table.

Nothing here runs or waits. What the actors of the soak saw is an ``Account``; how the server was and ended is an
``End``; ``judged`` makes lines of both.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from trend import Sample, per_minute, slope

from dives.corrections import read_corrections
from dives.sighting_rows import read_rows
from realtime.errors import ResultsError

ENOUGH_MINUTES = 20  # before them a slope says nothing
CAME_BACK = "went, and came back"  # recording, when the disk was full


class Line(NamedTuple):
    """A promise, its figure, its bar, and whether it holds; None where too little was seen to say so."""

    promise: str
    figure: str
    bar: str
    holds: bool | None


@dataclass(slots=True)
class Account:
    """What the server acknowledged, how it answered, and what nobody expected. Written to by all actors at once.

    folder: where the server keeps ``record`` and ``library``. ages: monotonic seconds, and ms. returns_s: what a camera
    took to be seen again. sightings: that were listed as ended, by id. words: said of them -> source. dives: that were
    taken -> the word said of one of its sightings. sent_s: since when, by the monotonic clock. unfinished: dives that
    did not come through: why, and whether the disk was full. full_s: from when to when it was.
    """

    folder: Path
    counts: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    ages: list[tuple[float, float]] = field(default_factory=list)
    health_ms: list[float] = field(default_factory=list)
    returns_s: list[float] = field(default_factory=list)
    sightings: dict[str, dict[str, Any]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    dives: dict[str, str | None] = field(default_factory=dict)
    sent_s: dict[str, float] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    unfinished: dict[str, tuple[str, bool]] = field(default_factory=dict)
    full_s: tuple[float, float] = (float("inf"), float("-inf"))
    disk: str = "not filled"

    def was_full(self, since_s: float) -> bool:
        """Whether the disk was, for some of the time since then."""
        began_s, over_s = self.full_s
        return began_s <= time.monotonic() and over_s >= since_s


@dataclass(frozen=True, slots=True)
class End:
    """How the server was all the time, and how it ended.

    before, after: with nobody there. minutes: of load. code, stopped_s: of its stop with viewers connected. log: what
    it wrote. recording: what it said of that at the end. filled: whether the disk was to be full for a while.
    """

    samples: Sequence[Sample]
    before: Sample
    after: Sample
    minutes: float
    code: int
    stopped_s: float
    log: str
    recording: dict[str, Any]
    filled: bool


def judged(account: Account, end: End) -> list[Line]:
    """Every promise. Reads the server's folders."""
    return [*_trends(end), *_quiet(end), *_times(account), *_faults(account, end), *_ending(account, end)]


def table(lines: Iterable[Line]) -> str:
    """For people."""
    lines = list(lines)
    width = max(len(line.promise) for line in lines)
    marks = {True: "   ok", False: "FAILS", None: "    -"}
    return "\n".join(f"{marks[line.holds]}  {line.promise:{width}}  {line.figure}  ({line.bar})" for line in lines)


def as_json(lines: Iterable[Line]) -> str:
    """For programs."""
    return json.dumps([line._asdict() for line in lines], indent=1)


def _trends(end: End) -> list[Line]:
    warm_s = max(60.0, 12.0 * end.minutes)  # the first fifth: caches, pools and the allocator fill

    def grows(name: str, column: str, unit: str, bar: float, *, low: bool) -> Line:
        each, error = slope(*per_minute(list(end.samples), column, low, warm_s))
        held = each <= bar if end.minutes >= ENOUGH_MINUTES else None
        figure = f"{each:+.1f} ± {error:.1f} {unit}/h"
        return Line(f"{name}: slope after the first fifth", figure, f"at most {bar:g}", held)

    return [
        grows("memory of the server", "mb", "MB", 10.0, low=False),
        grows("threads, lowest of each minute", "threads", "", 2.0, low=True),
        grows("descriptors, lowest of each minute", "descriptors", "", 2.0, low=True),
    ]


def _quiet(end: End) -> list[Line]:
    before, after = end.before, end.after
    most = max(sample.children for sample in end.samples)
    return [
        Line(
            "memory, quiet: before and after",
            f"{before.mb:.0f} and {after.mb:.0f} MB",
            "at most 60 more",
            after.mb - before.mb <= 60,
        ),
        Line(
            "threads, quiet",
            f"{before.threads} and {after.threads}",
            "at most 20 more: pools that have filled",
            after.threads <= before.threads + 20,
        ),
        Line(
            "descriptors, quiet",
            f"{before.descriptors} and {after.descriptors}",
            "at most 3 more",
            after.descriptors <= before.descriptors + 3,
        ),
        Line(
            "children, at most and after",
            f"{most} and {after.children}",
            "none after",
            after.children <= before.children,
        ),
    ]


def _times(account: Account) -> list[Line]:
    hours, minute_ages = age_by_minute(account.ages)
    age_slope, age_error = slope(hours, minute_ages)
    ages = np.quantile([age for _, age in account.ages], [0.5, 0.95, 0.99])
    asked = np.quantile(account.health_ms, [0.5, 0.99, 1])
    back_s = float(np.median(account.returns_s))
    return [
        Line("age when sent, p50, p95, p99", " ".join(f"{age:.0f}" for age in ages) + " ms", "told", None),
        Line("age p95 by minute: slope", f"{age_slope:+.0f} ± {age_error:.0f} ms/h", "told", None),
        Line(
            "/healthz, p50, p99, worst",
            " ".join(f"{took:.0f}" for took in asked) + " ms",
            "p99 1000",
            float(asked[1]) < 1000,
        ),
        Line(
            "camera lost and back, p50, worst",
            f"{account.counts['cameras lost']} times, {back_s:.1f} {max(account.returns_s):.1f} s",
            "5 s at p50",
            back_s < 5,
        ),
    ]


def _faults(account: Account, end: End) -> list[Line]:
    lost = {name: found for name, found in missing(account).items() if found}
    acknowledged = f"of {len(account.sightings)} sightings, {len(account.words)} words, {len(account.dives)} dives"
    what_lost = f"{ {name: found[:3] for name, found in lost.items()} }" if lost else "nothing"
    by_cause = end.recording["lost"]
    return [
        Line(
            "disk full for a while",
            account.disk if end.filled else "needs root",
            "recording went and came back",
            account.disk == CAME_BACK if end.filled else None,
        ),
        Line("acknowledged and not on the disk", f"{what_lost} {acknowledged}", "nothing", not lost),
        unclassified(account),
        Line(
            "recording: lost by cause",
            json.dumps(by_cause),
            "told" if end.filled else "none by the disk",
            None if end.filled else not by_cause["disk"],
        ),
    ]


def _ending(account: Account, end: End) -> list[Line]:
    raised = tracebacks(end.log)
    counts = ", ".join(f"{name} {n}" for name, n in sorted(account.counts.items()))
    return [
        Line("refused, closed", counts, "told", None),
        Line("tracebacks in the log", "; ".join(f"{n} {what}" for what, n in raised.items()) or "0", "0", not raised),
        Line("unexpected", str(len(account.troubles)), "0", not account.troubles),
        Line(
            "stops with viewers connected",
            f"{end.stopped_s:.1f} s, exit code {end.code}",
            "3 s, 0",
            end.stopped_s <= 3.0 and end.code == 0,
        ),
    ]


def missing(account: Account) -> dict[str, list[str]]:
    """What the server acknowledged and its folders lack; empty lists when nothing is lost."""
    lost: dict[str, list[str]] = {"sightings": [], "words": [], "dives": [], "stills": [], "twice": []}
    rows, words = {}, {}
    for source in ("steady", "lost"):
        folder = account.folder / "record" / source
        table = [row for path in sorted(folder.glob("sightings*.csv")) for row in read_rows(path, None)]
        rows[source] = {(row.label, row.start_utc, row.peak_frame, row.frames) for row in table}
        begun = Counter((row.label, row.start_utc) for row in table)
        lost["twice"] += [str(key) for key, times in begun.items() if times > 1]
        lost["stills"] += [
            name for row in table for name in (row.still, row.clip) if name and not (folder / name).is_file()
        ]
        with suppress(ResultsError):
            words[source] = {word.truth for word in read_corrections(folder)}
    for sighting in account.sightings.values():
        key = (sighting["label"], sighting["start_utc"], sighting["peak_frame"], sighting["frames"])
        if key not in rows[sighting["source"]]:
            lost["sightings"].append(f"{sighting['source']} {key}")
    lost["words"] += [word for word, source in account.words.items() if word not in words.get(source, set())]
    for dive, word in account.dives.items():
        folder = account.folder / "library" / "dives" / dive
        if dive in account.deleted:
            lost["dives"] += [f"{dive} was deleted and is there"] if folder.exists() else []
        elif not list(folder.glob("original/*")):
            lost["dives"].append(dive)
        elif word is not None and word not in {each.truth for each in read_corrections(folder / "results")}:
            lost["words"].append(f"{word} of dive {dive}")
    return lost


def unclassified(account: Account) -> Line:
    """The dives that did not come through, and why; for want of room on the disk they may, until there is some."""
    lasting = {dive: why for dive, (why, full) in account.unfinished.items() if not full}
    passing = Counter(why for why, full in account.unfinished.values() if full)
    told = [f"{n} went on when the disk had room ({why})" for why, n in passing.items()]
    told += [f"dive {dive} {why}" for dive, why in lasting.items()]
    figure = f"{len(account.unfinished)} of {len(account.dives)}{': ' if told else ''}{'; '.join(told)}"
    return Line("dives that were not classified", figure, "none, but while the disk is full", not lasting)


def tracebacks(log: str) -> Counter[str]:
    """What was raised, by its last line."""
    found: Counter[str] = Counter()
    inside = False
    for line in log.splitlines():
        if "Traceback (most recent call last)" in line:
            inside = True
        elif inside and line.strip(" |+-") and not line.startswith((" ", "\t")):
            found[line.strip()[:200]] += 1
            inside = False
    found["without an end"] += inside
    return +found


def age_by_minute(ages: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Hours since the first, and the p95 of each minute."""
    found: dict[int, deque[float]] = {}
    for at_s, age in ages:
        found.setdefault(int((at_s - ages[0][0]) // 60), deque()).append(age)
    return np.array([minute / 60 for minute in found]), np.array([np.quantile(each, 0.95) for each in found.values()])
