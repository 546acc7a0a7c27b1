"""cli/heap.py: many threads, few arenas, and nothing kept that is free."""

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

PIECES = """
import ctypes, sys, time
from pathlib import Path
from cli.heap import few_arenas, give_back_now_and_then
few_arenas()
def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
pieces = [libc.malloc(20_000) for _ in range(8000)]  # 160 MB
for piece in pieces:
    ctypes.memset(piece, 1, 20_000)
for number, piece in enumerate(pieces):
    if number % 100:  # the others keep the heap from ending earlier
        libc.free(piece)
before_mb = resident_mb()
give_back_now_and_then(0.05)
deadline_s = time.monotonic() + 30
while resident_mb() > before_mb - 100 and time.monotonic() < deadline_s:
    time.sleep(0.01)
print(before_mb - resident_mb())
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other heaps are not asked")
def test_what_is_free_between_other_pieces_goes_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", PIECES], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert float(done.stdout) > 100  # MB
