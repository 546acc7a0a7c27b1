"""Where the time of a frame goes: decode, scale, infer, smooth, draw, encode, one after another on one thread."""

from __future__ import annotations

import itertools
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2

from realtime.engine import Engine
from realtime.overlay import draw_overlay
from realtime.pipeline import Pipeline, infer_together, scaled
from realtime.scene import TestScene
from realtime.sources import VideoFile

STAGES = ("decode", "scale", "infer", "smooth", "draw", "encode")
WARM = 5  # frames not counted
JPEG_QUALITY = 80  # as the page gets it


def stages_ms(clip: Path, engine: Engine, frames: int = 100) -> dict[str, float]:
    """Milliseconds per frame of each of STAGES, over the first frames of the clip, in full size.

    draw, encode: the overlay and a JPEG of it. Each takes its own time here; in the running program they share the
    processor. Raises SourceError for the clip.
    """
    spent_s = dict.fromkeys(STAGES, 0.0)
    pipeline, size, done = Pipeline(engine), engine.contract.input_size, 0
    with VideoFile(clip, threads=1) as source:  # several would decode ahead in the time of other stages
        incoming = itertools.islice(source, WARM + frames)
        while True:
            times_s = [time.perf_counter()]
            frame = next(incoming, None)
            if frame is None:
                break
            times_s.append(time.perf_counter())
            item = scaled(frame, size)
            times_s.append(time.perf_counter())
            (rows,) = infer_together(engine, [item])
            times_s.append(time.perf_counter())
            result = pipeline.finish(item, rows)
            times_s.append(time.perf_counter())
            picture = draw_overlay(frame.picture.rgb(), result.cam)
            times_s.append(time.perf_counter())
            cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            times_s.append(time.perf_counter())
            done += 1
            if done > WARM:
                for stage, (begun_s, ended_s) in zip(STAGES, itertools.pairwise(times_s), strict=True):
                    spent_s[stage] += ended_s - begun_s
    counted = max(1, done - WARM)
    return {stage: 1e3 * spent_s[stage] / counted for stage in STAGES}


def write_scene(path: Path, frames: int, size_hw: tuple[int, int] = (720, 1280)) -> Path:
    """The rendered test scene as H.264, as a camera writes it: a key frame a second, B-frames."""
    rate = 30
    with av.open(str(path), "w") as container, TestScene(size_hw=size_hw, frames=frames) as scene:
        options = {"preset": "veryfast", "crf": "20", "g": str(rate), "bf": "2"}
        stream = container.add_stream("libx264", rate=Fraction(rate), options=options)
        stream.height, stream.width = size_hw
        stream.pix_fmt = "yuv420p"
        for frame in scene:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.picture.rgb(), "rgb24")))
        container.mux(stream.encode())
    return path


def frames_in(clip: Path) -> int:
    """How many frames decode. Raises SourceError."""
    with VideoFile(clip) as source:
        return sum(1 for _ in source)
