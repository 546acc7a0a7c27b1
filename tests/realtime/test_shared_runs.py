"""Frames of several cameras in one run of the model."""

import threading
import time

import pytest
from live_sources import COLOURS, frame, scripted, torn

from realtime.engine import Engine
from realtime.live import LiveRunner


class Counting:
    """An engine that notes how many frames each run takes, and refuses batches when told."""

    def __init__(self, engine: Engine, *, alone: bool = False) -> None:
        self._engine, self._alone = engine, alone
        self.sizes: list[int] = []

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def run(self, frames, explain=None):
        self.sizes.append(len(frames))
        if self._alone and len(frames) > 1:
            raise RuntimeError("out of memory")
        return self._engine.run(frames, explain)


@pytest.mark.parametrize("alone", [False, True])
def test_frames_of_several_cameras_share_a_run_and_each_gets_its_own_answer(engine, collector, alone):
    """The same answers, too, when the batch fails and each is run by itself."""
    counting = Counting(engine, alone=alone)
    forever = threading.Event()
    names = {f"cam {label}": label for label in COLOURS}
    sources = {name: scripted(name, [frame(0, label, name), forever]) for name, label in names.items()}
    runner = LiveRunner(counting, sources, collector.on_result, collector.on_status, together=3, gather_s=30.0)
    runner.start()
    collector.wait(lambda: len(collector.results) == 3)
    assert runner.stop()
    assert counting.sizes == ([3, 1, 1, 1] if alone else [3])
    assert {name: int(collector.results[name][0].probabilities.argmax()) for name in names} == names
    assert all(status.engine_s > 0 for status in runner.status().values())


def test_a_frame_waits_for_others_no_longer_than_it_may_and_a_torn_one_is_its_own_camera_s(engine, collector):
    forever = threading.Event()
    sources = {
        "silent": scripted("silent", [forever]),
        "good": scripted("good", [frame(0, 1, "good"), forever]),
        "clip": scripted("clip", [torn(0), forever]),
    }
    runner = LiveRunner(engine, sources, collector.on_result, collector.on_status, together=3, gather_s=0.05)
    runner.start()
    collector.wait(lambda: collector.results["good"])
    while not runner.status()["clip"].damaged:
        time.sleep(0.001)
    assert runner.stop()
    assert list(collector.results) == ["good"]
