"""serving/camera.py: how each picture of a page's camera is answered, without a socket or a thread."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection

import cv2
import numpy as np
import pytest

from realtime.frames import Frame, FrameResult, StableLabel
from realtime.live import LiveStatus
from realtime.pictures import ArrayPicture
from realtime.sources import Source
from serving import wire
from serving.camera import Camera, CameraClosed, Cameras

JPEG = cv2.imencode(".jpg", np.zeros((6, 8, 3), np.uint8))[1].tobytes()


class Runner:
    """Remembers what it was told; the tests bring the results."""

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self.explained: list[frozenset[int]] = []

    def attach(self, name: str, open_source: Callable[[], Source], group: str) -> None:
        self.sources[name] = open_source()

    def detach(self, name: str, timeout: float) -> None:
        assert timeout == 0.0  # it is called on the event loop
        del self.sources[name]

    def explain(self, name: str, classes: Collection[int]) -> None:
        assert name in self.sources
        self.explained.append(frozenset(classes))


def frame(seq: int, t: float = 0.0) -> wire.CameraFrame:
    return wire.CameraFrame(seq, t, JPEG, (6, 8))


def classified(camera: Camera, index: int, cams: dict[int, int] | None = None) -> None:
    """The result of the index-th picture; cams: class -> value of its map."""
    maps = {label: np.full((2, 2), value, np.uint8) for label, value in (cams or {-1: 9}).items()}
    picture = Frame(camera.name, index, 0.0, ArrayPicture(np.zeros((6, 8, 3), np.uint8)))
    scores, first = np.array([0.3, 0.7], np.float32), next(iter(maps))
    stable = StableLabel(1, 0.7, 0.0)
    found = FrameResult(
        camera.name, index, 0.0, None, "", 0.0, (6, 8), scores, 0.3, maps[first], max(first, 1), stable, maps
    )
    camera.publish(picture, found, LiveStatus("live"))


async def told(camera: Camera) -> dict[str, object]:
    """The next message: a text, or a result's header with its map's value as "map"."""
    async with asyncio.timeout(5):
        message = await camera.next()
    if isinstance(message, str):
        text: dict[str, object] = json.loads(message)
        return text
    decoded = wire.decode_result(message)
    return {**decoded.header, "map": int(decoded.cam[0, 0])}


def test_a_result_answers_what_it_overtook_first() -> None:
    async def test() -> None:
        with Cameras('{"type":"hello"}').join(Runner()) as camera:
            assert await told(camera) == {"type": "hello"}
            camera.handle(frame(4, 100.0))
            camera.handle(frame(6, 133.0))
            classified(camera, 1)
            assert await told(camera) == {"type": "skipped", "seq": 4}
            header = await told(camera)
            assert (header["seq"], header["t"], header["captured"], header["dropped"]) == (6, 133.0, 2, 1)

    asyncio.run(test())


def test_an_answer_that_is_not_sent_yet_gives_no_credit_back() -> None:
    async def test() -> None:
        with Cameras("{}").join(Runner()) as camera:
            for seq in (0, 1):
                camera.handle(frame(seq))
                classified(camera, seq)  # classified, but the page reads nothing
            with pytest.raises(wire.WireError, match="seq: 2 came before"):
                camera.handle(frame(2))
            await told(camera)
            await told(camera)
            camera.handle(frame(2))

    asyncio.run(test())


def test_the_map_of_a_chosen_class_follows_when_it_comes() -> None:
    async def test() -> None:
        runner = Runner()
        with Cameras("{}").join(runner) as camera:
            await told(camera)
            camera.handle(frame(0))
            camera.handle(wire.Explain(0))
            camera.handle(wire.Explain(0))
            assert runner.explained == [frozenset({0})]
            classified(camera, 0)  # classified before the runner knew
            header = await told(camera)
            assert (header["explained"], header["map"]) == (1, 9)
            camera.handle(frame(1))
            classified(camera, 1, {0: 40})
            header = await told(camera)
            assert (header["explained"], header["map"]) == (0, 40)

    asyncio.run(test())


def test_that_it_is_live_is_said_and_what_failed_ends_it() -> None:
    async def test() -> None:
        with Cameras("{}").join(Runner()) as camera:
            await told(camera)
            camera.set_status(LiveStatus("connecting"))
            camera.set_status(LiveStatus("live"))
            status = await told(camera)
            assert (status["type"], status["state"], status["reason"]) == ("status", "live", "")
            camera.set_status(LiveStatus("failed", "the GPU is gone"))
            with pytest.raises(CameraClosed) as end:
                await camera.next()
            assert (end.value.code, end.value.reason) == (1011, "the GPU is gone")

    asyncio.run(test())


def test_it_is_known_while_connected_and_forgotten_afterwards() -> None:
    async def test() -> None:
        cameras, runner = Cameras("{}"), Runner()
        with cameras.join(runner) as first, cameras.join(runner) as second:
            assert {*cameras.connected} == {*runner.sources} == {first.name, second.name}
        assert not cameras.connected
        assert not runner.sources
        async with asyncio.timeout(5):
            await cameras.wait_empty()

    asyncio.run(test())


def test_closing_ends_those_that_are_there_and_those_that_come() -> None:
    async def test() -> None:
        cameras, runner = Cameras("{}"), Runner()
        with cameras.join(runner) as early:
            await told(early)
            waiting = asyncio.create_task(early.next())
            await asyncio.sleep(0)
            cameras.close()
            with cameras.join(runner) as late:
                await told(late)
                for end in (waiting, late.next()):
                    with pytest.raises(CameraClosed, match="going away"):
                        await end

    asyncio.run(test())
