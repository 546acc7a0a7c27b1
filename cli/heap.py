"""The heap of a process that runs for weeks: as few arenas as are of use.

glibc gives its threads up to eight arenas a core, and each keeps what was freed in it for its own threads. A server has
threads that come and go and buffers of megabytes: after 15 minutes of bench/soak.py on two cores 106 of 178 MB in 16
arenas were free and of no use to anybody, and more every minute.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress

M_ARENA_MAX = -8  # malloc.h
ARENAS = 2


def few_arenas() -> None:
    """To be called before the first thread starts; without effect elsewhere than with glibc. MALLOC_ARENA_MAX wins."""
    if sys.platform == "linux" and "MALLOC_ARENA_MAX" not in os.environ:
        with suppress(OSError, AttributeError):  # other C libraries have no such thing
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
