"""serving/bridge.py: from a thread to the loop, the newest only."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from realtime.frames import Frame, FrameResult, StableLabel
from realtime.live import LiveStatus
from realtime.pictures import ArrayPicture
from serving.bridge import Bridge
from serving.hub import Hub

LIVE = LiveStatus("live")


def pair(source: str, index: int) -> tuple[Frame, FrameResult]:
    picture = ArrayPicture(np.zeros((6, 8, 3), np.uint8))
    frame = Frame(source, index, index / 25, picture, captured_s=0.0)
    scores, cam = np.array([0.4, 0.6], np.float32), np.zeros((2, 2), np.uint8)
    stable = StableLabel(None, 0.6, 0.0)
    return frame, FrameResult(source, index, index / 25, None, "", 0.0, (6, 8), scores, 0.4, cam, 1, stable)


def test_a_loop_that_was_held_up_finds_the_newest_result_of_each_source() -> None:
    async def test() -> None:
        with ThreadPoolExecutor(1) as pool:
            hubs = {name: Hub(name, "{}", pool) for name in ("reef", "pier")}
            bridge = Bridge(asyncio.get_running_loop(), hubs)

            def produce() -> None:
                for index in range(100):
                    for name in hubs:
                        bridge.on_result(*pair(name, index), LIVE)
                bridge.on_status("reef", LiveStatus("failed", "the cable broke"))

            thread = threading.Thread(target=produce)
            thread.start()
            thread.join()  # on the loop's own thread: it is held up meanwhile
            assert [hub.counts.published for hub in hubs.values()] == [0, 0]
            await asyncio.sleep(0)
            assert [hub.counts.published for hub in hubs.values()] == [1, 1]
            assert [hub.counts.overtaken for hub in hubs.values()] == [99, 99]
            with hubs["reef"].join() as viewer:
                assert await viewer.next() == "{}"
                assert "the cable broke" in str(await viewer.next())

    asyncio.run(test())


def test_every_result_crosses_while_the_loop_is_free() -> None:
    async def test() -> None:
        with ThreadPoolExecutor(1) as pool:
            hub = Hub("reef", "{}", pool)
            bridge = Bridge(asyncio.get_running_loop(), {"reef": hub})
            for index in range(5):
                await asyncio.to_thread(bridge.on_result, *pair("reef", index), LIVE)
            assert hub.counts.published == 5
            assert hub.counts.overtaken == 0

    asyncio.run(test())


def test_a_thread_that_is_late_after_the_loop_has_closed_is_not_hurt() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    with ThreadPoolExecutor(1) as pool:
        bridge = Bridge(loop, {"reef": Hub("reef", "{}", pool)})
        bridge.on_result(*pair("reef", 0), LIVE)
        bridge.on_status("reef", LiveStatus("stopped"))


def test_a_result_of_a_source_that_is_gone_is_thrown_away() -> None:
    async def test() -> None:
        with ThreadPoolExecutor(1) as pool:
            hubs = {"reef": Hub("reef", "{}", pool)}
            bridge = Bridge(asyncio.get_running_loop(), hubs)
            for name in ("gone", "gone", "reef"):
                bridge.on_result(*pair(name, 0), LIVE)
                bridge.on_status(name, LIVE)
            await asyncio.sleep(0)
            assert hubs["reef"].counts.published == 1

    asyncio.run(test())
