"""Views vary like the sea does, and are the same whenever they are made."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.preprocess import resize_rgb
from training.augment import view


@pytest.fixture
def picture() -> np.ndarray:
    ramp = np.linspace(20, 220, 50).astype(np.uint8)
    return np.stack([np.tile(ramp, (50, 1)), np.tile(ramp[:, None], (1, 50)), np.full((50, 50), 120)], 2).astype(
        np.uint8
    )


def test_view_0_is_the_plain_picture(picture: np.ndarray) -> None:
    assert np.array_equal(view(picture, 40, (1, 2, 0)), resize_rgb(picture, 40))


def test_a_view_depends_on_its_seed_alone(picture: np.ndarray) -> None:
    first = view(picture, 40, (1, 2, 3))
    assert first.shape == (40, 40, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, view(picture, 40, (1, 2, 3)))
    for other in ((0, 2, 3), (1, 0, 3), (1, 2, 1)):
        assert not np.array_equal(first, view(picture, 40, other))


def test_views_are_flipped_about_half_the_time_and_stay_recognisable(picture: np.ndarray) -> None:
    views = np.stack([view(picture, 40, (0, i, 1)) for i in range(200)]).astype(float)
    rises = views[:, :, -1, 0].mean(axis=1) > views[:, :, 0, 0].mean(axis=1)
    assert 70 <= rises.sum() <= 130
    assert (views[:, -1, :, 1].mean(axis=1) > views[:, 0, :, 1].mean(axis=1)).all(), "never upside down"
    brightness = views.mean(axis=(1, 2, 3)) / picture.mean()
    assert 0.6 < brightness.min() < 0.95 < 1.05 < brightness.max() < 1.5
    assert (views.std(axis=(1, 2, 3)) > 10).all()


def test_views_through_water_differ_from_the_dry_ones_as_often_as_asked(picture: np.ndarray) -> None:
    def wet(water: float) -> int:
        dry = [view(picture, 40, (0, i, 1)) for i in range(60)]
        return sum(not np.array_equal(view(picture, 40, (0, i, 1), water), dry[i]) for i in range(60))

    assert wet(0.0) == 0
    assert 15 <= wet(0.5) <= 40
    assert wet(1.0) >= 50, "all but those that met none of the four effects"
    assert np.array_equal(view(picture, 40, (0, 1, 0), 1.0), resize_rgb(picture, 40)), "view 0 stays plain"
    assert np.array_equal(view(picture, 40, (0, 1, 2), 1.0), view(picture, 40, (0, 1, 2), 1.0))


def test_a_view_of_the_picture_at_another_size_shows_the_same_part_in_the_same_light(picture: np.ndarray) -> None:
    large = resize_rgb(picture, 175)
    for which in range(1, 40):
        small, big = view(picture, 40, (0, 1, which)), view(large, 140, (0, 1, which), drawn_for=50)
        difference = np.abs(resize_rgb(big, 40).astype(float) - small)
        assert difference.mean() < 2.5, which
    assert np.array_equal(view(picture, 40, (0, 1, 2), 1.0, 50), view(picture, 40, (0, 1, 2), 1.0)), "at its own size"
