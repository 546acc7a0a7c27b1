"""dives/clips.py: real clips, encoded and decoded again."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from dives import clips
from dives.clips import OPEN_CLIPS, SourceClips
from realtime.errors import ResultsError

RATE = 10.0


def picture(index: int) -> np.ndarray:
    """uint8 [48, 64, 3]: its brightness tells which one it is."""
    return np.full((48, 64, 3), 20 + 4 * index, np.uint8)


def play(source: SourceClips, indices: range) -> list[Path]:
    return [path for index in indices for path in source.frame(picture(index), index / RATE)]


def decoded(path: Path) -> tuple[list[float], list[int]]:
    """Times and the numbers of the pictures of a clip."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        frames = list(container.decode(stream))
    means = [frame.to_ndarray(format="rgb24").mean() for frame in frames]
    return [frame.time for frame in frames], [round((mean - 20) / 4) for mean in means]


def test_a_clip_holds_what_was_before_the_sighting_and_after_it(tmp_path: Path) -> None:
    source = SourceClips(1.0)
    assert play(source, range(20)) == []
    assert source.begin(tmp_path / "fish.mp4")
    assert play(source, range(20, 30)) == []
    source.end(2.5)
    assert play(source, range(30, 36)) == []
    assert not (tmp_path / "fish.mp4").exists()  # it appears when it is complete
    assert play(source, range(36, 38)) == [tmp_path / "fish.mp4"]
    times, numbers = decoded(tmp_path / "fish.mp4")
    assert numbers == pytest.approx(list(range(9, 36)), abs=1)
    assert times == pytest.approx([index / RATE for index in range(27)], abs=1e-4)
    assert (tmp_path / "fish.mp4").read_bytes().find(b"moov") < 100  # in front: it plays while it loads


def test_clips_overlap_up_to_a_bound(tmp_path: Path) -> None:
    source = SourceClips(1.0)
    play(source, range(3))
    for number in range(OPEN_CLIPS):
        assert source.begin(tmp_path / f"{number}.mp4")
        source.end(0.3)
    assert not source.begin(tmp_path / "more.mp4")
    assert len(play(source, range(3, 20))) == OPEN_CLIPS
    assert source.begin(tmp_path / "more.mp4")
    assert source.finish() == [tmp_path / "more.mp4"]


def test_what_is_kept_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(clips, "KEPT_BYTES", 4000)
    source = SourceClips(60.0)
    play(source, range(40))
    assert source._kept_bytes == sum(len(jpeg) for _, jpeg in source._kept) <= 4000
    assert source.begin(tmp_path / "c.mp4")
    source.finish()
    assert 1 <= len(decoded(tmp_path / "c.mp4")[0]) < 40


def test_a_very_long_sighting_gets_a_clip_that_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(clips, "LONGEST_S", 2.0)
    source = SourceClips(1.0)
    play(source, range(1))
    source.begin(tmp_path / "c.mp4")
    assert play(source, range(1, 40)) == [tmp_path / "c.mp4"]
    source.end(9.0)  # there is none under way any more


def test_a_resolution_that_changes_and_a_clock_that_starts_anew_are_taken(tmp_path: Path) -> None:
    source = SourceClips(1.0)
    play(source, range(3))
    source.begin(tmp_path / "c.mp4")
    source.frame(np.zeros((90, 50, 3), np.uint8), 0.4)
    assert source.frame(picture(0), 0.0) == [tmp_path / "c.mp4"]
    assert len(decoded(tmp_path / "c.mp4")[0]) == 4


def test_a_disk_that_does_not_take_it_leaves_no_piece(tmp_path: Path) -> None:
    source = SourceClips(1.0)
    play(source, range(3))
    with pytest.raises(ResultsError):  # noqa: PT012 - the encoder keeps pictures back, so the disk may be met late
        source.begin(tmp_path / "gone" / "c.mp4")
        source.finish()
    source.begin(tmp_path / "c.mp4")
    source.abandon()
    assert list(tmp_path.iterdir()) == []
    assert play(source, range(3, 9)) == []
