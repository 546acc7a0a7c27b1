"""Depth and temperature from a dive computer's log, joined to a recording by the wall clock.

Three formats are read: Subsurface's XML (.ssrf, .xml), UDDF, and CSV with columns of time, depth and, if there is one,
temperature. What lies between two samples is interpolated; nothing is made up outside the log, nor across a hole in it.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import defusedxml.ElementTree
import numpy as np
from defusedxml import DefusedXmlException
from numpy.typing import NDArray

from realtime.errors import DiveLogError
from realtime.frames import iso_utc

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES = 64 << 20  # decades of diving; an XML tree takes some ten times its file in memory
HALF_HOUR = timedelta(minutes=30)  # time zones are that far apart
ZONES = range(-24, 29)  # in half hours: from UTC-12 to UTC+14
APART_S = 26 * 3600.0  # two zones are no further apart
COVERED = 0.9  # of the frames; below that somebody should look at the clocks
LONGEST_S = 3e9  # a century, more than all dives of a table span; Python's calendar ends in the year 9999
YEARS = range(1000, 9000)  # so that a shift of clocks stays within it, too
HOLE_S = 300.0  # dive computers sample every 1 to 60 s; between samples further apart nothing is known
KELVIN = 273.15
TIME_NAMES = ("time", "utc", "datetime", "timestamp", "dateandtime")
DEPTH_NAMES = ("depth", "depthm", "depthmeters", "depthmetres")
TEMPERATURE_NAMES = ("temperature", "temperaturec", "temp", "tempc", "watertemp", "watertemperature")


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
        data = _bytes(path)
        try:
            profiles = list(_xml(data) if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else _csv(data))
        except _UnreadableError as error:
            raise DiveLogError(f"{path}: {error}") from error
        if not profiles:
            raise DiveLogError(f"{path}: there is no dive with samples of depth in this log")
        return cls(path.name, tuple(sorted(profiles, key=lambda profile: profile.first_utc)), offset_s)

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
        recorded = f"{name}: recorded from {iso_utc(start_utc)} to {iso_utc(end_utc)}"
        if len(fitting) > 1:
            offers = ", ".join(
                f"--divelog-offset {zone_s:g} for the one from {iso_utc(dive.first_utc)} to {iso_utc(dive.last_utc)}"
                for dive, zone_s in fitting
            )
            raise MisfitError(
                f"{recorded}, and {self.name} does not say which zone its times are in, so that it can be any of "
                f"{len(fitting)} dives; say which: {offers}",
                "several",
                recorded=(start_utc, end_utc),
                fits=[Fit(dive.first_utc, dive.last_utc, zone_s) for dive, zone_s in fitting],
            )
        if best.overlap_s(start_utc, end_utc) < 0.0:
            low_s, high_s = (best.first_utc - end_utc).total_seconds(), (best.last_utc - start_utc).total_seconds()
            zone_s = math.ceil(low_s / 1800.0) * 1800  # time zones are half hours apart
            other_s = zone_s + offset_s if zone_s <= high_s and abs(zone_s) <= APART_S else None
            hint = f"; if two time zones differ, try --divelog-offset {other_s:g}" if other_s is not None else ""
            ahead = timedelta(seconds=offset_s)
            raise MisfitError(
                f"{recorded}, but the nearest dive in "
                f"{self.name} is from {iso_utc(best.first_utc)} to {iso_utc(best.last_utc)}{hint}",
                "elsewhere",
                recorded=(start_utc, end_utc),
                fits=[Fit(best.first_utc + ahead, best.last_utc + ahead, other_s)],
            )
        return LoggedDive(self.name, shifted.index(best) + 1, len(shifted), best, offset_s)


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


class _UnreadableError(Exception):
    """What is wrong with a log, without its name."""


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


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DiveLogError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from error
    if len(data) > MAX_BYTES:
        raise DiveLogError(f"{path}: more than {MAX_BYTES >> 20} MiB, which is no dive log; export the dives you need")
    return data


def _profile(start: datetime, samples: Iterable[tuple[float, float, float]], *, zoned: bool) -> Profile | None:
    """(second, depth, temperature or NaN) in any order as a Profile; None when there is no sample."""
    table = np.array(sorted(samples), np.float64).reshape(-1, 3)
    if not len(table):
        return None
    if not np.isfinite(table[:, :2]).all():
        raise _UnreadableError("a time or depth in it is not a number")
    if np.abs(table[:, 0]).max() > LONGEST_S:
        raise _UnreadableError("a time in it lies more than a century from another")
    seconds, first = np.unique(table[:, 0], return_index=True)
    return Profile(start, seconds, np.maximum(table[first, 1], 0.0), table[first, 2], zoned)


def _xml(data: bytes) -> Iterator[Profile]:
    try:
        root = defusedxml.ElementTree.fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise _UnreadableError("it declares entities, which no dive log needs and which can be an attack") from error
    except (
        SyntaxError,
        ValueError,
        LookupError,
    ) as error:  # ParseError is a SyntaxError; LookupError: unknown encoding
        raise _UnreadableError(f"not well-formed XML ({error})") from error
    match _tag(root):
        case "divelog" | "dives":
            found: Iterable[Profile | None] = map(_subsurface, root.iter("dive"))
        case "uddf":
            found = (_uddf(element) for element in root.iter() if _tag(element) == "dive")
        case other:
            raise _UnreadableError(f"<{other}> is neither Subsurface's XML nor UDDF")
    yield from filter(None, found)


def _subsurface(dive: Element) -> Profile | None:
    computer = next((computer for computer in dive.iter("divecomputer") if computer.find("sample") is not None), None)
    if computer is None:
        return None
    where = computer if computer.get("date") else dive
    start, zoned = _moment(f"{where.get('date', '')}T{where.get('time', '')}")
    samples = []
    temperature = math.nan  # written when it changes
    for sample in computer.iter("sample"):
        temperature = _metric(sample.get("temp"), "C", temperature)
        depth = _metric(sample.get("depth"), "m", math.nan)
        if not math.isnan(depth):
            samples.append((_clock(sample.get("time", "")), depth, temperature))
    return _profile(start, samples, zoned=zoned)


def _uddf(dive: Element) -> Profile | None:
    start = next((_text(element) for element in dive.iter() if _tag(element) == "datetime"), "")
    samples = []
    for waypoint in dive.iter():
        if _tag(waypoint) != "waypoint":
            continue
        values = {_tag(child): _text(child) for child in waypoint}
        if "divetime" in values and "depth" in values:
            kelvin = _number(values["temperature"]) if values.get("temperature") else math.nan
            samples.append((_number(values["divetime"]), _number(values["depth"]), kelvin - KELVIN))
    if not samples:
        return None
    began, zoned = _moment(start)
    return _profile(began, samples, zoned=zoned)


def _csv(data: bytes) -> Iterator[Profile]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _UnreadableError("neither XML nor CSV in UTF-8") from error
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = [re.sub(r"[^a-z]", "", name.casefold()) for name in next(rows, [])]
        time_at, depth_at = _column(names, TIME_NAMES), _column(names, DEPTH_NAMES)
        if time_at is None or depth_at is None:
            raise _UnreadableError(
                "expected CSV whose first line names its columns, time and depth_m (metres), and maybe temperature_c; "
                f"received {header.strip()[:80]!r}"
            )
        temperature_at = _column(names, TEMPERATURE_NAMES)
        if temperature_at is None and any(name.startswith("temp") for name in names):
            raise _UnreadableError(
                f"expected a column temperature_c (degrees Celsius), received {header.strip()[:80]!r}"
            )
        moments, samples, zoned = [], [], True
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            cells = [cell.strip().replace(",", ".") if delimiter != "," else cell.strip() for cell in row]
            if len(cells) <= max(time_at, depth_at):
                raise _UnreadableError(f"line {rows.line_num}: expected {len(names)} fields, received {len(cells)}")
            if not cells[depth_at]:
                continue
            celsius = cells[temperature_at] if temperature_at is not None and temperature_at < len(cells) else ""
            moment, has_zone = _moment(cells[time_at])
            moments.append(moment)
            zoned &= has_zone
            samples.append((_number(cells[depth_at]), _number(celsius) if celsius else math.nan))
    except csv.Error as error:
        raise _UnreadableError(f"line {rows.line_num}: not CSV ({error})") from error
    if moments:
        start = min(moments)
        seconds = ((moment - start).total_seconds() for moment in moments)
        timed = ((second, *sample) for second, sample in zip(seconds, samples, strict=True))
        if (profile := _profile(start, timed, zoned=zoned)) is not None:
            yield from _cut(profile)


def _cut(profile: Profile) -> Iterator[Profile]:
    """A table of several dives, cut at its holes."""
    for rows in np.split(np.arange(len(profile.seconds)), np.flatnonzero(np.diff(profile.seconds) > HOLE_S) + 1):
        yield replace(
            profile,
            seconds=profile.seconds[rows],
            depth_m=profile.depth_m[rows],
            temperature_c=profile.temperature_c[rows],
        )


def _column(names: list[str], wanted: tuple[str, ...]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]  # UDDF has a namespace for every version


def _text(element: Element) -> str:
    return (element.text or "").strip()


def _moment(text: str) -> tuple[datetime, bool]:
    """In UTC, and whether the text says its zone."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise _UnreadableError(f"expected a date and time such as 2026-05-01T09:30:00Z, received {text!r}") from error
    if moment.year not in YEARS:
        raise _UnreadableError(f"expected a date on which somebody can have dived, received {text!r}")
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC), False
    return moment.astimezone(UTC), True


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise _UnreadableError(f"expected a number, received {text!r}") from error
    if not math.isfinite(value):
        raise _UnreadableError(f"expected a number, received {text!r}")
    return value


def _metric(text: str | None, unit: str, otherwise: float) -> float:
    """ "12.5 m" as 12.5; Subsurface always writes metric units."""
    if text is None:
        return otherwise
    number, _, found = text.strip().partition(" ")
    if found != unit:
        raise _UnreadableError(f"expected a number and {unit!r}, received {text!r}")
    return _number(number)


def _clock(text: str) -> float:
    """ "61:30 min" as 3690 seconds."""
    found = re.fullmatch(r"\s*(?:(\d{1,9}):)?(\d{1,9}):(\d{1,9})(?:\s*min)?\s*", text)
    if found is None:
        raise _UnreadableError(f"expected a time such as '1:30 min', received {text!r}")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(hours * 3600 + minutes * 60 + seconds)
