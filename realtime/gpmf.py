"""The time that satellites told a GoPro, from the telemetry that it records beside the picture (GPMF).

A GoPro writes its own clock into the container, which knows no zone; where it heard satellites, the telemetry says UTC.
Under water there are none, so a moment at the surface, at the start or at the end, serves for the whole recording.

    payload = entries; entry = key (4 letters), kind (1 byte), size (1), repeat (2, big-endian), size x repeat bytes,
    zeros up to a multiple of 4. An entry of kind 0 holds entries: DEVC, a device, holds STRM, its sensors.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
from av.stream import Discard

TRACK = "GoPro MET"  # what the telemetry is called
PAYLOADS = 3600  # one a second: a dive begins at the surface, and each is some kilobytes
NESTED = 0
DEEPEST = 8
FIX = 2  # satellites enough for a place, and so for the time: 2 or 3; 0 for none
WORST_DOP = 10.0  # dilution of precision; beyond it the receiver has only begun to find its way
NINE = "lllllllSS"  # what a sample of GPS9 is made of
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def satellite_start(path: Path) -> datetime | None:
    """The wall clock at media time 0 of the video ``path``, to about a second; None where no satellite told it."""
    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace") as container:
            track = next((stream for stream in container.streams.data if is_telemetry(stream.metadata)), None)
            if track is None:
                return None
            for stream in container.streams:  # else all of the video is read on the way
                if stream.index != track.index:
                    stream.discard = Discard.all
            origin_s = (container.start_time or 0) / av.time_base
            for number, packet in enumerate(container.demux(track)):
                if number == PAYLOADS:
                    break
                moment = moment_of(bytes(packet))
                if moment is not None and packet.pts is not None and packet.time_base is not None:
                    return moment - timedelta(seconds=float(packet.pts * packet.time_base) - origin_s)
    except (av.error.FFmpegError, OSError, OverflowError):
        return None
    return None


def is_telemetry(metadata: Mapping[str, str]) -> bool:
    """Whether a data track of a container is a GoPro's telemetry."""
    return TRACK in metadata.get("handler_name", "")


def moment_of(payload: bytes) -> datetime | None:
    """UTC at the start of a payload; None where it does not say, or is damaged. Any bytes will do."""
    for sensor in _sensors(payload, DEEPEST):
        moment = _of_samples(sensor) if b"GPS9" in sensor else _of_text(sensor)
        if moment is not None:
            return moment
    return None


def _sensors(data: bytes, depth: int) -> Iterator[dict[bytes, bytes]]:
    """The entries of every STRM by key; of several of one key the first."""
    for key, kind, body in _entries(data):
        if kind == NESTED and depth:
            if key == b"STRM":
                entries: dict[bytes, bytes] = {}
                for name, _, value in _entries(body):
                    entries.setdefault(name, value)
                yield entries
            else:
                yield from _sensors(body, depth - 1)


def _entries(data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    at = 0
    while at + 8 <= len(data):
        key, kind, size, repeat = struct.unpack_from(">4sBBH", data, at)
        length = size * repeat
        body = data[at + 8 : at + 8 + length]
        if len(body) < length:
            return
        yield key, kind, body
        at += 8 + (length + 3) // 4 * 4


def _of_text(sensor: Mapping[bytes, bytes]) -> datetime | None:
    """GPSU: ``yymmddhhmmss.sss``, with GPSF, the fix, and GPSP, a hundred times the dilution of precision."""
    fix, precision = int.from_bytes(sensor.get(b"GPSF", b"")), int.from_bytes(sensor.get(b"GPSP", b""))
    if fix < FIX or precision > 100 * WORST_DOP:
        return None
    try:
        return datetime.strptime(sensor.get(b"GPSU", b"").decode("ascii"), "%y%m%d%H%M%S.%f").replace(tzinfo=UTC)
    except ValueError:
        return None


def _of_samples(sensor: Mapping[bytes, bytes]) -> datetime | None:
    """GPS9: samples of latitude, longitude, height, two speeds, days since 2000, seconds of the day, dilution, fix."""
    scales, sample = sensor.get(b"SCAL", b""), sensor[b"GPS9"]
    if sensor.get(b"TYPE", b"").rstrip(b"\0") != NINE.encode() or len(scales) != 36 or len(sample) < 32:
        return None
    *_, days, seconds, dilution, fix = struct.unpack_from(">7i2H", sample)
    *_, per_day, per_second, per_dilution, per_fix = struct.unpack(">9i", scales)
    if 0 in (per_day, per_second, per_dilution, per_fix) or fix / per_fix < FIX or dilution / per_dilution > WORST_DOP:
        return None
    try:
        return EPOCH + timedelta(days=days / per_day, seconds=seconds / per_second)
    except OverflowError:
        return None
