"""Media time for files whose stamps are missing, disordered, or begin anew in the middle."""

from __future__ import annotations

RESTART_S = 0.5  # a step back beyond this is a recording that was appended; frames in disorder lie nearer together


class FileClock:
    """Turns the presentation stamps of one file, frame by frame in order of display, into media time.

    A stamp is believed as it is, unless time would go back. Where it goes back far, or where nothing before had a
    stamp, another stretch begins: it follows the one before after one frame interval, and so does all that comes after.
    Where it goes back a little, that frame takes the time of the one before. A frame without a stamp comes one
    interval after the one before.

    guessed: frames whose time is not their own stamp's. restarts: stretches that were appended to the first.
    """

    def __init__(self, interval_s: float) -> None:
        self.guessed = 0
        self.restarts = 0
        self._interval_s = interval_s
        self._offset_s = 0.0
        self._last_s: float | None = None
        self._stamped = False

    def step(self, stamp_s: float | None) -> float:
        """Media time in seconds of the next frame, never less than that of the one before.

        stamp_s: seconds from the start of the container, None for none.
        """
        follows_s = 0.0 if self._last_s is None else self._last_s + self._interval_s
        if stamp_s is None:
            self.guessed += 1
            media_s = follows_s
        else:
            media_s = stamp_s + self._offset_s
            if self._last_s is not None and media_s < self._last_s:
                if not self._stamped or self._last_s - media_s > RESTART_S:
                    self.restarts += 1
                    self._offset_s += follows_s - media_s
                    media_s = follows_s
                else:
                    self.guessed += 1
                    media_s = self._last_s
            self._stamped = True
        self._last_s = media_s
        return media_s
