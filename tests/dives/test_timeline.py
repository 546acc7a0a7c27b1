from __future__ import annotations

import pytest
from raw_rows import raw
from toy_onnx import toy_contract

from dives.timeline import Timeline, merge_gap, write_results
from realtime.errors import ResultsError


class Recording:
    """Writes down what it is told."""

    name = "recording"

    def __init__(self, fail_at=None):
        self.told = []
        self.fail_at = fail_at

    def begin(self, dive, files):
        self.told.append("begin")
        files.callback(lambda: self.told.append("released"))

    def frame(self, row):
        if row.index == self.fail_at:
            raise ResultsError("the disk is full")
        self.told.append(row.index)

    def finish(self, sightings):
        self.told.append(f"finish with {len(sightings)}")


def rows(labels, interval_s=0.1):
    return [raw(index, index * interval_s, label) for index, label in enumerate(labels)]


def test_every_writer_gets_every_row_in_order_and_then_all_sightings(dive):
    writers = [Recording(), Recording()]
    sightings = write_results(rows([0] * 5), dive(5), writers)
    assert [writer.told for writer in writers] == [["begin", 0, 1, 2, 3, 4, "finish with 1", "released"]] * 2
    assert [(s.label_index, s.frames) for s in sightings] == [(0, 5)]


def test_a_writer_that_fails_finishes_nobody_and_releases_all(dive):
    writers = [Recording(), Recording(fail_at=2)]
    with pytest.raises(ResultsError, match="full"):
        write_results(rows([0] * 5), dive(5), writers)
    assert [writer.told for writer in writers] == [["begin", 0, 1, 2, "released"], ["begin", 0, 1, "released"]]


def test_a_label_is_smoothed_and_joined_to_sightings():
    timeline = Timeline(toy_contract())
    stable = [timeline.step(row).stable.index for row in rows([0] * 20 + [1] + [0] * 20 + [2] * 40)]
    assert stable[:41] == [0] * 41  # one foreign frame does not flicker through
    assert stable[-1] == 2
    assert [s.label_index for s in timeline.finish()] == [0, 2]


def test_samples_far_apart_still_make_one_sighting():
    timeline = Timeline(toy_contract(), merge_gap_s=merge_gap(10.0))
    for row in rows([0] * 6, interval_s=10.0):
        timeline.step(row)
    (sighting,) = timeline.finish()
    assert (sighting.start_s, sighting.end_s, sighting.frames) == (0.0, 50.0, 6)


def test_the_merge_gap_never_falls_below_the_usual_one():
    assert merge_gap(None) == merge_gap(0.5) == 2.0
    assert merge_gap(10.0) == 15.0
