"""Clips for the tests: small real video files, encoded here, so that every oddity is known."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def colour_frame(index: int, height: int, width: int) -> np.ndarray:
    """uint8 [H, W, 3] RGB: mostly red, then green, then blue, changing every ten frames; brighter to the right."""
    picture = np.full((height, width, 3), 20, np.uint8)
    picture[..., index // 10 % 3] = np.linspace(120, 250, width, dtype=np.uint8)
    return picture


def write_clip(
    path: Path,
    *,
    frames: int = 30,
    rate: int = 25,
    size_hw: tuple[int, int] = (48, 64),
    pts_ms: list[int] | None = None,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    rotation: int = 0,
    aspect: Fraction | None = None,
) -> Path:
    """Encodes ``frames`` of ``colour_frame``; pts_ms gives each its time stamp, else a constant rate.

    aspect: of a stored pixel, width over height.
    """
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=1000 if pts_ms else rate)
        stream.height, stream.width = size_hw
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else pix_fmt
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        if codec == "libx265":
            stream.options = {"preset": "ultrafast", "x265-params": "log-level=error:pools=1"}
        if codec == "libx264":
            stream.options = options or {"preset": "ultrafast", "g": "10"}
        if pts_ms:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(colour_frame(index, *size_hw), "rgb24")
            if pts_ms:
                frame.pts, frame.time_base = pts_ms[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def remux(path: Path, source: Path, *, shift_s: float = 0.0, **options: str) -> Path:
    """The packets of ``source``'s video in another container, all their stamps moved by ``shift_s``, none dropped."""
    options = {"avoid_negative_ts": "disabled", **options}
    with av.open(str(source)) as before, av.open(str(path), "w", options=options) as after:
        stream = before.streams.video[0]
        copy = after.add_stream_from_template(stream)
        for packet in before.demux(stream):
            if packet.dts is not None:
                packet.pts += round(shift_s / stream.time_base)
                packet.dts += round(shift_s / stream.time_base)
                packet.stream = copy
                after.mux(packet)
    return path


def write_noise(path: Path, codec: str = "libx264", frames: int = 90, **options: str) -> Path:
    """Encodes 48 x 64 pictures of coarse noise at 25 a second: every frame differs from every other in every block."""
    rng = np.random.default_rng(5)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for _ in range(frames):
            picture = rng.integers(0, 255, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    return path


def truncate(path: Path, share: float) -> Path:
    """Cuts a file to a share of its bytes."""
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path
