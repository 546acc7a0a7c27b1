"""Live sources that play what a test tells them, and someone who is told what comes of it."""

import threading
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from realtime.frames import Frame
from realtime.live import LiveRunner
from realtime.pictures import ArrayPicture
from realtime.scene import TestScene
from realtime.sources import SourceInfo

COLOURS = {0: (250, 10, 10), 1: (10, 250, 10), 2: (10, 10, 250)}


def frame(index: int, label: int = 0, source: str = "clip") -> Frame:
    return Frame(source, index, index / 25, ArrayPicture(np.full((40, 60, 3), COLOURS[label], np.uint8)))


class Scripted(TestScene):
    """A source that plays what it is told: frames, an error to raise, or an event to wait for."""

    def __init__(self, name: str, script: Iterator[Frame | Exception | threading.Event]) -> None:
        super().__init__(name=name, size_hw=(8, 8))
        self.info = SourceInfo("scene", (8, 8))
        self._script = script
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        for item in self._script:
            if isinstance(item, Exception):
                raise item
            if isinstance(item, threading.Event):
                while not item.wait(0.01):
                    if self._closed.is_set():
                        return
            elif self._closed.is_set():
                return
            else:
                yield item

    def close(self) -> None:
        self._closed.set()


class Collector:
    """Receives results and states, and lets a test wait for what it expects."""

    def __init__(self) -> None:
        self.results = defaultdict(list)
        self.states = defaultdict(list)
        self.changed = threading.Condition()

    def on_result(self, frame, result, status):
        with self.changed:
            self.results[result.source].append(result)
            self.changed.notify_all()

    def on_status(self, name, status):
        with self.changed:
            self.states[name].append(status.state)
            self.changed.notify_all()

    def wait(self, condition, timeout=30):
        with self.changed:
            assert self.changed.wait_for(condition, timeout)


def runner_of(engine, collector, **scripts) -> LiveRunner:
    openers = {name: lambda n=name, s=script: Scripted(n, iter(s)) for name, script in scripts.items()}
    return LiveRunner(engine, openers, collector.on_result, collector.on_status)


def endless(name):
    k = 0
    while True:
        yield frame(k, source=name)
        k += 1


def scripted(name, script):
    return lambda: Scripted(name, iter(script))


class Torn(ArrayPicture):
    """A picture that cannot be scaled."""

    def model_input(self, size):
        raise ValueError("a torn picture")


def torn(index):
    return Frame("clip", index, index / 25, Torn(np.zeros((40, 60, 3), np.uint8)))


def look(runner):
    for part in runner.parts():
        part.look()
