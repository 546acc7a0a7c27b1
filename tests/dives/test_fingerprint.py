from __future__ import annotations

import pytest

from dives.fingerprint import END_BYTES, fingerprint
from realtime.errors import SourceError


def test_a_copy_under_another_name_is_the_same_recording(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"reef" * 100)
    (tmp_path / "b.mp4").write_bytes(b"reef" * 100)
    assert fingerprint(tmp_path / "a.mp4") == fingerprint(tmp_path / "b.mp4")


@pytest.mark.parametrize("place", [0, END_BYTES - 1, 2 * END_BYTES, 3 * END_BYTES - 1])
def test_a_byte_changed_at_either_end_is_another_recording(tmp_path, place):
    path, content = tmp_path / "a.mp4", bytearray(3 * END_BYTES)
    path.write_bytes(content)
    before = fingerprint(path)
    content[place] = 1
    path.write_bytes(content)
    assert fingerprint(path) != before


def test_a_recording_that_grew_is_another_one(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(3 * END_BYTES))
    before = fingerprint(path)
    path.write_bytes(bytes(3 * END_BYTES + 1))
    assert fingerprint(path) != before


def test_a_picture_more_makes_another_folder_and_a_note_beside_them_does_not(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"1")
    before = fingerprint(tmp_path)
    (tmp_path / "notes.txt").write_text("windy")
    (tmp_path / "._a.jpg").write_bytes(b"a desktop's")
    assert fingerprint(tmp_path) == before
    (tmp_path / "b.JPG").write_bytes(b"2")
    assert fingerprint(tmp_path) != before


def test_a_file_that_is_gone_is_a_source_error(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        fingerprint(tmp_path / "gone.mp4")
