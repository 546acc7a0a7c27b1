"""One writer at a time: a lock that the system takes back however its holder ends."""

from __future__ import annotations

import sys
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def lock(file: BinaryIO) -> None:
    """Locks an open file until it is closed or the process ends. Raises OSError at once when somebody else has it."""
    if sys.platform == "win32":
        file.seek(1 << 40)  # beyond any record: a Windows lock would keep even its owner's other handles from reading
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
