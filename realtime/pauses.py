"""Whether a camera was off between two frames of a recording: media time runs on over that, the wall clock does not."""

from __future__ import annotations

from datetime import datetime

PAUSE_S = 1.0  # clocks of one recording agree to the rounding of its stamps; files put end to end may lie hours apart


def paused(before_s: float, before_utc: datetime | None, now_s: float, now_utc: datetime | None) -> bool:
    """Whether the wall clock jumped against media time, or was lost or found, from one recorded frame to a later one.

    A clock is lost after a gap of unknown length. Of cameras nothing can be told by it: theirs is set while they run.
    """
    if before_utc is None or now_utc is None:
        return before_utc is not now_utc
    return abs((now_utc - before_utc).total_seconds() - (now_s - before_s)) > PAUSE_S
