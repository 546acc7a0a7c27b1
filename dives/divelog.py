"""The dive of a dive computer's log that a recording is of, found by the wall clock."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from dives.log_files import LONGEST_S, read_profiles
from dives.profile import Profile
from realtime.errors import DiveLogError
from realtime.frames import iso_utc

HALF_HOUR = timedelta(minutes=30)  # time zones are that far apart
ZONES = range(-24, 29)  # in half hours: from UTC-12 to UTC+14
APART_S = 26 * 3600.0  # two zones are no further apart
COVERED = 0.9  # of the frames; below that somebody should look at the clocks


@dataclass(frozen=True, slots=True)
class Fit:
    """A dive of a log, by the log's own clock, that a recording may be of. offset_s: with which; None for none."""

    first_utc: datetime
    last_utc: datetime
    offset_s: float | None


class MisfitError(DiveLogError):
    """A log that was read does not say which of its dives a recording is of.

    cause: "no-clock" (nobody knows when it was recorded), "elsewhere" (no dive is of that time; ``fits`` has the
    nearest), or "several" (it can be any of ``fits``). recorded: from when to when, where that is known.
    """

    def __init__(
        self, text: str, cause: str, *, recorded: tuple[datetime, datetime] | None = None, fits: Sequence[Fit] = ()
    ) -> None:
        super().__init__(text)
        self.cause = cause
        self.recorded = recorded
        self.fits = tuple(fits)


@dataclass(frozen=True, slots=True, eq=False)
class LoggedDive:
    """The dive of a log that a recording is joined to.

    log: the name of the file. number, of: which of its dives, in order of time from 1, of how many. profile: by the
    camera's clock. offset_s: as in DiveLog.
    """

    log: str
    number: int
    of: int
    profile: Profile
    offset_s: float


@dataclass(frozen=True, slots=True, eq=False)
class DiveLog:
    """All dives of a log that have samples.

    name: of the file. profiles: in order of time. offset_s: seconds by which the log's clock is ahead of the camera's;
    None when nobody has said, which is 0 where no doubt is possible.
    """

    name: str
    profiles: tuple[Profile, ...]
    offset_s: float | None = None

    @classmethod
    def read(cls, path: Path, *, offset_s: float | None = None) -> Self:
        """Reads a log. Times without a zone are taken for UTC. Raises DiveLogError saying what is wrong with it."""
        return cls(path.name, tuple(sorted(read_profiles(path), key=lambda profile: profile.first_utc)), offset_s)

    def during(self, name: str, start_utc: datetime | None, duration_s: float | None) -> LoggedDive:
        """The dive that a recording overlaps longest, on the camera's clock.

        name: of the recording, for errors. Raises MisfitError when the recording has no wall clock, or overlaps none;
        and when the log names no zone, nobody has said the offset, and in another zone it would be another dive.
        """
        if start_utc is None:
            raise MisfitError(
                f"{name}: does not say when it was recorded, so no dive log can be joined; give --start", "no-clock"
            )
        end_utc = start_utc + timedelta(seconds=min(duration_s or 0.0, LONGEST_S))
        offset_s = self.offset_s or 0.0
        shifted = [
            replace(profile, start_utc=profile.start_utc - timedelta(seconds=offset_s)) for profile in self.profiles
        ]
        best = max(shifted, key=lambda profile: profile.overlap_s(start_utc, end_utc))  # of none: the nearest
        fitting = _in_other_zones(shifted, start_utc, end_utc) if self.offset_s is None else []
        if len(fitting) > 1:
            raise self._several(name, (start_utc, end_utc), fitting)
        if best.overlap_s(start_utc, end_utc) < 0.0:
            raise self._elsewhere(name, (start_utc, end_utc), best, offset_s)
        return LoggedDive(self.name, shifted.index(best) + 1, len(shifted), best, offset_s)

    def _several(
        self, name: str, recorded: tuple[datetime, datetime], fitting: Sequence[tuple[Profile, float]]
    ) -> MisfitError:
        offers = ", ".join(
            f"--divelog-offset {zone_s:g} for the one from {iso_utc(dive.first_utc)} to {iso_utc(dive.last_utc)}"
            for dive, zone_s in fitting
        )
        return MisfitError(
            f"{_recorded(name, recorded)}, and {self.name} does not say which zone its times are in, so that it can be "
            f"any of {len(fitting)} dives; say which: {offers}",
            "several",
            recorded=recorded,
            fits=[Fit(dive.first_utc, dive.last_utc, zone_s) for dive, zone_s in fitting],
        )

    def _elsewhere(
        self, name: str, recorded: tuple[datetime, datetime], nearest: Profile, offset_s: float
    ) -> MisfitError:
        """nearest: by the camera's clock as far as ``offset_s`` tells it."""
        start, end = recorded
        low_s, high_s = (nearest.first_utc - end).total_seconds(), (nearest.last_utc - start).total_seconds()
        zone_s = math.ceil(low_s / 1800.0) * 1800  # time zones are half hours apart
        other_s = zone_s + offset_s if zone_s <= high_s and abs(zone_s) <= APART_S else None
        hint = f"; if two time zones differ, try --divelog-offset {other_s:g}" if other_s is not None else ""
        ahead = timedelta(seconds=offset_s)
        return MisfitError(
            f"{_recorded(name, recorded)}, but the nearest dive in {self.name} is from {iso_utc(nearest.first_utc)} to "
            f"{iso_utc(nearest.last_utc)}{hint}",
            "elsewhere",
            recorded=recorded,
            fits=[Fit(nearest.first_utc + ahead, nearest.last_utc + ahead, other_s)],
        )


def in_words(joined: Mapping[str, Any], classified: int) -> str:
    """One sentence on what a log gave. joined: ``divelog`` of run.json. classified: frames of the dive."""
    first, last = (text[:16].replace("T", " ") for text in (joined["first_utc"], joined["last_utc"]))
    words = (
        f"dive {joined['dive']} of {joined['dives']} in {joined['name']}, {first} to {last} by the camera's clock: "
        f"depth for {joined['frames']:,} of {classified:,} frames"
    )
    if joined["frames"] >= COVERED * classified:
        return words
    return f"{words}; the log says nothing of the rest, so check both clocks and --divelog-offset"


def _in_other_zones(profiles: Sequence[Profile], start: datetime, end: datetime) -> list[tuple[Profile, float]]:
    """The dives without a zone that a recording can be of, each with the offset in seconds that is nearest to none.

    It can be of one that, in some zone, has at least half of it, or as much of it as the dive is long.
    """
    fitting = []
    for profile in profiles:
        if profile.zoned:
            continue
        length_s = (profile.last_utc - profile.first_utc).total_seconds()
        overlap_s, _, zone = max(
            (profile.overlap_s(start + k * HALF_HOUR, end + k * HALF_HOUR), -abs(k), k * HALF_HOUR) for k in ZONES
        )
        if overlap_s >= 0.5 * min((end - start).total_seconds(), length_s):
            fitting.append((profile, zone.total_seconds()))
    return fitting


def _recorded(name: str, recorded: tuple[datetime, datetime]) -> str:
    return f"{name}: recorded from {iso_utc(recorded[0])} to {iso_utc(recorded[1])}"
