"""A copy of a video that browsers play, where they do not play the original: H.264 beside which the results stay true.

Every frame keeps its own time and no frame is added or dropped, so that a variable rate stays variable and the player
finds the same row at the same moment. Rotated recordings come out upright; sound is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace

from dives.chapters import JoinedVideo
from dives.partial import PartialFile, writing
from dives.progress import Meter, Progress
from realtime.errors import ReeflensError, SourceError
from realtime.frames import Frame
from realtime.pictures import VideoPicture
from realtime.sources import VideoFile

TICKS_PER_S = 90_000
MAX_SIDE = 1920  # what screens show; the original can still be downloaded
MIN_SIDE = 16
# A key frame each second at 30 frames/s, so that a seek decodes little.
ENCODER = {"preset": "veryfast", "crf": "23", "g": "30"}
TELL_FRAMES = 30


def copy_for_browsers(
    videos: Path | Sequence[Path], to: Path, progress: Callable[[Progress], None] = lambda _: None
) -> None:
    """Writes ``videos`` as H.264, yuv420p, index first, to ``to``, which appears complete or not at all.

    Several are one dive, put end to end as JoinedVideo does, in the size of the first. A recording that breaks off
    gives a copy up to the break, and of several the others. Raises SourceError when it gives no frame, ResultsError
    when the disk does not take it.
    """
    paths = [videos] if isinstance(videos, Path) else videos
    with VideoFile(paths[0]) if len(paths) == 1 else JoinedVideo(paths) as source, PartialFile(to, "") as file:
        meter = Meter(progress, "copy", source.info, source.info.frames)
        size_hw = _canvas(source.info.size_hw)
        done = 0
        with writing(to):
            container = av.open(f"file:{file.partial_path}", "w", format="mp4", options={"movflags": "+faststart"})
        try:
            with writing(to):
                stream = container.add_stream("libx264", rate=Fraction(30), options=ENCODER)
                stream.pix_fmt = "yuv420p"
                stream.height, stream.width = size_hw
                stream.codec_context.max_b_frames = 0
                stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
                stream.codec_context.colorspace = Colorspace.ITU709
                stream.codec_context.color_range = ColorRange.MPEG
            last, interval, held = -1, TICKS_PER_S // 30, None
            try:
                for frame in source:
                    image = _image(frame, size_hw)
                    pts = max(last + 1, round(frame.media_s * TICKS_PER_S))
                    interval = pts - last if last >= 0 else interval
                    last = image.pts = pts
                    image.pict_type = PictureType.NONE  # the original's, which the encoder would repeat
                    image.time_base = Fraction(1, TICKS_PER_S)
                    with writing(to):
                        for packet in stream.encode(image):
                            if held is not None:
                                container.mux(held)
                            held = packet
                    done += 1
                    if done % TELL_FRAMES == 0:
                        meter.add(TELL_FRAMES, done=done, media_s=frame.media_s)
            except SourceError:
                if not done:
                    raise
            with writing(to):
                for packet in stream.encode():
                    if held is not None:
                        container.mux(held)
                    held = packet
                if held is not None:
                    held.duration = interval  # nothing follows that would end it
                    container.mux(held)
        except ReeflensError:
            with suppress(Exception):
                container.close()
            raise
        with writing(to):
            container.close()
        meter.over(done)
        file.commit()


def _canvas(size_hw: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, MAX_SIDE / max(size_hw))
    height, width = (max(MIN_SIDE, round(side * scale)) for side in size_hw)
    return height - height % 2, width - width % 2


def _image(frame: Frame, size_hw: tuple[int, int]) -> av.VideoFrame:
    assert isinstance(frame.picture, VideoPicture)  # a VideoFile gives no others
    return frame.picture.yuv420p(size_hw)
