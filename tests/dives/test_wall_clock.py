"""When rows were recorded, by the clock that their recording has now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from clips import write_clip
from raw_rows import raw

from dives.chapters import JoinedVideo
from dives.wall_clock import clock_of, on_the_clock
from realtime.sources import VideoFile

START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def test_rows_of_a_file_are_told_by_its_clock_and_not_by_the_one_that_they_were_kept_under(tmp_path):
    clip = write_clip(tmp_path / "dive.mp4")
    kept = [raw(k, k / 25, 0, utc=True) for k in range(3)]
    with VideoFile(clip, start=START) as opened:
        told = list(on_the_clock(kept, opened))
    assert [row.utc for row in told] == [START + timedelta(seconds=k / 25) for k in range(3)]
    assert {row.utc_source for row in told} == {"start"}
    with VideoFile(clip) as opened:  # has no clock
        assert {(row.utc, row.utc_source) for row in on_the_clock(kept, opened)} == {(None, "")}


def test_a_pause_between_two_files_and_a_gap_that_nobody_can_measure_stay_what_they_are(tmp_path):
    paths = []
    for number, began in ((1, "2026-05-01T09:30:00Z"), (2, "2026-05-01T10:30:00Z"), (4, None)):
        metadata = {"creation_time": began} if began else {}
        paths.append(write_clip(tmp_path / f"GX0{number}0042.MP4", frames=10, rate=10, metadata=metadata))
    with JoinedVideo(paths, start=START) as opened:
        clock = clock_of(opened)
        assert clock(0, 0.0) is None  # nothing is read yet
        opened.was_read([0, 10, 20])
        assert clock(5, 0.5) == START + timedelta(seconds=0.5)
        assert clock(15, 1.5) == START + timedelta(hours=1, seconds=0.5)
        assert clock(25, 2.5) is None
