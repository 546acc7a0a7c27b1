"""Varies a photograph the way a camera under water would: nearer, turned round, in other light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realtime.preprocess import resize_rgb
from training.water import blur, colour_cast, haze, specks

CROP_AREA = (0.45, 1.0)  # share of the picture that a view shows
CROP_ASPECT = (3 / 4, 4 / 3)
GAIN = 0.15  # brightness, and each colour channel on its own: water takes red away, white balance overdoes it
CONTRAST = 0.2
SATURATION = 0.3
WATER_EFFECTS = 0.5  # of the four, each by chance, in a view that is seen through water
WATER_STRENGTH = 0.7  # the most of each: of the murkiest water that a diver would still film


def view(
    picture: NDArray[np.uint8],
    size: int,
    seed: tuple[int, int, int],
    water: float = 0.0,
    drawn_for: int | None = None,
) -> NDArray[np.uint8]:
    """One view of uint8 [W, W, 3] RGB: uint8 [size, size, 3].

    water: how likely it is to be seen through murky water (``training.water``), if it is not the plain one.
    seed: run seed, picture, view number. View 0 is the plain picture; the others are drawn from the seed alone, so
    that they do not depend on the order or the thread in which they are made.
    drawn_for: the side of the picture that the view was drawn for, where this is the same one at another size: the view
    then shows the same part of it, in the same light.
    """
    if seed[2] == 0:
        return resize_rgb(picture, size)
    rng = np.random.default_rng([*seed, 4])
    crop = _crop(picture, rng, drawn_for or len(picture))
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    varied = _recolour(resize_rgb(np.ascontiguousarray(crop), size), rng)
    return _through_water(varied, rng) if rng.random() < water else varied


def _crop(picture: NDArray[np.uint8], rng: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """Drawn in pixels of a picture of this side: how many numbers the generator gives depends on that."""
    area = rng.uniform(*CROP_AREA)
    aspect = np.exp(rng.uniform(*np.log(CROP_ASPECT)))
    h = int(np.clip(round(side * np.sqrt(area / aspect)), 1, side))
    w = int(np.clip(round(side * np.sqrt(area * aspect)), 1, side))
    y, x = rng.integers(side - h + 1), rng.integers(side - w + 1)
    top, bottom, left, right = (round(edge * len(picture) / side) for edge in (y, y + h, x, x + w))
    return picture[top:bottom, left:right]


def _recolour(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    rgb = picture.astype(np.float32)
    gain = (1 + rng.uniform(-GAIN, GAIN)) * (1 + rng.uniform(-GAIN, GAIN, 3))
    rgb *= gain.astype(np.float32)
    grey = rgb.mean(axis=2, keepdims=True)
    rgb = grey + (rgb - grey) * np.float32(1 + rng.uniform(-SATURATION, SATURATION))
    middle = rgb.mean()
    rgb = middle + (rgb - middle) * np.float32(1 + rng.uniform(-CONTRAST, CONTRAST))
    recoloured: NDArray[np.uint8] = np.rint(np.clip(rgb, 0, 255)).astype(np.uint8)
    return recoloured


def _through_water(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """In the order in which light meets them: absorbed, scattered, out of focus, and dots before all of it."""
    for effect in (colour_cast, haze, blur):
        if rng.random() < WATER_EFFECTS:
            picture = effect(picture, rng.uniform(0, WATER_STRENGTH))
    if rng.random() < WATER_EFFECTS:
        picture = specks(picture, rng.uniform(0, WATER_STRENGTH), int(rng.integers(2**31)))
    return picture
