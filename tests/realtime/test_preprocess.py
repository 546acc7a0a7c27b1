"""The one resize: the same for a photograph in training and a frame of video."""

import threading

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.preprocess import resize_av, resize_rgb, scale_av, upright


def smooth_picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture with the frequencies of a photograph: waves, not noise, since noise does not survive 4:2:0."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    channels = [
        127 + 100 * np.sin(x / width * random.uniform(4, 14) + random.uniform(0, 6)) * np.cos(y / height * 9)
        for _ in range(3)
    ]
    return np.stack(channels, -1).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), size=st.sampled_from([32, 48, 64]))
def test_any_picture_becomes_a_square_within_its_own_range(height, width, size):
    picture = np.random.default_rng(height * 91 + width).integers(40, 200, (height, width, 3), np.uint8)
    out = resize_rgb(picture, size)
    assert out.shape == (size, size, 3)
    assert out.dtype == np.uint8
    assert out.flags.c_contiguous
    assert picture.min() <= out.min()
    assert out.max() <= picture.max()


def test_shrinking_averages_areas():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[::2] = 200  # stripes that a point sampler would turn all black or all bright
    assert np.all(resize_rgb(picture, 32) == 100)


def test_a_picture_that_shrinks_on_one_axis_and_grows_on_the_other_is_averaged_where_it_shrinks():
    picture = np.zeros((128, 8, 3), np.uint8)
    picture[::2] = 200
    assert np.all(resize_rgb(picture, 32) == 100)


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), "u1")]
)
def test_anything_but_uint8_rgb_is_refused(wrong):
    with pytest.raises(ValueError, match="expected uint8"):
        resize_rgb(wrong, 32)


@pytest.mark.parametrize("shape", [(720, 1280), (1080, 608), (360, 640)])
def test_the_short_way_from_video_agrees_with_the_training_resize(shape):
    """Both start from the same decoded YUV; swscale's unscaled conversion alone is off by a level or two."""
    frame = av.VideoFrame.from_ndarray(smooth_picture(*shape), "rgb24").reformat(format="yuv420p")
    short = resize_av(frame, 128).astype(int)
    long = resize_rgb(frame.to_ndarray(format="rgb24"), 128).astype(int)
    assert np.abs(short - long).mean() < 2.0
    assert np.abs(short - long).max() <= 8
    assert np.abs((short - long).mean(axis=(0, 1))).max() < 2.0  # no cast in any channel


@pytest.mark.parametrize("rotation", [0, 90, -90, 180, 270, -180])
def test_upright_turns_counter_clockwise(rotation):
    picture = smooth_picture(6, 10)
    assert np.array_equal(upright(picture, rotation), np.rot90(picture, rotation // 90))


def test_two_threads_may_read_one_frame_at_once_and_get_the_same() -> None:
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, 256, (360, 640, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p")
    together = threading.Barrier(2)
    seen: dict[int, list[np.ndarray]] = {160: [], 320: []}

    def read(width: int) -> None:
        together.wait(10)
        seen[width] = [scale_av(frame, width, width * 9 // 16) for _ in range(50)]

    threads = [threading.Thread(target=read, args=(width,), daemon=True) for width in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "stuck in the scaler"
    for width, pictures in seen.items():
        alone = scale_av(frame, width, width * 9 // 16)
        assert len(pictures) == 50
        assert all(np.array_equal(picture, alone) for picture in pictures)
