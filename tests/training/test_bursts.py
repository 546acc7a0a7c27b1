"""Names that say that pictures were taken in one go are believed; plain numbering is not."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from training.bursts import bursts
from training.photographs import PhotoFile
from training.taken import Taken, taken


def groups(*names: str, labels: list[int] | None = None, taken: tuple[Taken | None, ...] = ()) -> list[set[str]]:
    files = [
        PhotoFile(Path("tree"), name, label) for name, label in zip(names, labels or [0] * len(names), strict=True)
    ]
    found: dict[str, set[str]] = {}
    for file, burst in zip(files, bursts(files, taken), strict=True):
        if burst:
            found.setdefault(burst, set()).add(file.path)
    return list(found.values())


def test_running_numbers_of_a_photo_site_chain_within_a_class_across_folders() -> None:
    a, b, c = "x/10004815975_14842bfd9d_o.jpg", "y/10004830000_0000000000_b.jpg", "x/10004845000_aaaaaaaaaa_o.jpg"
    far = "x/10005815975_14842bfd9d_o.jpg"
    assert groups(a, b, c, far) == [{a, b, c}]
    assert groups(a, b, labels=[0, 1]) == []


def test_times_in_names_chain_within_a_minute() -> None:
    a, b, c = "PXL_20260501_093012.jpg", "PXL_20260501_093112_2.jpg", "PXL_20260501_093213.jpg"
    assert groups(a, b, c) == [{a, b}]
    assert groups("20269901_093012.jpg", "20269901_093013.jpg") == [], "no such month"


def test_a_cameras_counter_chains_within_a_folder() -> None:
    assert groups("a/IMG_0410.jpg", "a/IMG_0412.jpg", "a/IMG_0420.jpg", "b/IMG_0413.jpg") == [
        {"a/IMG_0410.jpg", "a/IMG_0412.jpg"}
    ]
    assert groups("DSC01234.jpg", "DSC01235.jpg", "DSCN1236.jpg") == [{"DSC01234.jpg", "DSC01235.jpg"}]


def test_frames_of_one_video_are_one_burst_however_far_apart() -> None:
    assert groups("reef_frame_000001.jpg", "reef_frame_009000.jpg", "wreck_frame_000001.jpg") == [
        {"reef_frame_000001.jpg", "reef_frame_009000.jpg"}
    ]


def test_plain_numbering_says_nothing() -> None:
    assert groups("fish (1).jpg", "fish (2).jpg", "0001.jpg", "0002.jpg", "crab_17.png", "crab_18.png") == []


def test_pictures_of_one_camera_chain_within_a_minute_whatever_they_are_called() -> None:
    first, second, third, other = Taken("A", 0.0), Taken("A", 60.0), Taken("A", 121.0), Taken("B", 30.0)
    assert groups("x.jpg", "y.jpg", "z.jpg", "w.jpg", "v.jpg", taken=(first, second, third, other, None)) == [
        {"x.jpg", "y.jpg"}
    ]
    assert groups("x.jpg", "y.jpg", labels=[0, 1], taken=(first, second)) == []


def test_bursts_that_share_a_picture_are_one() -> None:
    a, b, c = "IMG_0410.jpg", "IMG_0412.jpg", "IMG_0900.jpg"
    assert groups(a, b, c, taken=(None, Taken("A", 0.0), Taken("A", 5.0))) == [{a, b, c}]


@pytest.mark.parametrize(
    ("said", "second"),
    [("2026:05:01 09:30:12", 1_777_627_812.0), ("0000:00:00 00:00:00", None), ("yesterday", None), (None, None)],
)
def test_the_time_is_that_of_the_shutter_and_an_impossible_one_is_none(said: str | None, second: float | None) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0132] = "OLYMPUS ", "TG-6", "2026:06:01 00:00:00"
    if said is not None:
        exif.get_ifd(0x8769)[0x9003] = said
    file = io.BytesIO()
    Image.new("RGB", (32, 32)).save(file, "JPEG", exif=exif)
    found = taken(file.getvalue())
    assert found == (None if second is None else Taken("OLYMPUS TG-6", second))
    assert taken(b"no picture") is None
