"""What water does to a picture, as pure functions: the same physics to train with and to measure with.

Light from an animal reaches the camera weakened, and light that the water scatters is added on the way (Jaffe, 1990;
Akkaynak and Treibitz, 2018): seen = picture * t + veil * (1 - t), with t = exp(-b * distance). Every function takes
uint8 [H, W, 3] RGB and a strength in 0..1, 0 for the same picture and 1 for the worst water in which a diver would
still film, and gives a new uint8 array of that shape. Light adds up in linear light, so sRGB is undone first.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

HAZE_DEPTH = 2.0  # optical depth b * distance at strength 1: t = 0.14, about the limit at which a diver sees a diver
VEIL = (95, 150, 160)  # sRGB of water lit from above, between coastal green and ocean blue
VEIL_LEAST = 0.05  # in linear light: even a black picture's water is not black when there is something in it
BLUR_SIGMA = 0.015  # of the shorter side, at strength 1
# Per metre for red, green and blue light. Water itself takes 0.34 at 650 nm, 0.06 at 550 and 0.01 at 450 (Pope and Fry,
# 1997); near a coast, yellow matter and plankton take green and blue, too.
ATTENUATION = (0.36, 0.08, 0.09)
CAST_METRES = 10.0  # of water, down and back to the camera, at strength 1: 3 % of the red is left
SPECKS = 240  # at strength 1, whatever the picture's size
SPECK_SIGMAS = (0.002, 0.004, 0.010)  # of the shorter side: most are small and sharp, some near and out of focus
SPECK_SHARES = (0.60, 0.32, 0.08)
SPECK_GREY = 235  # marine snow is pale, whatever the water

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_STEPS = np.arange(256) / 255
_LINEAR = np.where(_STEPS <= 0.04045, _STEPS / 12.92, ((_STEPS + 0.055) / 1.055) ** 2.4)  # sRGB 0..255 -> light 0..1


def haze(picture: NDArray[np.uint8], strength: float, veil: tuple[int, int, int] = VEIL) -> NDArray[np.uint8]:
    """Backscatter: I * t + B * (1 - t), alike for all colours and all of the picture.

    veil: sRGB colour of B. B is made as bright as the picture on the average, because the light that shows the animal
    is also the light that is scattered, and a camera sets its exposure by both.
    """
    t = np.exp(-HAZE_DEPTH * _checked(strength))
    colour = _LINEAR[list(veil)]
    bright = max(float(_LINEAR[picture].mean(axis=(0, 1)) @ _LUMINANCE), VEIL_LEAST)
    scattered = colour * (bright / max(float(colour @ _LUMINANCE), 1e-9))
    return _looked_up(picture, _LINEAR[:, None] * t + scattered * (1 - t))


def colour_cast(
    picture: NDArray[np.uint8], strength: float, attenuation: tuple[float, float, float] = ATTENUATION
) -> NDArray[np.uint8]:
    """Absorption: red goes first, and the camera opens up to keep the mean brightness, as they all do.

    attenuation: per metre, of red, green and blue.
    """
    left = np.exp(-np.array(attenuation) * CAST_METRES * _checked(strength))
    mean = _LINEAR[picture].mean(axis=(0, 1)) * _LUMINANCE
    exposure = mean.sum() / max(float(mean @ left), 1e-9)
    return _looked_up(picture, _LINEAR[:, None] * left * exposure)


def blur(picture: NDArray[np.uint8], strength: float) -> NDArray[np.uint8]:
    """Forward scattering, or a lens out of focus: a Gaussian that grows with the picture."""
    sigma = BLUR_SIGMA * min(picture.shape[:2]) * _checked(strength)
    if sigma < 0.05:  # less than a rounding error, and OpenCV takes 0 for "choose one"
        return picture.copy()
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.uint8)


def specks(picture: NDArray[np.uint8], strength: float, seed: int = 0) -> NDArray[np.uint8]:
    """Marine snow in the lamp's light: pale dots, the nearer the larger and fainter. The same for the same seed."""
    rng = np.random.default_rng([seed, 5])
    height, width = picture.shape[:2]
    seen_through = np.ones((height, width), np.float32)
    for share, relative in zip(SPECK_SHARES, SPECK_SIGMAS, strict=True):
        count = round(SPECKS * share * _checked(strength))
        sigma = max(0.5, relative * min(height, width))
        dots = np.zeros((height, width), np.float32)
        opacity = rng.uniform(0.3, 1.0, count).astype(np.float32) * min(1.0, 1.5 / sigma)
        dots[rng.integers(height, size=count), rng.integers(width, size=count)] = opacity
        spread = cv2.GaussianBlur(dots, (0, 0), sigma) * np.float32(2 * np.pi * sigma**2)  # a dot keeps its height
        seen_through *= 1 - np.clip(spread, 0, 1)
    mixed = SPECK_GREY + (picture.astype(np.float32) - SPECK_GREY) * seen_through[..., None]
    rounded: NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
    return rounded


def _checked(strength: float) -> float:
    if not 0 <= strength <= 1:
        raise ValueError(f"strength: expected 0 to 1, received {strength}")
    return strength


def _looked_up(picture: NDArray[np.uint8], light: NDArray[np.float64]) -> NDArray[np.uint8]:
    """``picture`` with each value replaced by ``light`` [256, 3], linear 0..1, clipped as a sensor does."""
    light = np.clip(light, 0, 1)
    srgb = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    table = np.rint(srgb * 255).astype(np.uint8)
    return np.stack([table[:, channel][picture[..., channel]] for channel in range(3)], axis=-1)
