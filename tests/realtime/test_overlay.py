"""Where the model looked, drawn."""

import cv2
import numpy as np
import pytest

from realtime.overlay import colour_map, draw_caption, draw_overlay, upscale


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)


def test_an_empty_map_leaves_the_picture_as_it_is(picture):
    out = draw_overlay(picture, np.zeros((8, 8), np.uint8), 1.0)
    assert np.array_equal(out, picture)
    assert out is not picture


def test_no_opacity_leaves_the_picture_as_it_is(picture):
    assert np.array_equal(draw_overlay(picture, np.full((8, 8), 255, np.uint8), 0.0), picture)


def test_a_full_map_at_full_opacity_is_the_last_colour(picture):
    out = draw_overlay(picture, np.full((8, 8), 255, np.uint8), 1.0)
    assert np.array_equal(np.unique(out.reshape(-1, 3), axis=0), colour_map()[255:256])


def test_the_warm_spot_is_where_the_cell_is(picture):
    cam = np.zeros((8, 8), np.uint8)
    cam[1, 6] = 255  # second row, seventh column
    changed = np.abs(draw_overlay(picture, cam, 1.0).astype(int) - picture).sum(2)
    large = upscale(cam, 90, 160)
    y, x = np.unravel_index(large.argmax(), large.shape)
    assert abs(y - 1.5 / 8 * 90) <= 1
    assert abs(x - 6.5 / 8 * 160) <= 1
    assert changed[45:].sum() == 0  # nothing below the neighbours of that row


def test_a_smooth_map_stays_within_its_values():
    cam = np.zeros((4, 4), np.uint8)
    cam[2, 2] = 255
    large = upscale(cam, 64, 64)
    assert large.min() == 0
    assert large[:8].max() <= 1


def test_the_colours_are_those_of_opencvs_inferno():
    table = colour_map()
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    bgr = cv2.applyColorMap(np.array([[200]], np.uint8), cv2.COLORMAP_INFERNO)[0, 0]
    assert table[200].tolist() == bgr[::-1].tolist()
    lightness = cv2.cvtColor(table[None], cv2.COLOR_RGB2LAB)[0, :, 0].astype(int)
    assert np.all(np.diff(lightness) >= -1)  # brighter is more, also in print


@pytest.mark.parametrize("opacity", [-0.1, 1.1])
def test_opacity_outside_0_to_1_is_refused(picture, opacity):
    with pytest.raises(ValueError, match="opacity"):
        draw_overlay(picture, np.zeros((2, 2), np.uint8), opacity)


@pytest.mark.parametrize("text", ["Octopus 87 %", "Deniz kaplumbağası ığüşöç", "x" * 400, ""])
@pytest.mark.parametrize("shape", [(540, 960, 3), (48, 64, 3), (1, 1, 3)])
def test_a_caption_is_written_on_the_lower_band_of_any_picture(text, shape):
    picture = np.full(shape, 90, np.uint8)
    out = draw_caption(picture, text)
    assert out.shape == shape
    assert np.all(picture == 90)
    assert np.all(out[: shape[0] // 2] == 90) or shape[0] < 60
    if text and shape[0] > 100:
        assert out.max() > 200
