"""The values that cross boundaries: a frame on its way in, a result on its way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Picture(Protocol):
    """What a frame shows. Conversion is lazy: most frames of a live source are never drawn."""

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels as displayed, that is after rotation."""

    def model_input(self, size: int) -> NDArray[np.uint8]:
        """The whole picture as uint8 [size, size, 3] RGB by the contract's resize rule."""

    def rgb(self, max_side: int | None = None) -> NDArray[np.uint8]:
        """uint8 [H, W, 3] RGB as displayed; shrunk so that no side exceeds ``max_side``, never enlarged."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded frame.

    index: 0-based, in decoding order within its source. media_s: presentation time in seconds from the
    start of the source, never index / fps. utc: wall clock time of the frame when known, with utc_source
    naming where it is from ("container", "start", "clock", or "" when unknown). captured_s: the
    monotonic clock when a live frame arrived, None for a recorded one.
    """

    source: str
    index: int
    media_s: float
    picture: Picture
    utc: datetime | None = None
    utc_source: str = ""
    captured_s: float | None = None


@dataclass(frozen=True, slots=True)
class StableLabel:
    """What is shown: a label that outlives flicker.

    index: the label's column; None where there is no animal to name, that is "nothing I know" or, when ``empty``, the
    model's own "nothing there". probability: the smoothed probability of that label, of "nothing there", or of the most
    probable class for "nothing I know". since_s: media time at which it became stable.
    """

    index: int | None
    probability: float
    since_s: float
    empty: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """What the model said of one frame. Times and index are the frame's own.

    probabilities: float32 [C], calibrated. unknown: higher is more foreign. cam: uint8 [G, G], 255 is one
    ``cam_scale`` or more; an empty map is all zero. explained: the class the map is of. stable: after smoothing.
    cams: every map that was asked for, by the class as asked (-1 for the most probable); empty when only ``cam`` was.
    """

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
    stable: StableLabel
    cams: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict)

    def explaining(self, *wanted: int) -> FrameResult:
        """With the map of the first of ``wanted`` that there is one of (-1: the most probable); else unchanged."""
        best = int(self.probabilities.argmax())
        for choice in wanted:
            explained = best if choice < 0 else choice
            for key in (choice, explained, -1) if explained == best else (choice,):
                if key in self.cams:
                    return replace(self, cam=self.cams[key], explained=explained)
            if explained == self.explained:
                return self
        return self

    def top(self, k: int) -> list[tuple[int, float]]:
        """The k most probable classes as (index, probability), most probable first; ties by index."""
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(int(i), float(self.probabilities[i])) for i in order]


def cam_to_uint8(cam: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A scaled map (any shape, >= 0) as uint8: 1.0 and above becomes 255; NaN becomes 0."""
    clean = np.nan_to_num(cam, nan=0.0, posinf=1.0, neginf=0.0)
    scaled: NDArray[np.float32] = np.rint(np.clip(clean, 0.0, 1.0) * 255.0)
    return scaled.astype(np.uint8)


def iso_utc(moment: datetime | None) -> str:
    """ISO 8601 with milliseconds and Z, or an empty string for None. Raises ValueError for a naive time."""
    if moment is None:
        return ""
    if moment.tzinfo is None:
        raise ValueError("a UTC time must carry its zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
