from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from realtime.pictures import VideoPicture, pixel_aspect
from realtime.sources import VideoFile


def anamorphic(path: Path, aspect: Fraction, *, rotation: int = 0) -> Path:
    """Stored 64 wide and 48 high; white on the left half."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[:, :32] = 255
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("aspect", "rotation", "size_hw"),
    [
        (Fraction(1), 0, (48, 64)),
        (Fraction(4, 3), 0, (48, 85)),
        (Fraction(8, 9), 0, (54, 64)),
        (Fraction(4, 3), 90, (85, 48)),
    ],
)
def test_people_see_square_pixels(tmp_path, aspect, rotation, size_hw):
    with VideoFile(anamorphic(tmp_path / "tape.mp4", aspect, rotation=rotation)) as source:
        picture = next(iter(source)).picture
    assert source.info.size_hw == picture.size_hw == picture.rgb().shape[:2] == size_hw
    small = picture.rgb(32)
    assert max(small.shape[:2]) == 32
    assert small.shape[0] / small.shape[1] == pytest.approx(size_hw[0] / size_hw[1], rel=0.05)


def test_the_models_input_is_the_whole_picture_whatever_the_shape_of_its_pixels(tmp_path):
    inputs = []
    for aspect in (Fraction(1), Fraction(4, 3)):
        with VideoFile(anamorphic(tmp_path / f"{aspect.numerator}.mp4", aspect)) as source:
            inputs.append(next(iter(source)).picture.model_input(32))
    assert np.array_equal(*inputs)
    assert (inputs[0][:, :12] > 240).all()
    assert (inputs[0][:, 20:] < 15).all()


def test_an_aspect_that_nobody_films_in_is_not_believed():
    class Stream:
        sample_aspect_ratio: Fraction | None

    for said, believed in (
        (None, 1),
        (Fraction(0), 1),
        (Fraction(30000), 1),
        (Fraction(1, 30000), 1),
        (Fraction(2), 2),
    ):
        stream = Stream()
        stream.sample_aspect_ratio = said
        assert pixel_aspect(stream) == believed
    assert VideoPicture(av.VideoFrame(8, 6, "yuv420p")).size_hw == (6, 8)
