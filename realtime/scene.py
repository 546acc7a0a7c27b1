"""The test scene: a small reef, rendered. It needs no camera and no footage, and every frame is known.

It is what `serve` shows when no source is named, what the documentation's pictures show, and a source for tests
whose frame k is the same on every machine.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.frames import Frame
from realtime.pictures import ArrayPicture
from realtime.scene_animals import disc, fish, jellyfish, polygon
from realtime.sources import SourceInfo

RATE = 25.0
ROUND_S = 48.0  # then the large animals come again
JELLYFISH_S = 32.0  # of it: one rises; then two fish swim by


class TestScene:
    """A rendered reef with a jellyfish and fish that come by; endless unless ``frames`` bounds it.

    size_hw: pixels. Media time is index / 25: the scene is its own clock.
    """

    __test__ = False  # not a test case, whatever its name suggests to pytest

    def __init__(
        self, *, name: str = "scene", size_hw: tuple[int, int] = (540, 960), frames: int | None = None
    ) -> None:
        self.name = name
        self._frames = frames
        self._stop = threading.Event()
        duration_s = None if frames is None else frames / RATE
        self.info = SourceInfo(kind="scene", size_hw=size_hw, rate=RATE, frames=frames, duration_s=duration_s)
        self._backdrop = _backdrop(*size_hw)

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        while not self._stop.is_set() and (self._frames is None or index < self._frames):
            time_s = index / RATE
            yield Frame(self.name, index, time_s, ArrayPicture(render(self._backdrop, time_s)))
            index += 1

    def close(self) -> None:
        """Stops the iteration."""
        self._stop.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def render(backdrop: NDArray[np.uint8], time_s: float) -> NDArray[np.uint8]:
    """The scene at ``time_s`` seconds over a backdrop, uint8 [H, W, 3] RGB; a new array."""
    picture = backdrop.copy()
    height, width = picture.shape[:2]
    for number in range(9):  # a school in the distance
        x = _drift(time_s, 0.021 + 0.002 * (number % 3), 0.37 * number)
        y = 0.30 + 0.05 * math.sin(0.5 * time_s + number) + 0.022 * (number % 4)
        fish(picture, x * width, y * height, 0.018 * width, time_s * 2 + number, (52, 104, 128), (58, 118, 142), ())
    now_s = time_s % ROUND_S
    if now_s < JELLYFISH_S:
        rise = now_s / JELLYFISH_S
        x, y = 0.42 + 0.16 * rise + 0.05 * math.sin(0.3 * now_s), 0.60 - 0.4 * rise - 0.9 * rise**6
        jellyfish(picture, x * width, y * height, 0.115 * width, now_s)
    bands = ((0.18, 0.10), (-0.12, 0.09), (-0.42, 0.08))
    x, y = _cross(now_s - JELLYFISH_S + 4.0, 20.0), 0.55 + 0.06 * math.sin(0.35 * now_s)
    fish(picture, x * width, y * height, 0.105 * width, now_s, (240, 128, 36), (255, 170, 70), bands)
    x, y = _cross(now_s - JELLYFISH_S, 15.0), 0.36 + 0.05 * math.sin(0.5 * now_s + 2.0)
    fish(picture, x * width, y * height, 0.06 * width, now_s * 1.3, (236, 206, 62), (250, 226, 110), ((0.1, 0.07),))
    for number in range(14):
        rise = (0.09 * time_s + 0.618 * number) % 1.0
        x = 0.12 + 0.8 * ((0.377 * number) % 1.0) + 0.006 * math.sin(3.0 * time_s + number)
        disc(picture, x * width, (0.95 - rise) * height, 0.0016 * width * (1 + number % 3), (176, 214, 222))
    return picture


def _drift(time_s: float, speed: float, phase: float) -> float:
    """Position across the picture from left to right and round again, with a margin on both sides."""
    return ((speed * time_s + phase) % 1.0) * 1.4 - 0.2


def _cross(after_s: float, lasts_s: float) -> float:
    """Position across the picture, from beyond its left edge to beyond its right one, where it stays."""
    return min(max(after_s / lasts_s, 0.0), 1.0) * 1.4 - 0.2


def _backdrop(height: int, width: int) -> NDArray[np.uint8]:
    """Water that darkens with depth, slanting light, and a reef along the floor; uint8 [H, W, 3] RGB."""
    random = np.random.default_rng(7)
    down = np.linspace(0.0, 1.0, height)[:, None, None]
    surface, deep = np.array([64.0, 168.0, 190.0]), np.array([6.0, 46.0, 84.0])
    water = np.broadcast_to(surface + (deep - surface) * down**0.8, (height, width, 3)).copy()
    rays = np.zeros((height, width), np.float32)
    for middle in (0.22, 0.38, 0.47, 0.66, 0.81):
        top, low = middle * width, (middle - 0.16) * width
        spread = (0.018 + 0.02 * random.random()) * width
        xs = np.array([top - spread, top + spread, low + 3 * spread, low - 3 * spread])
        points = np.rint(np.stack([xs, [0, 0, 0.85 * height, 0.85 * height]], 1)).astype(np.int32)
        cv2.fillPoly(rays, [points], 1.0)
    rays = cv2.GaussianBlur(rays, (0, 0), 0.02 * width)
    water += rays[..., None] * (1.0 - down) * np.array([34.0, 40.0, 36.0])
    picture: NDArray[np.uint8] = np.clip(water, 0, 255).astype(np.uint8)
    _floor(picture, random)
    noise = random.normal(0.0, 2.0, (height, width, 1))
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _floor(picture: NDArray[np.uint8], random: np.random.Generator) -> None:
    height, width = picture.shape[:2]
    x = np.linspace(0, width, 64)
    for depth, colour in ((0.78, (22, 70, 92)), (0.85, (38, 78, 84)), (0.92, (82, 92, 78))):
        bumps = sum(math.pow(0.55, k) * np.sin(x / width * (5 + 7 * k) + 9 * random.random()) for k in range(4))
        y = (depth + 0.025 * np.asarray(bumps)) * height
        polygon(picture, np.append(x, [width, 0]), np.append(y, [height, height]), colour)
    corals = ((188, 74, 92), (214, 132, 70), (150, 96, 160), (200, 168, 92))
    for number in range(11):
        foot_x, foot_y = random.uniform(0.02, 0.98) * width, random.uniform(0.90, 0.99) * height
        shaded = tuple(int(part * random.uniform(0.6, 0.9)) for part in corals[number % 4])
        for _ in range(int(random.integers(5, 9))):  # a tuft of branches from one foot
            angle, long = random.uniform(-0.7, 0.7), random.uniform(0.05, 0.12) * height
            tip = (round(foot_x + long * math.sin(angle)), round(foot_y - long * math.cos(angle)))
            cv2.line(picture, (round(foot_x), round(foot_y)), tip, shaded, max(2, width // 160), cv2.LINE_AA)
            cv2.circle(picture, tip, max(2, width // 190), shaded, -1, cv2.LINE_AA)
