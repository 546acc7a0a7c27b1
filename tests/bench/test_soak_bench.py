"""bench/soak.py's verdicts: a dive that fails is one, with its cause, and so is whatever the server's log ends in."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from time import monotonic
from types import ModuleType

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


def test_what_was_raised_is_told_by_its_last_line(bench: ModuleType) -> None:
    assert bench.tracebacks(LOG) == {"KeyError: 'x'": 2, "OSError: [Errno 28] No space left on device": 1}
    assert bench.tracebacks("warning: all is well\n") == {}
    assert bench.tracebacks("Traceback (most recent call last):\n  File") == {"without an end": 1}


def test_a_dive_that_fails_is_a_verdict_unless_the_disk_was_full_and_it_went_on(bench: ModuleType) -> None:
    soak = bench.Soak("http://127.0.0.1:1/", Path(), None, [])
    soak.dives = {"a": None, "b": None, "c": "word"}
    assert bench.unclassified(soak)[1:] == ("0 of 3", "none, but while the disk is full", True)
    row = {"state": "failed", "reason": "no space left on device", "cause": "results"}
    soak.unfinished["a"] = bench.why_not(row), True
    promise, figure, _, held = bench.unclassified(soak)
    assert (promise, held) == ("dives that were not classified", True)
    assert figure == "1 of 3: 1 went on when the disk had room (failed: no space left on device (results))"
    soak.unfinished["b"] = bench.why_not(row | {"reason": "the work was ended by SIGSEGV", "cause": ""}), False
    _, figure, _, held = bench.unclassified(soak)
    assert not held
    assert figure.endswith("; dive b failed: the work was ended by SIGSEGV")


def test_it_is_known_since_when_the_disk_is_full(bench: ModuleType) -> None:
    soak, now_s = bench.Soak("http://127.0.0.1:1/", Path(), None, []), monotonic()
    assert not soak.was_full(now_s - 60)
    soak.full_s = (now_s - 30, float("inf"))
    assert soak.was_full(now_s)
    soak.full_s = (now_s - 30, now_s - 20)
    assert soak.was_full(now_s - 25)
    assert not soak.was_full(now_s - 10)
