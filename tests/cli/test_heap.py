"""cli/heap.py: many threads, few arenas."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from cli.heap import ARENAS

REPOSITORY = Path(__file__).parents[2]
THREADS = """
import ctypes, sys, threading
from cli.heap import few_arenas
if sys.argv[1] == "few":
    few_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
everyone = threading.Barrier(12)
def run():
    everyone.wait()  # a thread that has ended leaves its arena to the next
    libc.malloc(50_000)
    everyone.wait()
threads = [threading.Thread(target=run) for _ in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


def arenas(how: str, **env: str) -> int:
    known = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    done = subprocess.run(
        [sys.executable, "-c", THREADS, how],
        cwd=REPOSITORY,
        env=known | env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.count("<heap ")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other heaps have no arenas")
def test_many_threads_share_few_arenas_unless_the_environment_says_otherwise() -> None:
    assert arenas("many") > ARENAS
    assert arenas("few") <= ARENAS
    assert ARENAS < arenas("few", MALLOC_ARENA_MAX="5") <= 5
