from __future__ import annotations

import pytest

from dives.naming import video_name


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("GX010123.MP4", "GX010123.mp4"),
        ("dive 1.final.mov", "dive-1-final.mov"),
        ("a.exe", "a.video"),
        ("CON.mp4", "video.mp4"),
        ("тест.mkv", "video.mkv"),
        ("noname", "noname.video"),
    ],
)
def test_what_is_harmless_of_a_name_is_kept_for_the_tables(name, ours):
    assert video_name(name) == ours
