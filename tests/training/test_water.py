"""Water takes red first, hides what is far, and leaves a picture alone at strength 0."""

from __future__ import annotations

import numpy as np
import pytest

from training.water import blur, colour_cast, haze, specks

ALL = (haze, colour_cast, blur, specks)
STRENGTHS = (1 / 3, 2 / 3, 1.0)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (60, 80, 3), np.uint8)


@pytest.mark.parametrize("change", ALL)
def test_strength_0_is_the_same_picture_and_more_is_farther_from_it(change, picture: np.ndarray) -> None:
    before = picture.copy()
    assert np.array_equal(change(picture, 0), picture)
    distance = [np.abs(change(picture, s).astype(int) - picture).mean() for s in STRENGTHS]
    assert 0 < distance[0] < distance[1] < distance[2]
    changed = change(picture, 1)
    assert changed.dtype == np.uint8
    assert changed.shape == picture.shape
    assert np.array_equal(picture, before), "the picture that came in is left alone"


@pytest.mark.parametrize("change", ALL)
def test_the_smallest_and_the_flattest_pictures_pass(change) -> None:
    for picture in (np.zeros((1, 1, 3), np.uint8), np.full((9, 3, 3), 255, np.uint8)):
        assert change(picture, 1).shape == picture.shape


@pytest.mark.parametrize("change", ALL)
def test_a_strength_outside_0_to_1_is_refused(change, picture: np.ndarray) -> None:
    for strength in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="strength: expected 0 to 1"):
            change(picture, strength)


def test_haze_lowers_contrast_towards_the_colour_of_the_water(picture: np.ndarray) -> None:
    hazy = haze(picture, 1)
    assert (hazy.std(axis=(0, 1)) < 0.5 * picture.std(axis=(0, 1))).all()
    red, _, blue = hazy.mean(axis=(0, 1))
    assert red < blue


def test_red_goes_first_and_the_exposure_stays(picture: np.ndarray) -> None:
    grey = np.full((8, 8, 3), 90, np.uint8)
    for strength in STRENGTHS:
        red, green, blue = colour_cast(grey, strength)[0, 0].astype(int)
        assert red < min(90, blue)
        assert green > 90
    assert colour_cast(grey, 1)[0, 0, 0] < 40


def test_blur_keeps_brightness_and_grows_with_the_picture() -> None:
    dot = np.zeros((101, 101, 3), np.uint8)
    dot[40:61, 40:61] = 200
    soft = blur(dot, 1)
    assert abs(float(soft.mean()) - float(dot.mean())) < 0.5
    doubled = blur(dot.repeat(2, axis=0).repeat(2, axis=1), 1)[::2, ::2]
    assert np.abs(doubled.astype(int) - soft).mean() < 2


def test_specks_are_pale_dots_that_depend_on_the_seed_alone(picture: np.ndarray) -> None:
    black = np.zeros((200, 200, 3), np.uint8)
    snow = specks(black, 1, seed=3)
    assert np.array_equal(snow, specks(black, 1, seed=3))
    assert not np.array_equal(snow, specks(black, 1, seed=4))
    assert 0.005 < (snow > 40).any(axis=2).mean() < 0.3
    assert (snow[..., 0] == snow[..., 2]).all()
