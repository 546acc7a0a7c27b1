"""How many processor cores there are for a model to run on."""

from __future__ import annotations

import os
from pathlib import Path

TOPOLOGY = Path("/sys/devices/system/cpu")
TOGETHER = 4  # runs side by side at most: each needs memory of its own, 100 MB for 8 frames of 224 px in float32


def cores() -> int:
    """Physical cores that this process may use; where the system does not tell them, those it counts."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    allowed = os.sched_getaffinity(0)
    try:
        # Two threads of one core share its arithmetic: a model gains nothing by running on both.
        siblings = {(TOPOLOGY / f"cpu{number}/topology/thread_siblings_list").read_text() for number in allowed}
    except OSError:
        return len(allowed)
    return len(siblings)


def side_by_side(threads: int) -> tuple[int, int]:
    """How ``threads`` are best used when there is always more to do: runs at once, and threads for each of them."""
    at_once = min(threads, TOGETHER)
    return at_once, threads // at_once
