"""Ways are timed in turns, each in its own process, and one that fails costs its row."""

import os

import pytest
from toy_onnx import write_toy_model

from realtime.stages import STAGES, frames_in, stages_ms, write_scene
from realtime.timing import Timed, Way, take_turns
from realtime.ways import cold_start_s, engine_way


def spin(count):
    def job():
        return sum(range(count))

    return job


def absent():
    import no_such_package

    return no_such_package


def broken():
    raise ValueError("this cannot work\nfor many reasons")


def dying():
    return lambda: os._exit(7)


def test_ways_are_timed_side_by_side_and_one_that_fails_says_why():
    ways = [
        Way("short", spin, (1000,)),
        Way("long", spin, (100_000,)),
        Way("absent", absent),
        Way("broken", broken),
        Way("dying", dying),
    ]
    said: list[str] = []
    short, long, *failed = take_turns(ways, rounds=3, turn_s=0.02, say=said.append)
    assert [len(row.rounds_s) for row in (short, long)] == [3, 3]
    assert all(row.memory_mb > 0 for row in (short, long))
    assert short.times_faster_than(long) > 0
    assert [row.problem for row in failed] == [
        "not installed (no_such_package)",
        "this cannot work",
        "its process ended (exit code 7)",
    ]
    assert said[0] == "starting short"
    assert said[-1] == "round 3 of 3"


def test_ratios_are_of_frames_within_a_round_so_that_a_slow_moment_hits_both():
    """In the second round the machine was ten times slower; a batch of four counts as four frames."""
    ours = Timed(Way("ours", spin, frames=4), ((0.4, 0.4), (4.0,), (0.4, 0.8)))
    theirs = Timed(Way("theirs", spin), ((0.5,), (5.0, 5.0), (0.5,)))
    assert ours.times_faster_than(theirs) == pytest.approx(5.0)
    assert ours.frames_per_s == pytest.approx(10.0)
    assert ours.percentile_ms(50) == pytest.approx(400.0)


def test_the_engine_is_timed_at_several_batches_and_from_a_cold_start(tmp_path):
    model = write_toy_model(tmp_path / "toy.onnx")
    ways = [engine_way(model, "cpu", 1), engine_way(model, "cpu", 4)]
    rows = take_turns(ways, rounds=1, turn_s=0.01)
    assert [row.problem for row in rows] == ["", ""]
    assert [row.way.name for row in rows] == ["toy, 1 at a time", "toy, 4 at a time"]
    assert all(0 < seconds < 60 for seconds in cold_start_s(model, "cpu", times=1))


def test_every_stage_of_a_clip_takes_its_time(tmp_path, toy_model):
    from realtime.engine import Engine

    clip = write_scene(tmp_path / "scene.mp4", 12, (90, 160))
    assert frames_in(clip) == 12
    with Engine.open(toy_model, provider="cpu") as engine:
        spent = stages_ms(clip, engine)
    assert tuple(spent) == STAGES
    assert all(value > 0 for value in spent.values())
