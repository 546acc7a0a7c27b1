"""Frames that cannot be classified cost themselves, and say so where there is nothing else."""

import threading
import time
from itertools import chain

import numpy as np
from live_sources import frame, runner_of, scripted, torn
from toy_onnx import write_fragile_model

from realtime.engine import Engine
from realtime.frames import Frame
from realtime.live import MAX_IN_A_ROW
from realtime.pictures import ArrayPicture


def one_by_one(collector, frames, missed):
    """Hands on a frame when the one before was classified, or counted as damaged."""
    for number, item in enumerate(frames):
        yield item
        while len(collector.results["clip"]) + missed() < number + 1:
            time.sleep(0.001)


def test_a_frame_that_cannot_be_classified_counts_as_damaged_and_the_source_goes_on(engine, collector, caplog):
    forever = threading.Event()
    spoilt = [torn(index) if index % 3 else frame(index) for index in range(3 * MAX_IN_A_ROW)]
    script = chain(one_by_one(collector, spoilt, lambda: runner.status()["clip"].damaged), [forever])
    runner = runner_of(engine, collector, clip=script)
    runner.start()
    collector.wait(lambda: len(collector.results["clip"]) == MAX_IN_A_ROW)
    while runner.status()["clip"].damaged < 2 * MAX_IN_A_ROW:
        time.sleep(0.001)
    assert runner.status()["clip"].state == "live"
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "source clip: a frame cannot be classified and counts as damaged"
    ]
    assert runner.stop()


def test_a_source_none_of_whose_frames_can_be_classified_says_why_and_goes_on_with_the_next_that_can(engine, collector):
    go_on, forever = threading.Event(), threading.Event()
    spoilt = one_by_one(collector, map(torn, range(MAX_IN_A_ROW)), lambda: runner.status()["clip"].damaged)
    runner = runner_of(engine, collector, clip=chain(spoilt, [go_on, frame(MAX_IN_A_ROW), forever]))
    runner.start()
    collector.wait(lambda: "stalled" in collector.states["clip"])
    status = runner.status()["clip"]
    assert (status.reason, status.cause, status.damaged) == ("a torn picture", "engine", MAX_IN_A_ROW)
    go_on.set()
    collector.wait(lambda: collector.states["clip"][-1] == "live")
    assert runner.stop()


def white(index):
    return Frame("clip", index, index / 25, ArrayPicture(np.full((40, 60, 3), 255, np.uint8)))


def test_a_model_that_fails_on_some_frames_is_said_in_a_sentence_and_goes_on_with_others(tmp_path, collector, caplog):
    go_on, forever = threading.Event(), threading.Event()
    spoilt = one_by_one(collector, map(white, range(MAX_IN_A_ROW)), lambda: runner.status()["clip"].damaged)
    with Engine.open(write_fragile_model(tmp_path / "fragile.onnx"), provider="cpu") as fragile:
        runner = runner_of(fragile, collector, clip=chain(spoilt, [go_on, frame(MAX_IN_A_ROW), forever]))
        runner.start()
        collector.wait(lambda: "stalled" in collector.states["clip"])
        status = runner.status()["clip"]
        assert status.reason.startswith("fragile.onnx fails on a frame (")
        assert (status.cause, status.damaged) == ("engine", MAX_IN_A_ROW)
        assert runner.trouble().startswith("the model fails: fragile.onnx fails on a frame (")
        go_on.set()
        collector.wait(lambda: collector.states["clip"][-1] == "live")
        assert runner.stop()
    told = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [record.exc_info for record in told] == [None, None]  # a sentence each: of the first frame, of the source


def test_an_attached_source_none_of_whose_frames_can_be_classified_fails_with_the_reason(engine, collector):
    spoilt = one_by_one(collector, map(torn, range(MAX_IN_A_ROW)), lambda: runner.status()["clip"].damaged)
    runner = runner_of(engine, collector)
    runner.attach("clip", scripted("clip", spoilt))
    runner.start()
    collector.wait(lambda: "failed" in collector.states["clip"])
    status = runner.status()["clip"]
    assert (status.reason, status.damaged) == ("a torn picture", MAX_IN_A_ROW)
    assert runner.stop()
