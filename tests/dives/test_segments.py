from __future__ import annotations

import threading

import numpy as np
import pytest
from clips import truncate, write_clip

from dives.segments import ScaledPicture, Segment
from realtime.engine import Engine
from realtime.errors import ResultsError, SourceError
from realtime.pipeline import infer
from realtime.sources import VideoFile


def read(segment):
    with segment:
        return [row for rows in segment for row in rows]


def known(rows):
    return np.array([row.index for row in rows], np.int64), np.array([row.media_s for row in rows])


def same(first, second):
    assert [(a.index, a.media_s, a.size_hw) for a in first] == [(b.index, b.media_s, b.size_hw) for b in second]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.probabilities, b.probabilities)
        np.testing.assert_array_equal(a.cam, b.cam)


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "dive.mp4", frames=30)


def test_every_frame_becomes_one_row_in_order(clip, engine):
    segment = Segment(VideoFile(clip), engine, every_s=None, batch=8)
    rows = read(segment)
    assert [row.index for row in rows] == list(range(30))
    assert (segment.decoded, segment.unsampled) == (30, 0)


def test_rows_are_what_the_pipeline_says_of_these_frames(clip, engine):
    rows = read(Segment(VideoFile(clip), engine, every_s=None, batch=30))
    with VideoFile(clip) as source:
        same(rows, infer(engine, list(source)))


def test_batches_lie_at_fixed_places_whether_or_not_rows_are_known(clip, engine):
    with Segment(VideoFile(clip), engine, every_s=None, batch=8) as segment:
        batches = [[row.index for row in rows] for rows in segment if rows]
    assert [len(batch) for batch in batches] == [8, 8, 8, 6]
    rows = read(Segment(VideoFile(clip), engine, every_s=None, batch=8))
    with Segment(VideoFile(clip), engine, every_s=None, batch=8, known=known(rows[:16])) as segment:
        assert [[row.index for row in rows] for rows in segment if rows] == batches[2:]
    assert segment.decoded == 30


def test_a_known_frame_that_moved_is_refused(clip, engine):
    rows = read(Segment(VideoFile(clip), engine, every_s=None, batch=8))
    index, media_s = known(rows[:8])
    media_s[3] += 0.001
    with pytest.raises(ResultsError, match=r"frame 3 at 0\.120000 s was frame 3 at 0\.121000 s before"):
        read(Segment(VideoFile(clip), engine, every_s=None, batch=8, known=(index, media_s)))


def test_known_frames_that_are_gone_are_refused(clip, engine, tmp_path):
    rows = read(Segment(VideoFile(clip), engine, every_s=None, batch=8))
    shorter = write_clip(tmp_path / "shorter.mp4", frames=20)
    with pytest.raises(ResultsError, match="24 frames were classified before, now only 20 decode"):
        read(Segment(VideoFile(shorter), engine, every_s=None, batch=8, known=known(rows[:24])))


def test_samples_are_chosen_by_time_in_a_video_of_variable_rate(tmp_path, engine):
    pts_ms = [0, 10, 20, 400, 990, 1040, 1990, 2000, 2010, 5000, 5010, 6000]
    clip = write_clip(tmp_path / "phone.mp4", frames=len(pts_ms), pts_ms=pts_ms)
    segment = Segment(VideoFile(clip), engine, every_s=1.0, batch=4)
    assert [row.index for row in read(segment)] == [0, 5, 7, 9, 11]
    assert (segment.decoded, segment.unsampled) == (12, 7)


def test_a_source_that_breaks_gives_all_rows_before_the_break(tmp_path, engine):
    clip = truncate(write_clip(tmp_path / "cut.mkv", frames=60), 0.5)
    rows, segment = [], Segment(VideoFile(clip), engine, every_s=None, batch=8)
    with segment:
        batches = iter(segment)
        with pytest.raises(SourceError, match="breaks off"):
            rows.extend(row for batch in batches for row in batch)
    assert 0 < len(rows) == segment.decoded < 60


def test_the_decoder_waits_for_the_model_so_that_memory_stays_flat(tmp_path, toy_model):
    ahead = []

    class Watching(Engine):
        def run(self, frames, explain=None):
            ahead.append(segment.decoded - 8 * len(ahead))
            return super().run(frames, explain)

    clip = write_clip(tmp_path / "long.mp4", frames=200)
    with Watching.open(toy_model, provider="cpu", threads=1) as engine:
        segment = Segment(VideoFile(clip), engine, every_s=None, batch=8)
        assert len(read(segment)) == 200
    # One batch in the model, two in the queue, one frame in the decoder's hands.
    assert max(ahead) <= 8 + 16 + 1


