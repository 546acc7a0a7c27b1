from __future__ import annotations

from dives.progress import Meter, Progress
from realtime.sources import SourceInfo

INFO = SourceInfo(kind="video", size_hw=(48, 64), duration_s=4.0)


def metered(total):
    told, now_s = [], [10.0]
    return Meter(told.append, "classify", INFO, total, clock=lambda: now_s[0]), told, now_s


def test_the_rate_counts_work_and_not_what_was_skipped():
    meter, told, now_s = metered(100)
    now_s[0] = 12.0
    meter.add(0, done=40, media_s=1.6)
    meter.add(8, done=48, media_s=1.9)
    assert told[-1] == Progress("classify", 48, 100, 1.9, 4.0, 4.0)


def test_a_container_that_announced_too_little_never_shows_more_done_than_there_is():
    meter, told, now_s = metered(100)
    now_s[0] = 11.0
    meter.add(8, done=104, media_s=3.9)
    assert (told[-1].done, told[-1].total) == (104, 104)


def test_one_that_announced_too_much_ends_full():
    meter, told, _ = metered(100)
    meter.over(99)
    assert (told[-1].done, told[-1].total) == (99, 99)


def test_what_is_unknown_stays_unknown_until_the_end():
    meter, told, _ = metered(None)
    meter.add(8, done=8, media_s=0.3)
    assert told[-1].total is None
