"""The rendered reef is the same on every machine, and something happens in it."""

import numpy as np

from realtime.engine import Engine, bundled_model
from realtime.preprocess import resize_rgb
from realtime.scene import JELLYFISH_S, RATE, ROUND_S, TestScene


def test_frame_k_is_always_the_same_picture():
    first, second = (list(TestScene(size_hw=(90, 160), frames=5)) for _ in range(2))
    assert [frame.media_s for frame in first] == [k / RATE for k in range(5)]
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.picture.rgb(), other.picture.rgb())


def test_the_animals_move_and_the_reef_stays():
    frames = list(TestScene(size_hw=(90, 160), frames=40))
    change = np.abs(frames[0].picture.rgb().astype(int) - frames[-1].picture.rgb()).max(2) > 12
    assert 0.01 < change.mean() < 0.5
    assert not change[88:, 100:].any()  # further left the tentacles reach the ground


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


def test_the_bundled_model_names_the_jellyfish_and_none_of_the_drawn_fish():
    """What a new user sees first: an answer where there is one to give, and none to what the model does not know."""
    every_s = 2.0
    with Engine.open(bundled_model(), provider="cpu") as engine:
        size = engine.contract.input_size
        scene = TestScene(frames=int(ROUND_S * RATE))
        frames = [resize_rgb(frame.picture.rgb(), size) for frame in scene if frame.index % (every_s * RATE) == 0]
        found = engine.run(np.stack(frames))
        thresholds = engine.contract.thresholds
        shown = (found.unknown <= thresholds.unknown) & (found.probabilities.max(axis=1) >= thresholds.show)
        names = [
            engine.contract.labels[i] if s else "" for i, s in zip(found.probabilities.argmax(1), shown, strict=True)
        ]
    risen, gone = int(0.7 * JELLYFISH_S / every_s), int(JELLYFISH_S / every_s)
    assert names[:risen].count("Jelly Fish") >= risen - 1
    assert not any(names[gone:])
