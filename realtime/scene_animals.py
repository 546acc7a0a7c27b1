"""The animals of the rendered reef: drawn from formulas, a little different at every moment."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SHIFT = 4  # cv2 draws at sixteenths of a pixel, so that slow things move smoothly
_JELLY = np.array([236.0, 196.0, 214.0], np.float32)
_GLOW = 0.35  # of the light that a jellyfish's body scatters around it
_REACH = 1.4, 1.3, 3.2  # beside, above and below the middle of its bell, in half-widths of the bell


def fish(
    picture: NDArray[np.uint8],
    x: float,
    y: float,
    length: float,
    phase: float,
    body: tuple[int, int, int],
    belly: tuple[int, int, int],
    bands: tuple[tuple[float, float], ...],
) -> None:
    """A fish of half-length ``length`` with its middle at (x, y), swimming to the right."""
    sway = 0.16 * math.sin(6.0 * phase)
    along = np.linspace(-1.0, 1.0, 33)
    half = 0.46 * np.sqrt(np.clip(1.0 - along**2, 0.0, 1.0)) * (0.74 + 0.26 * along)
    back, front = np.stack([along, -half], 1), np.stack([along, half], 1)
    outline = np.concatenate([back, front[::-1]])
    tail = np.array([[-0.78, 0.0], [-1.42, -0.42 + sway], [-1.24, sway], [-1.42, 0.42 + sway]])
    fin = np.array([[-0.35, -0.36], [0.05, -0.66], [0.42, -0.36]])
    dark = tuple(int(0.62 * part) for part in body)
    for shape, colour in ((tail, dark), (fin, dark), (outline, body)):
        polygon(picture, x + length * shape[:, 0], y + length * shape[:, 1], colour)
    polygon(picture, x + length * front[:, 0], y + length * 0.94 * np.maximum(front[:, 1], 0.12), belly)
    for middle, wide in bands:
        part = np.abs(along - middle) <= wide
        ends = np.concatenate([back[part], front[part][::-1]])
        polygon(picture, x + length * ends[:, 0], y + length * ends[:, 1], (246, 246, 240))
    disc(picture, x + 0.68 * length, y - 0.10 * length, 0.085 * length, (245, 245, 240))
    disc(picture, x + 0.71 * length, y - 0.10 * length, 0.045 * length, (18, 18, 22))


def jellyfish(picture: NDArray[np.uint8], x: float, y: float, size: float, phase: float) -> None:
    """A jellyfish of half-width ``size``, the middle of its bell's rim at (x, y), pixels, that beats with ``phase``.

    It is translucent, so it is made as a mask of how much of it one sees, at half the resolution: it has no sharp edge.
    """
    beside, above, below = (reach * size for reach in _REACH)
    height, width = picture.shape[:2]
    left, right = max(0, int(x - beside)), min(width, math.ceil(x + beside))
    top, bottom = max(0, int(y - above)), min(height, math.ceil(y + below))
    if right - left < 2 or bottom - top < 2:
        return
    seen = np.zeros(((bottom - top + 1) // 2, (right - left + 1) // 2), np.float32)
    _arms(seen, (x - left) / 2, (y - top) / 2, size / 2, phase)
    _bell(seen, (x - left) / 2, (y - top) / 2, size / 2, phase)
    glow = cv2.GaussianBlur(cv2.resize(seen, None, fx=0.5, fy=0.5), (0, 0), max(0.5, 0.025 * size))
    seen = np.maximum(seen, _GLOW * cv2.resize(glow, seen.shape[::-1]))
    share = cv2.resize(np.minimum(seen, 0.95), (right - left, bottom - top))[..., None]
    part = picture[top:bottom, left:right]
    part[:] = part + share * (_JELLY - part)


def _arms(seen: NDArray[np.float32], x: float, y: float, size: float, phase: float) -> None:
    """Thin tentacles from the rim, and four frilled arms from the middle."""
    down = np.linspace(0.0, 1.0, 32)
    for number in range(17):
        at = -0.86 + 1.72 * number / 16
        sway = 0.10 * np.sin(10.0 * down - 1.9 * phase + 1.7 * number) + 0.12 * math.sin(0.7 * phase)
        xs = x + size * (at * (1.0 - 0.25 * down) + down * sway)
        ys = y + size * (0.1 + (1.9 + 0.9 * math.sin(5.1 * number) ** 2) * down)
        points = np.rint(np.stack([xs, ys], 1) * (1 << SHIFT)).astype(np.int32)
        cv2.polylines(seen, [points], False, 0.42, max(1, round(size / 45)), cv2.LINE_AA, SHIFT)
    for number in range(4):
        middle = (-0.27 + 0.18 * number) * (1.0 - 0.2 * down) + 0.13 * down * np.sin(
            7.0 * down - 2.1 * phase + 2.1 * number
        )
        half = (0.14 * (1.0 - down) ** 0.7 + 0.02) * (1.0 + 0.25 * np.sin(26.0 * down + 3.0 * number))
        xs = x + size * np.concatenate([middle - half, (middle + half)[::-1]])
        ys = y + size * (0.05 + (1.5 + 0.25 * math.sin(3.3 * number + 1.0)) * np.concatenate([down, down[::-1]]))
        polygon(seen, xs, ys, (0.5 + 0.07 * (number % 2),))


def _bell(seen: NDArray[np.float32], x: float, y: float, size: float, phase: float) -> None:
    """The bell over it, thicker towards its edge, with its ribs, a light on it, and the four rings inside."""
    beat = math.sin(2.2 * phase)
    wide, high = size * (1.0 - 0.07 * beat), size * (0.82 + 0.08 * beat)
    turn, along = np.linspace(math.pi, 2.0 * math.pi, 48), np.linspace(1.0, -1.0, 66)
    rim = 0.10 * (1.0 - along**2) + 0.055 * np.abs(np.sin(np.linspace(0.0, 8.0 * math.pi, len(along))))
    outline = np.zeros_like(seen)
    xs = x + wide * np.concatenate([np.cos(turn), along])
    polygon(outline, xs, y + high * np.concatenate([np.sin(turn), rim]), (1.0,))
    dy = ((np.arange(seen.shape[0], dtype=np.float32) - y) / high)[:, None]
    dx = ((np.arange(seen.shape[1], dtype=np.float32) - x) / wide)[None]
    from_middle = np.minimum(dx**2 + dy**2, 1.2)
    ribs = 0.05 * np.cos(16.0 * np.arctan2(dy - 0.3, dx)) * (from_middle > 0.15)
    light = 0.22 * np.exp(-(((dx + 0.35) / 0.28) ** 2) - ((dy + 0.55) / 0.2) ** 2)
    np.maximum(seen * (1.0 - 0.55 * outline), outline * (0.42 + 0.40 * from_middle**2 + ribs + light), out=seen)
    scale = 1 << SHIFT
    for number in range(4):
        centre = x + wide * (-0.36 + 0.24 * number), y - high * (0.36 if number in (1, 2) else 0.30)
        cv2.ellipse(
            seen,
            (round(centre[0] * scale), round(centre[1] * scale)),
            (round(0.13 * wide * scale), round(0.10 * high * scale)),
            0,
            180,
            360,
            0.9,
            max(1, round(size / 18)),
            cv2.LINE_AA,
            SHIFT,
        )


def polygon(picture: NDArray[Any], x: NDArray[np.float64], y: NDArray[np.float64], colour: tuple[float, ...]) -> None:
    """Fills the outline through these points, pixels."""
    points = np.rint(np.stack([x, y], 1) * (1 << SHIFT)).astype(np.int32)
    cv2.fillPoly(picture, [points], colour, cv2.LINE_AA, SHIFT)


def disc(picture: NDArray[np.uint8], x: float, y: float, radius: float, colour: tuple[int, int, int]) -> None:
    """Fills the circle, pixels; never less than a dot."""
    scale = 1 << SHIFT
    centre = (round(x * scale), round(y * scale))
    cv2.circle(picture, centre, max(scale // 2, round(radius * scale)), colour, -1, cv2.LINE_AA, SHIFT)
