"""Looks at a video once: what it is, whether browsers play it as it is, and a picture to know it by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from dives.causes import Unplayable
from dives.chapters import JoinedVideo
from dives.partial import PartialFile, write_whole
from realtime.errors import Cause, SourceError
from realtime.frames import iso_utc
from realtime.pictures import VideoPicture
from realtime.sources import VideoFile

PROBE = "probe.json"
VERSION = 1
# Containers of moving pictures. Others that ffmpeg reads name further files (playlists, concat scripts, manifests), and
# a file that somebody uploads must not make us read another.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,asf,flv,h264,hevc,m4v,mjpeg,ogg,dv,mxf,gif"
)
MAX_DURATION_S = 7 * 24 * 3600.0  # a header may announce centuries, and a job works for two days at most
BROWSERS_READ = "mov,mp4,m4a,3gp,3g2,mj2"  # ffmpeg's name of the MP4 family
BROWSERS_DECODE = ("yuv420p", "yuvj420p")
THUMBNAIL_SIDE = 480  # twice its size on the page
QUALITY = 85


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a video is.

    size_hw: pixels as displayed. duration_s, rate: as announced, None when not. offset_s: what a browser's clock
    shows at media time 0. unplayable: why browsers do not play it, "" when they do; unplayable_cause: in a word.
    """

    codec: str
    pixels: str
    size_hw: tuple[int, int]
    rate: float | None
    duration_s: float | None
    start_utc: str
    offset_s: float
    unplayable: str
    unplayable_cause: str = ""
    version: int = VERSION


def probe_video(path: Path, name: str) -> Probe:
    """Looks at the video ``path``, which errors call ``name``. Raises SourceError when it is none."""
    _refuse_others(path, name)
    with VideoFile(path, name=name) as opened, av.open(f"file:{path}", options={"protocol_whitelist": "file"}) as again:
        info = opened.info
        if info.duration_s is not None and info.duration_s > MAX_DURATION_S:
            days = f"{info.duration_s / 86_400:,.0f}"
            raise SourceError(name, f"it announces {days} days; at most {MAX_DURATION_S / 86_400:.0f} are taken")
        stream = again.streams.video[0]
        pixels = stream.codec_context.pix_fmt or ""
        unplayable = cause = ""
        if info.codec != "h264":
            unplayable, cause = f"it is {info.codec.upper()}", Unplayable.CODEC
        elif pixels not in BROWSERS_DECODE:
            unplayable, cause = f"its pixels are {pixels}", Unplayable.PIXELS
        elif again.format.name != BROWSERS_READ:
            unplayable, cause = f"its container is {again.format.long_name}", Unplayable.CONTAINER
        return Probe(
            codec=info.codec,
            pixels=pixels,
            size_hw=info.size_hw,
            rate=info.rate,
            duration_s=info.duration_s,
            start_utc=iso_utc(info.start_utc),
            offset_s=max(0.0, (again.start_time or 0) / av.time_base),  # browsers move only what begins before 0
            unplayable=unplayable,
            unplayable_cause=cause,
        )


def probe_joined(paths: Sequence[Path], name: str) -> Probe:
    """Looks at the files of one dive, in their order: the first that can be read stands for all but the length.

    Raises SourceError when none can, or when they cannot be put end to end.
    """
    with JoinedVideo(paths, name=name) as joined:
        info = joined.info
        first = next(chapter.path for chapter in joined.chapters if not chapter.problem)
    found = probe_video(first, name)
    if info.duration_s is not None and info.duration_s > MAX_DURATION_S:
        raise SourceError(name, f"together they announce more than {MAX_DURATION_S / 86_400:.0f} days")
    return replace(
        found,
        duration_s=info.duration_s,
        start_utc=iso_utc(info.start_utc),
        offset_s=0.0,
        unplayable=f"it is in {len(paths)} files",
        unplayable_cause=Unplayable.PARTS,
    )


def write_probe(folder: Path, probe: Probe) -> None:
    """Keeps it in a dive's folder. Raises ResultsError."""
    write_whole(folder / PROBE, json.dumps(asdict(probe), indent=1) + "\n")


def read_probe(folder: Path) -> Probe | None:
    """What was kept; None when there is none of this version."""
    try:
        raw = json.loads((folder / PROBE).read_text(encoding="utf-8"))
        if raw["version"] != VERSION:
            return None
        raw["size_hw"] = (int(raw["size_hw"][0]), int(raw["size_hw"][1]))
        return Probe(**raw)
    except (OSError, ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError):
        return None


def refuse_other_kinds(path: Path) -> None:
    """Raises SourceError for a file of a format that is not taken, before anything else reads it.

    One that is damaged passes: of several files of a dive it is a gap.
    """
    try:
        _open_as_sent(path).close()
    except av.error.ArgumentError as error:  # what ffmpeg says of a format that is not on the list
        raise SourceError(path.name, f"{path.name} is no video of a kind that is taken", Cause.NOT_VIDEO) from error
    except (av.error.FFmpegError, OSError):
        return


def write_thumbnail(video: Path, media_s: float, to: Path) -> None:
    """Writes the frame at ``media_s``, or the nearest key frame before it, as a small JPEG.

    Raises SourceError when none decodes, ResultsError when it cannot be written.
    """
    rgb = frame_near(video, media_s)
    done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise SourceError(video.name, "its picture cannot be made a thumbnail")
    with PartialFile(to, "wb") as file:
        file.write(data.tobytes())
        file.commit()


def frame_near(video: Path, media_s: float) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] RGB, upright: the last frame at or before ``media_s`` that a seek finds. Raises SourceError."""
    try:
        with _open_as_sent(video) as container:
            stream = container.streams.video[0]
            origin_s = (container.start_time or 0) / av.time_base
            if media_s > 0.0:
                try:
                    container.seek(round((media_s + origin_s) * av.time_base))
                except av.error.FFmpegError:
                    container.seek(0)
            found = None
            for frame in container.decode(stream):
                if found is not None and frame.time is not None and frame.time - origin_s > media_s + 1e-6:
                    break
                found = frame
            if found is not None:
                return VideoPicture(found).rgb(THUMBNAIL_SIDE)
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise SourceError(video.name, f"no frame near {media_s:.1f} s can be decoded ({error})") from error
    raise SourceError(video.name, f"no frame near {media_s:.1f} s can be decoded")


def _refuse_others(path: Path, name: str) -> None:
    try:
        _open_as_sent(path).close()
    except (av.error.FFmpegError, OSError) as error:
        raise SourceError(name, "not a video that can be read", Cause.NOT_VIDEO) from error


def _open_as_sent(path: Path) -> InputContainer:
    """Opens a file whose content somebody else chose. Raises FFmpegError and OSError."""
    options = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
    return av.open(f"file:{path}", options=options, metadata_errors="replace")
