from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dives.files import Files, RecordedFile


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=6))
def test_every_frame_is_in_one_file_and_counted_from_its_start(lengths):
    starts = [sum(lengths[:k]) for k in range(len(lengths))]
    files = Files([RecordedFile(Path(f"{k}.mp4"), start) for k, start in enumerate(starts)])
    for k, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        for inside in {0, length // 2, length - 1}:
            file, frame = files.at(start + inside)
            assert (file.path.name, frame) == (f"{k}.mp4", inside)


def test_a_picture_is_frame_0_of_its_file():
    files = Files.pictures([Path("a.jpg"), Path("b.jpg")], 1.0)
    assert [(files.at(k)[0].path.name, files.at(k)[1]) for k in (0, 1)] == [("a.jpg", 0), ("b.jpg", 0)]
    assert files.at(1)[0].first_s == 1.0


@pytest.mark.parametrize("starts", [[], [1], [0, 5, 3]])
def test_files_out_of_order_are_refused(starts):
    with pytest.raises(ValueError, match="in order from frame 0"):
        Files([RecordedFile(Path("x"), start) for start in starts])
