"""Frames in, results out: one step, without threads and without a clock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from realtime.engine import Engine
from realtime.frames import Frame, FrameResult, cam_to_uint8
from realtime.smoothing import Smoother


@dataclass(frozen=True, slots=True, eq=False)
class RawResult:
    """What the model says of one frame alone, before any memory. Fields as in FrameResult."""

    source: str
    index: int
    media_s: float
    utc: datetime | None
    utc_source: str
    captured_s: float | None
    size_hw: tuple[int, int]
    probabilities: NDArray[np.float32]
    unknown: float
    cam: NDArray[np.uint8]
    explained: int


def infer(
    engine: Engine,
    frames: Sequence[Frame],
    explain: Sequence[int] | None = None,
    inputs: NDArray[np.uint8] | None = None,
) -> list[RawResult]:
    """Classifies and explains frames in one run of the engine; remembers nothing.

    explain: the class to explain per frame, -1 (default) for the most probable. inputs: uint8 [N, S, S, 3] RGB when the
    caller has already scaled the pictures, on another thread say.
    """
    if not frames:
        return []
    if inputs is None:
        inputs = np.stack([frame.picture.model_input(engine.contract.input_size) for frame in frames])
    wanted = np.full(len(frames), -1, np.int64) if explain is None else np.asarray(explain, np.int64)
    predicted = engine.run(inputs, wanted)
    cams = cam_to_uint8(predicted.cam)
    best = predicted.probabilities.argmax(axis=1)
    return [
        RawResult(
            source=frame.source,
            index=frame.index,
            media_s=frame.media_s,
            utc=frame.utc,
            utc_source=frame.utc_source,
            captured_s=frame.captured_s,
            size_hw=frame.picture.size_hw,
            probabilities=predicted.probabilities[i],
            unknown=float(predicted.unknown[i]),
            cam=cams[i],
            explained=int(best[i] if wanted[i] < 0 else wanted[i]),
        )
        for i, frame in enumerate(frames)
    ]


def settle(raw: RawResult, smoother: Smoother) -> FrameResult:
    """Adds the stable label; results must come in order of time, one smoother per source."""
    recorded_utc = raw.utc if raw.captured_s is None else None
    stable = smoother.step(raw.media_s, raw.probabilities, raw.unknown, recorded_utc)
    return FrameResult(
        source=raw.source,
        index=raw.index,
        media_s=raw.media_s,
        utc=raw.utc,
        utc_source=raw.utc_source,
        captured_s=raw.captured_s,
        size_hw=raw.size_hw,
        probabilities=raw.probabilities,
        unknown=raw.unknown,
        cam=raw.cam,
        explained=raw.explained,
        stable=stable,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """A frame as the engine takes it. pixels: uint8 [S, S, 3] RGB. wanted: the classes to make a map of, in order."""

    frame: Frame
    pixels: NDArray[np.uint8]
    wanted: tuple[int, ...]


def scaled(frame: Frame, size: int, explain: Collection[int] = (-1,)) -> Scaled:
    """explain: the classes to make a map of, -1 for the most probable. Raises ValueError when there is none."""
    if not explain:
        raise ValueError("explain: expected at least one class")
    return Scaled(frame, frame.picture.model_input(size), tuple(sorted(set(explain))))


def infer_together(engine: Engine, together: Sequence[Scaled]) -> list[list[RawResult]]:
    """Frames, of several sources maybe, in one run of the engine: for each its rows, one for each class it wants."""
    frames = [item.frame for item in together for _ in item.wanted]
    wanted = [choice for item in together for choice in item.wanted]
    rows = iter(infer(engine, frames, wanted, np.stack([item.pixels for item in together for _ in item.wanted])))
    return [[next(rows) for _ in item.wanted] for item in together]


class Pipeline:
    """One source's way from frame to result, without threads: ``step`` it in order of time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._smoother = Smoother(engine.contract)

    def step(self, frame: Frame, explain: Collection[int] = (-1,)) -> FrameResult:
        """Classifies, explains and smooths one frame. Raises ValueError for an unknown class to explain, or for none.

        explain: the classes to make a map of, -1 for the most probable; each takes a row in one run of the engine. The
        result's own map is the most probable's if that is among them.
        """
        item = scaled(frame, self._engine.contract.input_size, explain)
        (rows,) = infer_together(self._engine, [item])
        return self.finish(item, rows)

    def finish(self, item: Scaled, rows: Sequence[RawResult]) -> FrameResult:
        """The second half of ``step``, for a frame whose ``rows`` came out of a run together with others."""
        cams = {choice: row.cam for choice, row in zip(item.wanted, rows, strict=True)}
        return replace(settle(rows[0], self._smoother), cams=cams)
