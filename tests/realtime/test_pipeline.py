"""From frame to result, one step at a time."""

import numpy as np
import pytest
from live_sources import frame

from realtime.pipeline import Pipeline, infer


def test_a_batch_gives_each_frame_its_own_result(engine):
    results = infer(engine, [frame(3, 1), frame(4, 2)], explain=[-1, 0])
    assert [r.index for r in results] == [3, 4]
    assert [int(r.probabilities.argmax()) for r in results] == [1, 2]
    assert [r.explained for r in results] == [1, 0]
    assert results[0].cam.dtype == np.uint8
    assert results[0].cam.shape == (2, 2)
    assert results[0].size_hw == (40, 60)
    assert infer(engine, []) == []


def test_one_step_from_frame_to_stable_label(engine):
    pipeline = Pipeline(engine)
    results = [pipeline.step(frame(k, 2)) for k in range(5)]
    assert {r.stable.index for r in results} == {2}
    assert results[-1].media_s == 4 / 25


def test_one_step_gives_a_map_of_every_class_wanted_and_the_label_does_not_depend_on_it(engine):
    plain, asked, only = (
        Pipeline(engine).step(frame(0, 0), explain) for explain in ((-1,), frozenset({2, -1, 0}), [2])
    )
    assert (plain.explained, asked.explained, only.explained) == (0, 0, 2)
    for other in (asked, only):  # to rounding: a matrix product may add up in another order for three rows
        assert np.allclose(plain.probabilities, other.probabilities, rtol=0, atol=1e-6)
        assert other.stable.index == plain.stable.index
    assert sorted(asked.cams) == [-1, 0, 2]
    assert asked.cams[-1].all()
    assert np.array_equal(asked.cams[-1], asked.cams[0])
    assert not asked.cams[2].any()  # nothing in a red picture speaks for blue
    assert not only.cam.any()


@pytest.mark.parametrize("explain", [[], [3], [-2]])
def test_a_class_that_the_model_does_not_have_is_not_explained(engine, explain):
    with pytest.raises(ValueError, match="explain: expected"):
        Pipeline(engine).step(frame(0), explain)
