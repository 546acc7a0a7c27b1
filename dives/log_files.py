"""The files that dive computers' logs come in, read into one Profile per dive.

Three formats are read: Subsurface's XML (.ssrf, .xml), UDDF, and CSV with columns of time, depth and, if there is one,
temperature.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import defusedxml.ElementTree
import numpy as np
from defusedxml import DefusedXmlException

from dives.profile import HOLE_S, Profile
from realtime.errors import DiveLogError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES = 64 << 20  # decades of diving; an XML tree takes some ten times its file in memory
LONGEST_S = 3e9  # a century, more than all dives of a table span; Python's calendar ends in the year 9999
YEARS = range(1000, 9000)  # so that a shift of clocks stays within it, too
KELVIN = 273.15
TIME_NAMES = ("time", "utc", "datetime", "timestamp", "dateandtime")
DEPTH_NAMES = ("depth", "depthm", "depthmeters", "depthmetres")
TEMPERATURE_NAMES = ("temperature", "temperaturec", "temp", "tempc", "watertemp", "watertemperature")


def read_profiles(path: Path) -> list[Profile]:
    """The dives of a log that have samples, in the file's order. Times without a zone are taken for UTC.

    Raises DiveLogError saying what is wrong with the file, also when there is no such dive.
    """
    data = _bytes(path)
    try:
        profiles = list(_xml(data) if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else _csv(data))
    except _UnreadableError as error:
        raise DiveLogError(f"{path}: {error}") from error
    if not profiles:
        raise DiveLogError(f"{path}: there is no dive with samples of depth in this log")
    return profiles


class _UnreadableError(Exception):
    """What is wrong with a log, without its name."""


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
