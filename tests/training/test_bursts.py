"""Names that say that pictures were taken in one go are believed; plain numbering is not."""

from __future__ import annotations

from pathlib import Path

from training.bursts import bursts
from training.photographs import PhotoFile


def groups(*names: str, labels: list[int] | None = None) -> list[set[str]]:
    files = [
        PhotoFile(Path("tree"), name, label) for name, label in zip(names, labels or [0] * len(names), strict=True)
    ]
    found: dict[str, set[str]] = {}
    for file, burst in zip(files, bursts(files), strict=True):
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
