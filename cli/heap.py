"""The heap of a process that runs for weeks: as few arenas as are of use, and what is free in them goes back.

glibc gives its threads up to eight arenas a core, and each keeps what was freed in it for its own threads. A server has
threads that come and go and buffers of megabytes: after 15 minutes of bench/soak.py on two cores 106 of 178 MB in 16
arenas were free and of no use to anybody, and more every minute. In two arenas it was still 20 to 30 MB, and 10 MB more
every hour: free pieces between others, which glibc gives back when it is asked to, in 4 to 7 ms.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from contextlib import suppress

M_ARENA_MAX = -8  # malloc.h
ARENAS = 2
EVERY_S = 60.0


def few_arenas() -> None:
    """To be called before the first thread starts; without effect elsewhere than with glibc. MALLOC_ARENA_MAX wins."""
    if sys.platform == "linux" and "MALLOC_ARENA_MAX" not in os.environ:
        with suppress(OSError, AttributeError):  # other C libraries have no such thing
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def give_back_now_and_then(every_s: float = EVERY_S) -> None:
    """From now on, on a thread of its own, until the process ends; without effect elsewhere than with glibc."""
    with suppress(OSError, AttributeError):
        trim = ctypes.CDLL(None).malloc_trim
        never = threading.Event()

        def run() -> None:
            while not never.wait(every_s):
                trim(0)

        threading.Thread(target=run, name="heap", daemon=True).start()
