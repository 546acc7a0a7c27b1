from __future__ import annotations

import pytest
from clips import write_clip, write_noise
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import SourceError
from realtime.mpegts import torn
from realtime.sources import VideoFile


def packets(size: int, prefix: int, count: int) -> bytes:
    one = bytes(prefix) + b"\x47" + bytes(range(1, size - prefix))
    return one[:size] * count


@given(st.sampled_from([(188, 0), (192, 4), (204, 0)]), st.integers(3, 9), st.integers(0, 187))
def test_a_packet_that_has_begun_is_torn_and_a_whole_one_is_not(tmp_path_factory, kind, count, rest):
    size, prefix = kind
    path = tmp_path_factory.mktemp("ts") / "dive.ts"
    path.write_bytes(packets(size, prefix, count) + packets(size, prefix, 1)[:rest])
    assert torn(path) == (rest > 0)


def test_what_is_no_transport_stream_or_has_something_else_behind_it_is_not_torn(tmp_path):
    path = tmp_path / "dive.ts"
    for data in (b"", b"\x47", b"RIFF" * 500, packets(188, 0, 9) + b"padding"):
        path.write_bytes(data)
        assert not torn(path)
    assert not torn(write_clip(tmp_path / "dive.mp4"))


def test_a_transport_stream_that_was_cut_says_so_after_its_last_frame(tmp_path):
    path = write_noise(tmp_path / "dive.ts", frames=60)
    whole = path.read_bytes()
    with VideoFile(path) as source:
        assert len(list(source)) == 60
    path.write_bytes(whole[: len(whole) // 2 // 188 * 188 + 50])
    with VideoFile(path) as source:
        frames = iter(source)
        got = [next(frames) for _ in range(20)]
        with pytest.raises(SourceError, match=r"breaks off in the middle of a frame, at \d\.\d s, after \d+ frames"):
            got += frames
    assert got
