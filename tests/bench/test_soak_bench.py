"""bench/soak.py's verdicts: a dive that fails is one, with its cause, and so is whatever the server's log ends in."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any

import httpx
import pytest

SOAK = Path(__file__).parents[2] / "bench" / "soak.py"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
LOG = """\
warning: job dive on dive 12 failed
Traceback (most recent call last):
  File "a.py", line 1, in f
    raise KeyError("x")
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "b.py", line 1, in g
OSError: [Errno 28] No space left on device
warning: and on
error in a task
Traceback (most recent call last):
  File "a.py", line 1, in f
KeyError: 'x'
"""


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("soak_under_test", SOAK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def verdict(bench: ModuleType) -> ModuleType:
    """What it judges with; importable since the bench is."""
    return importlib.import_module("soak_verdict")


@pytest.fixture
def account(verdict: ModuleType, tmp_path: Path) -> Any:
    """Of a minute in which all was well."""
    found = verdict.Account(tmp_path, ages=[(0.0, 12.0), (1.0, 30.0)], health_ms=[2.0, 3.0], returns_s=[0.9])
    found.disk = verdict.CAME_BACK
    for dive in ("a", "b", "c"):
        (tmp_path / "library/dives" / dive / "original").mkdir(parents=True)
        (tmp_path / "library/dives" / dive / "original/dive.mp4").touch()
        found.dives[dive] = None
    return found


@pytest.fixture
def end(verdict: ModuleType) -> Any:
    """Of the same minute."""
    quiet = importlib.import_module("trend").Sample(0.0, 220.0, 30, 20, 0, 0.0)
    samples = [replace(quiet, at_s=20.0 * number, children=number % 2) for number in range(80 * 3)]
    return verdict.End(samples, quiet, quiet, 1.0, 0, 0.6, "", {"lost": {"disk": 3}}, True)


def broken(lines: list[Any]) -> list[str]:
    return [line.promise for line in lines if line.holds is False]


def test_what_was_well_breaks_no_promise_and_is_a_table(verdict: ModuleType, account: Any, end: Any) -> None:
    lines = verdict.judged(account, end)
    assert broken(lines) == []
    assert [line.promise for line in lines if line.holds is None][:2] == [
        "memory of the server: slope after the first fifth",
        "threads, lowest of each minute: slope after the first fifth",
    ], "a minute is too little for them"
    assert not broken(verdict.judged(account, replace(end, minutes=60.0)))
    told = verdict.table(lines).splitlines()
    assert len(told) == len(lines)
    assert told[3].startswith("   ok  memory, quiet: before and after")
    assert told[3].endswith("220 and 220 MB  (at most 60 more)")


def test_every_promise_can_be_broken(verdict: ModuleType, account: Any, end: Any) -> None:
    growing = [
        replace(each, mb=220.0 + each.at_s / 60, threads=int(each.at_s), descriptors=int(each.at_s))
        for each in end.samples
    ]
    fuller = replace(end.after, mb=281.0, threads=51, descriptors=24, children=1)
    (account.folder / "library/dives/a/original/dive.mp4").unlink()
    account.unfinished = {"b": ("failed: by SIGSEGV", False)}
    account.troubles, account.health_ms, account.returns_s = ["?"], [2000.0], [6.0]
    account.disk = "noticed: False, after: on"
    ended = replace(end, samples=growing, after=fuller, minutes=60.0, code=1, log=LOG)
    lines = verdict.judged(account, ended)
    assert broken(lines) == [line.promise for line in verdict.judged(account, end) if line.bar != "told"]
    assert broken(verdict.judged(account, replace(end, filled=False)))[-1] != "recording: lost by cause"


def test_what_was_raised_is_told_by_its_last_line(verdict: ModuleType) -> None:
    assert verdict.tracebacks(LOG) == {"KeyError: 'x'": 2, "OSError: [Errno 28] No space left on device": 1}
    assert verdict.tracebacks("warning: all is well\n") == {}
    assert verdict.tracebacks("Traceback (most recent call last):\n  File") == {"without an end": 1}


def test_a_dive_that_fails_is_a_verdict_unless_the_disk_was_full_and_it_went_on(
    bench: ModuleType, verdict: ModuleType
) -> None:
    soak = verdict.Account(Path())
    soak.dives = {"a": None, "b": None, "c": "word"}
    assert verdict.unclassified(soak)[1:] == ("0 of 3", "none, but while the disk is full", True)
    row = {"state": "failed", "reason": "no space left on device", "cause": "results"}
    soak.unfinished["a"] = bench.why_not(row), True
    promise, figure, _, held = verdict.unclassified(soak)
    assert (promise, held) == ("dives that were not classified", True)
    assert figure == "1 of 3: 1 went on when the disk had room (failed: no space left on device (results))"
    soak.unfinished["b"] = bench.why_not(row | {"reason": "the work was ended by SIGSEGV", "cause": ""}), False
    _, figure, _, held = verdict.unclassified(soak)
    assert not held
    assert figure.endswith("; dive b failed: the work was ended by SIGSEGV")


@pytest.mark.parametrize(("began", "full"), [(-40.0, True), (-5.0, False)])
def test_a_dive_whose_sender_was_called_off_goes_on_if_the_disk_was_full_since_it_was_sent(
    bench: ModuleType, verdict: ModuleType, began: float, full: bool
) -> None:
    dives = {"a": {"id": "a", "state": "running", "reason": "", "cause": ""}}
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        row, path = dives["a"], request.url.path
        if path.endswith("/again"):
            asked.append(path)
            row |= {"state": "complete", "reason": "", "cause": ""}
        elif row["state"] == "running":
            dives["a"] = {"id": "a", "state": "failed", "reason": "no space left on device", "cause": "results"}
        return httpx.Response(200, json={"dives": [row]} if path.endswith("/dives") else row)

    class Served(bench.Soak):  # type: ignore[misc, name-defined]
        def client(self) -> httpx.Client:
            return httpx.Client(base_url=self.url, transport=httpx.MockTransport(answer))

    soak = Served("http://server/", Path(), None, [])
    soak.dives, soak.sent_s = {"a": None}, {"a": monotonic() + began}
    soak.full_s = (monotonic() - 30, monotonic() - 20)
    bench.ask_again(soak, patience_s=5.0)
    assert asked == ["/api/dives/a/again"] * full
    assert soak.unfinished == {"a": ("failed: no space left on device (results)", full)}
    assert verdict.unclassified(soak).holds is full


def test_it_is_known_since_when_the_disk_is_full(verdict: ModuleType) -> None:
    soak, now_s = verdict.Account(Path()), monotonic()
    assert not soak.was_full(now_s - 60)
    soak.full_s = (now_s - 30, float("inf"))
    assert soak.was_full(now_s)
    soak.full_s = (now_s - 30, now_s - 20)
    assert soak.was_full(now_s - 25)
    assert not soak.was_full(now_s - 10)