def test_leaving_early_ends_a_decoder_that_is_blocked(tmp_path, engine):
    clip = write_clip(tmp_path / "long.mp4", frames=200)
    before = set(threading.enumerate())
    with Segment(VideoFile(clip), engine, every_s=None, batch=8) as segment:
        next(iter(segment))
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("every_s", [None, 1000.0])
def test_leaving_at_once_ends_a_decoder_that_has_just_begun(tmp_path, engine, every_s):
    clip = write_clip(tmp_path / "long.mp4", frames=200)
    before = set(threading.enumerate())
    for _ in range(20):
        with Segment(VideoFile(clip), engine, every_s=every_s, batch=8):
            pass
    assert set(threading.enumerate()) == before


def test_a_failure_of_the_model_reaches_the_caller_and_ends_the_decoder(tmp_path, toy_model):
    class Failing(Engine):
        def run(self, frames, explain=None):
            raise RuntimeError("out of memory")

    clip = write_clip(tmp_path / "long.mp4", frames=200)
    before = set(threading.enumerate())
    with Failing.open(toy_model, provider="cpu", threads=1) as engine, pytest.raises(RuntimeError, match="memory"):
        read(Segment(VideoFile(clip), engine, every_s=None, batch=8))
    assert set(threading.enumerate()) == before


@pytest.fixture(scope="module")
def side_by_side(toy_model):
    with Engine.open(toy_model, provider="cpu", threads=3, recorded=True) as opened:
        assert opened.at_once == 3
        yield opened


def test_runs_side_by_side_give_the_same_rows_in_the_same_batches(clip, engine, side_by_side):
    one = Segment(VideoFile(clip), engine, every_s=None, batch=4)
    before = set(threading.enumerate())
    with Segment(VideoFile(clip), side_by_side, every_s=None, batch=4) as segment:
        batches = [rows for rows in segment if rows]
    assert [len(rows) for rows in batches] == [4] * 7 + [2]
    same([row for rows in batches for row in rows], read(one))
    assert set(threading.enumerate()) == before


def test_runs_side_by_side_are_really_under_way_together(clip, toy_model):
    met = threading.Barrier(2)

    class Meeting(Engine):
        def run(self, frames, explain=None):
            met.wait(20)  # the second run ends what the first waits for
            return super().run(frames, explain)

    with Meeting.open(toy_model, provider="cpu", threads=2, recorded=True) as engine:
        assert len(read(Segment(VideoFile(clip), engine, every_s=None, batch=5))) == 30


def test_of_runs_side_by_side_the_rows_before_a_failure_come_first(clip, toy_model):
    """The second run fails while the first is still at work."""
    failed = threading.Event()

    class Failing(Engine):
        def run(self, frames, explain=None):
            if frames[0, 0, 0, 0] < 100:  # not red: the second ten frames
                failed.set()
                raise RuntimeError("out of memory")
            assert failed.wait(20)
            return super().run(frames, explain)

    rows, before = [], set(threading.enumerate())
    with Failing.open(toy_model, provider="cpu", threads=2, recorded=True) as engine:
        segment = Segment(VideoFile(clip), engine, every_s=None, batch=10)
        with segment, pytest.raises(RuntimeError, match="memory"):
            rows.extend(row.index for batch in segment for row in batch)
    assert rows == list(range(10))
    assert set(threading.enumerate()) == before


def test_with_runs_side_by_side_a_source_that_breaks_gives_all_rows_before_the_break(tmp_path, side_by_side):
    clip = truncate(write_clip(tmp_path / "cut.mkv", frames=60), 0.5)
    rows, segment = [], Segment(VideoFile(clip), side_by_side, every_s=None, batch=8)
    with segment, pytest.raises(SourceError, match="breaks off"):
        rows.extend(row.index for batch in segment for row in batch)
    assert rows == list(range(segment.decoded))
    assert rows


def test_any_error_of_the_decoder_is_the_callers(clip, engine):
    class Odd(VideoFile):
        def __iter__(self):
            yield next(super().__iter__())
            raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        read(Segment(Odd(clip), engine, every_s=None, batch=8))


def test_a_scaled_picture_knows_its_original_size_and_nothing_it_no_longer_has():
    picture = ScaledPicture(np.zeros((32, 32, 3), np.uint8), (1080, 1920))
    assert picture.size_hw == (1080, 1920)
    assert picture.model_input(32).shape == (32, 32, 3)
    with pytest.raises(ValueError, match="scaled to 32, asked for 224"):
        picture.model_input(224)
    with pytest.raises(ValueError, match="only the network's input"):
        picture.rgb()
