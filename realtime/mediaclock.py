"""Media time for cameras, whose own stamps start anywhere, jump, stand still, and begin anew after a restart."""

from __future__ import annotations

TOLERANCE_S = 2.0  # more than the burst that a camera sends on connecting, less than anyone wants to be wrong
TICK_S = 1e-4  # between two frames that claim the same time


class MediaClock:
    """Turns stamps into media time that only goes forward and stays beside the time of capture.

    Stamps tell the distance of frames far better than their arrival over a network does, so they lead as long as they
    can be believed; one that is missing, goes back, or strays from the clock by more than TOLERANCE_S is overruled.
    """

    def __init__(self) -> None:
        self._start_s: float | None = None
        self._offset_s: float | None = None  # media time minus stamp, while stamps are believed
        self._stamp_s = 0.0
        self._media_s = 0.0

    def step(self, stamp_s: float | None, captured_s: float) -> float:
        """Media time in seconds of the next frame, 0.0 for the first; greater than all before.

        stamp_s: the camera's, from any zero. captured_s: monotonic clock.
        """
        if self._start_s is None:
            self._start_s = captured_s
            media_s = 0.0
        else:
            media_s = self._believed(stamp_s, captured_s - self._start_s)
            media_s = max(media_s, self._media_s + TICK_S)
        if stamp_s is None:
            self._offset_s = None
        else:
            if self._offset_s is None:
                self._offset_s = media_s - stamp_s
            self._stamp_s = stamp_s
        self._media_s = media_s
        return media_s

    def _believed(self, stamp_s: float | None, clock_s: float) -> float:
        if stamp_s is not None and self._offset_s is not None:
            media_s = stamp_s + self._offset_s
            if stamp_s > self._stamp_s and abs(media_s - clock_s) <= TOLERANCE_S:
                return media_s
        self._offset_s = None
        return clock_s
