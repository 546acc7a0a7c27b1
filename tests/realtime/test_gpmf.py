"""A GoPro's telemetry, made here byte by byte: the time is that of satellites, or nobody's."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.gpmf import is_telemetry, moment_of, satellite_start
from realtime.sources import VideoFile

AT = datetime(2026, 5, 1, 6, 30, 10, 500_000, tzinfo=UTC)


def entry(key: str, kind: str, size: int, body: bytes) -> bytes:
    kind_byte = kind.encode() if kind else b"\0"
    head = key.encode() + kind_byte + struct.pack(">BH", size, len(body) // size)
    return head + body + bytes(-len(body) % 4)


def nested(key: str, *entries: bytes) -> bytes:
    return entry(key, "", 1, b"".join(entries))


def older(moment: datetime = AT, *, fix: int = 3, precision: int = 180) -> bytes:
    """As up to the HERO10: GPSU and GPS5, after a sensor of another kind."""
    text = f"{moment:%y%m%d%H%M%S}.{moment.microsecond // 1000:03d}".encode()
    motion = nested("STRM", entry("STNM", "c", 1, b"Accelerometer"), entry("ACCL", "s", 6, bytes(60)))
    place = nested(
        "STRM",
        entry("GPSF", "L", 4, struct.pack(">L", fix)),
        entry("GPSU", "U", 16, text),
        entry("GPSP", "S", 2, struct.pack(">H", precision)),
        entry("GPS5", "l", 20, bytes(40)),
    )
    return nested("DEVC", entry("DVNM", "c", 1, b"Hero8 Black"), motion, place)


def newer(moment: datetime = AT, *, fix: int = 3, dilution: int = 180, kinds: bytes = b"lllllllSS") -> bytes:
    """As from the HERO11 on: GPS9."""
    since = moment - datetime(2000, 1, 1, tzinfo=UTC)
    seconds = round((since - timedelta(days=since.days)).total_seconds() * 1000)
    sample = struct.pack(">7i2H", 365000000, 279000000, 0, 0, 0, since.days, seconds, dilution, fix)
    scales = struct.pack(">9i", 10_000_000, 10_000_000, 1000, 1000, 100, 1, 1000, 100, 1)
    return nested(
        "DEVC",
        nested("STRM", entry("TYPE", "c", 1, kinds), entry("SCAL", "l", 4, scales), entry("GPS9", "?", 32, sample * 2)),
    )


def write_gopro(path: Path, payloads: list[bytes], *, name: str = "\tGoPro MET") -> Path:
    """A second of video per payload; the camera's clock is three hours ahead of UTC."""
    with av.open(str(path), "w") as container:
        container.metadata["creation_time"] = "2026-05-01T09:30:00Z"
        video = container.add_stream("libx264", rate=5)
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        track = container.add_data_stream("bin_data")
        track.time_base = Fraction(1, 1000)
        track.metadata["handler_name"] = name
        for second, payload in enumerate(payloads):
            for _ in range(5):
                container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")))
            packet = av.Packet(payload)
            packet.stream, packet.time_base = track, Fraction(1, 1000)
            packet.pts = packet.dts = 1000 * second
            packet.duration = 1000
            container.mux(packet)
        container.mux(video.encode())
    return path


@pytest.mark.parametrize("make", [older, newer])
def test_a_payload_says_when_it_began(make):
    assert moment_of(make()) == AT
    assert moment_of(make(fix=2)) == AT


@pytest.mark.parametrize(
    "payload",
    [
        older(fix=0),
        older(precision=9999),
        newer(fix=0),
        newer(dilution=9999),
        newer(kinds=b"llll"),
        older().replace(b"260501", b"26AB01"),
        older()[:-60],
        nested("DEVC", nested("STRM", entry("ACCL", "s", 6, bytes(12)))),
        b"",
    ],
)
def test_without_satellites_or_whole_it_says_nothing(payload):
    assert moment_of(payload) is None


@given(st.binary(max_size=300))
def test_any_bytes_will_do(data):
    moment_of(data)
    moment_of(nested("DEVC", nested("STRM", entry("GPS9", "?", 1, data), entry("GPSF", "L", 1, data))))


@given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_a_damaged_payload_gives_a_time_or_none(at, data):
    for whole in (older(), newer()):
        damaged = whole[: at % len(whole)] + data + whole[at % len(whole) + len(data) :]
        assert moment_of(damaged) is None or moment_of(damaged).tzinfo is UTC


@pytest.mark.parametrize("make", [older, newer])
def test_the_wall_clock_of_a_gopro_is_that_of_the_satellites(tmp_path, make):
    """They were heard two seconds after the start."""
    path = write_gopro(tmp_path / "GX010042.MP4", [make(fix=0), make(fix=0), make(), make()])
    assert satellite_start(path) == AT - timedelta(seconds=2)
    with VideoFile(path) as video:
        assert (video.info.start_utc, video.info.utc_source) == (AT - timedelta(seconds=2), "gps")
        assert video.info.clock_utc == datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
    given_start = datetime(2026, 5, 1, 6, tzinfo=UTC)
    with VideoFile(path, start=given_start) as video:
        assert (video.info.start_utc, video.info.utc_source) == (given_start, "start")


def test_one_that_heard_none_says_what_its_own_clock_said(tmp_path):
    with VideoFile(write_gopro(tmp_path / "GX010042.MP4", [older(fix=0)] * 3)) as video:
        assert (video.info.start_utc, video.info.utc_source) == (datetime(2026, 5, 1, 9, 30, tzinfo=UTC), "container")


def test_another_cameras_data_is_not_read(tmp_path):
    path = write_gopro(tmp_path / "a.mp4", [older()], name="Timed Metadata")
    assert satellite_start(path) is None
    assert not is_telemetry({})
    assert satellite_start(tmp_path / "gone.mp4") is None
