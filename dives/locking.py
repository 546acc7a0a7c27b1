"""One writer at a time: a lock on an open file, which the system takes back however the process ends."""

from __future__ import annotations

import sys
from typing import IO, Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def lock(file: IO[Any], *, wait: bool) -> None:
    """Holds the file for this process until it is closed. Raises OSError when another holds it.

    wait: wait for the other to end; on Windows for 10 s at most.
    """
    if sys.platform == "win32":
        # Beyond any record: a Windows lock would keep even its owner's other handles from reading.
        file.seek(1 << 40)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
