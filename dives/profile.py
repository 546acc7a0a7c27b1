"""Depth and temperature of one dive over time, and what is known of a moment of it.

What lies between two samples is interpolated; nothing is made up before the first or after the last, nor across a hole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

HOLE_S = 300.0  # dive computers sample every 1 to 60 s; between samples further apart nothing is known


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the log says of a moment; None for what it does not say."""

    depth_m: float | None = None
    temperature_c: float | None = None


UNKNOWN = Conditions()


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """One dive of a log.

    start_utc: the moment of second 0. seconds: float64 [n], ascending. depth_m: float64 [n], metres below the surface.
    temperature_c: float64 [n], NaN where the log has none. zoned: whether the log says which zone its times are in;
    they are taken for UTC where it does not.
    """

    start_utc: datetime
    seconds: NDArray[np.float64]
    depth_m: NDArray[np.float64]
    temperature_c: NDArray[np.float64]
    zoned: bool = True

    @property
    def first_utc(self) -> datetime:
        """The moment of the first sample."""
        return self.start_utc + timedelta(seconds=float(self.seconds[0]))

    @property
    def last_utc(self) -> datetime:
        """The moment of the last sample."""
        return self.start_utc + timedelta(seconds=float(self.seconds[-1]))

    def at(self, moment: datetime | None) -> Conditions:
        """Depth and temperature at a moment, interpolated between the samples on both sides of it."""
        if moment is None:
            return UNKNOWN
        second = (moment - self.start_utc).total_seconds()
        return Conditions(
            _between(second, self.seconds, self.depth_m), _between(second, self.seconds, self.temperature_c)
        )

    def covers(self, moments: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """For datetime64[us] [n] in UTC, NaT where unknown: bool [n], whether the depth is known then, as by ``at``."""
        started = np.datetime64(self.start_utc.replace(tzinfo=None), "us")
        seconds = np.where(np.isnat(moments), np.nan, (moments - started) / np.timedelta64(1, "s"))
        after = np.clip(np.searchsorted(self.seconds, seconds), 1, max(1, len(self.seconds) - 1))
        inside: NDArray[np.bool_] = (seconds >= self.seconds[0]) & (seconds <= self.seconds[-1])
        if len(self.seconds) == 1:
            return inside
        gap_s = self.seconds[after] - self.seconds[after - 1]
        near: NDArray[np.bool_] = (gap_s <= HOLE_S) | np.isin(seconds, self.seconds)
        return inside & near

    def overlap_s(self, start: datetime, end: datetime) -> float:
        """Seconds that it has in common with a stretch of time; below 0 those between the two."""
        return (min(end, self.last_utc) - max(start, self.first_utc)).total_seconds()

    def depths(self, start: datetime | None, end: datetime | None) -> tuple[float | None, float | None]:
        """The least and the greatest depth from one moment to another, in metres; None twice where nothing is known."""
        if start is None or end is None:
            return None, None
        inside = (self.seconds >= (start - self.start_utc).total_seconds()) & (
            self.seconds <= (end - self.start_utc).total_seconds()
        )
        ends = [depth for depth in (self.at(start).depth_m, self.at(end).depth_m) if depth is not None]
        known = [*self.depth_m[inside].tolist(), *ends]
        return (min(known), max(known)) if known else (None, None)


def _between(second: float, seconds: NDArray[np.float64], values: NDArray[np.float64]) -> float | None:
    after = int(np.searchsorted(seconds, second))
    if after < len(seconds) and seconds[after] == second:
        return _known(float(values[after]))
    if after in (0, len(seconds)):
        return None
    gap_s = float(seconds[after] - seconds[after - 1])
    if gap_s > HOLE_S:
        return None
    share = (second - float(seconds[after - 1])) / gap_s
    return _known(float(values[after - 1]) * (1.0 - share) + float(values[after]) * share)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
