"""The rendered reef is the same on every machine, and something happens in it."""

import numpy as np

from realtime.scene import RATE, TestScene


def test_frame_k_is_always_the_same_picture():
    first, second = (list(TestScene(size_hw=(90, 160), frames=5)) for _ in range(2))
    assert [frame.media_s for frame in first] == [k / RATE for k in range(5)]
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.picture.rgb(), other.picture.rgb())


def test_the_fish_move_and_the_reef_stays():
    frames = list(TestScene(size_hw=(90, 160), frames=40))
    change = np.abs(frames[0].picture.rgb().astype(int) - frames[-1].picture.rgb()).max(2) > 12
    assert 0.01 < change.mean() < 0.5
    assert not change[88:].any()


def test_it_has_no_end_until_it_is_closed():
    scene = TestScene(size_hw=(36, 64))
    count = 0
    for _ in scene:
        count += 1
        if count == 200:
            scene.close()
    assert count == 200
    assert scene.info.frames is None
    assert scene.info.kind == "scene"
