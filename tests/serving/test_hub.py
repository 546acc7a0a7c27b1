"""serving/hub.py: several viewers of one source, some of them mean, none of them with a socket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

import cv2
import numpy as np
import pytest

from realtime.frames import Frame, FrameResult, Picture, StableLabel
from realtime.live import LiveStatus
from realtime.pictures import ArrayPicture
from serving import wire
from serving.hub import MAX_IN_FLIGHT, MAX_PONGS, PICTURE_MAX_SIDE, SHARED_S, STALLED_S, Hub, HubClosed, Viewer

T = TypeVar("T")
STATUS = LiveStatus("live", kind="scene", captured=40, dropped=3, classified=37, rate=21.4, size_hw=(6, 8))


class SlowPicture(ArrayPicture):
    """A real picture whose conversion takes as long as the test wants."""

    def __init__(self) -> None:
        super().__init__(np.full((6, 8, 3), 200, np.uint8))
        self.started, self.go_on = threading.Event(), threading.Event()

    def rgb(self, max_side: int | None = None) -> np.ndarray:
        self.started.set()
        assert self.go_on.wait(10)
        return super().rgb(max_side)


class BrokenPicture(ArrayPicture):
    """A picture that cannot be converted."""

    def __init__(self) -> None:
        super().__init__(np.zeros((6, 8, 3), np.uint8))

    def rgb(self, max_side: int | None = None) -> np.ndarray:
        raise ValueError("this one is broken")


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def hub(executor: ThreadPoolExecutor) -> Hub:
    return Hub("reef", '{"type":"hello"}', executor, clock=lambda: 100.0)


def publish(hub: Hub, index: int, picture: Picture | None = None, captured_s: float | None = 99.75) -> None:
    shown = picture if picture is not None else ArrayPicture(np.full((6, 8, 3), index % 256, np.uint8))
    frame = Frame("reef", index, index / 25, shown, captured_s=captured_s)
    scores = np.array([0.2, 0.7, 0.1], np.float32)
    cam = np.full((2, 2), index % 256, np.uint8)
    stable = StableLabel(1, 0.7, 0.0)
    result = FrameResult("reef", index, index / 25, None, "", captured_s, shown.size_hw, scores, 0.3, cam, 1, stable)
    hub.publish(frame, result, STATUS)


@asynccontextmanager
async def watching(hub: Hub) -> AsyncIterator[Viewer]:
    """A viewer past its hello and its first status."""
    with hub.join() as viewer:
        assert json.loads(await soon(viewer.next()))["type"] == "hello"
        assert json.loads(await soon(viewer.next()))["type"] == "status"
        yield viewer


async def soon(waiting: Awaitable[T]) -> T:
    return await asyncio.wait_for(waiting, 10)


async def result_for(viewer: Viewer, *, ack: bool = True) -> wire.ResultMessage:
    message = await soon(viewer.next())
    assert isinstance(message, bytes)
    decoded = wire.decode_result(message)
    if ack:
        viewer.handle(wire.Ack(decoded.header["seq"]))
    return decoded


def decode_jpeg(jpeg: bytes) -> np.ndarray:
    """uint8 [H, W, 3] BGR."""
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)  # type: ignore[return-value]


async def nothing_for(viewer: Viewer) -> None:
    """Nothing comes, even after everything that was under way has settled."""
    waiting = asyncio.ensure_future(viewer.next())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))  # type: ignore[arg-type]


def test_a_viewer_gets_hello_then_status_then_results_in_order(hub: Hub) -> None:
    async def test() -> None:
        with hub.join() as viewer:
            hub.set_status(STATUS)
            publish(hub, 0)
            assert await soon(viewer.next()) == '{"type":"hello"}'
            assert json.loads(str(await soon(viewer.next())))["type"] == "status"
            state = json.loads(str(await soon(viewer.next())))
            assert (state["type"], state["state"], state["captured"]) == ("status", "live", 40)
            for index in range(5):
                if index:
                    publish(hub, index)
                message = await result_for(viewer)
                assert (message.header["seq"], message.header["frame"]) == (index, index)
                assert message.cam.tolist() == [[index, index], [index, index]]

    run(test)


def test_a_header_tells_size_age_and_the_counters_of_the_source(hub: Hub) -> None:
    async def test() -> None:
        publish(hub, 0, ArrayPicture(np.zeros((1000, 3 * PICTURE_MAX_SIDE, 3), np.uint8)))
        async with watching(hub) as viewer:
            header = (message := await result_for(viewer)).header
        assert header["age_ms"] == 250.0
        assert header["size"] == [1000, 3 * PICTURE_MAX_SIDE]
        assert header["jpeg"] == [333, PICTURE_MAX_SIDE]
        assert (header["rate"], header["captured"], header["dropped"]) == (21.4, 40, 3)
        assert message.jpeg is not None
        assert cv2.imdecode(np.frombuffer(message.jpeg, np.uint8), cv2.IMREAD_COLOR).shape[:2] == (
            333,
            PICTURE_MAX_SIDE,
        )

    run(test)


def test_the_jpeg_keeps_red_red_and_blue_blue(hub: Hub) -> None:
    async def test() -> None:
        publish(hub, 0, ArrayPicture(np.full((16, 16, 3), (250, 20, 10), np.uint8)))
        async with watching(hub) as viewer:
            jpeg = (await result_for(viewer)).jpeg
        assert jpeg is not None
        blue, green, red = decode_jpeg(jpeg)[8, 8]
        assert red > 230
        assert green < 40
        assert blue < 40

    run(test)


def test_a_frame_without_a_capture_time_ages_from_its_publication(hub: Hub) -> None:
    async def test() -> None:
        publish(hub, 0, captured_s=None)
        async with watching(hub) as viewer:
            assert (await result_for(viewer)).header["age_ms"] == 0.0

    run(test)


def test_every_viewer_gets_the_same_results_and_each_picture_is_encoded_once(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as first, watching(hub) as second, watching(hub) as third:
            for index in range(6):
                publish(hub, index)
                messages = await asyncio.gather(*(result_for(viewer) for viewer in (first, second, third)))
                assert [message.header["seq"] for message in messages] == [index] * 3
                assert len({message.jpeg for message in messages}) == 1
        assert hub.counts.encoded == 6
        assert hub.counts.sent == 18
        assert hub.counts.skipped == 0

    run(test)


def test_who_takes_a_result_at_the_same_moment_and_wants_the_same_gets_the_same_bytes(
    executor: ThreadPoolExecutor,
) -> None:
    async def test() -> None:
        now_s = [100.0]
        hub = Hub("reef", '{"type":"hello"}', executor, clock=lambda: now_s[0])
        async with (
            watching(hub) as first,
            watching(hub) as second,
            watching(hub) as plain,
            watching(hub) as other,
            watching(hub) as late,
        ):
            plain.handle(wire.Want(False))
            other.handle(wire.Explain(0))
            publish(hub, 0, captured_s=99.75)
            taken = [await soon(viewer.next()) for viewer in (first, second, plain, other)]
            now_s[0] += 2 * SHARED_S
            taken.append(await soon(late.next()))
        assert taken[0] is taken[1]
        assert len({id(message) for message in taken}) == 4
        headers = [wire.decode_result(bytes(message)).header for message in taken]  # type: ignore[arg-type]
        assert [header["jpeg"] for header in headers] == [[6, 8], [6, 8], None, [6, 8], [6, 8]]
        assert [header["age_ms"] for header in headers] == [250.0, 250.0, 250.0, 250.0, 260.0]

    run(test)


def test_nothing_is_encoded_while_nobody_watches(hub: Hub) -> None:
    async def test() -> None:
        for index in range(50):
            publish(hub, index)
            await asyncio.sleep(0)
        assert hub.counts.published == 50
        assert hub.counts.encoded == 0
        async with watching(hub) as viewer:
            assert (await result_for(viewer)).header["seq"] == 49
        assert hub.counts.encoded == 1

    run(test)


def test_nothing_is_encoded_for_viewers_that_want_no_picture(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as viewer:
            viewer.handle(wire.Want(False))
            for index in range(3):
                publish(hub, index)
                message = await result_for(viewer)
                assert message.jpeg is None
                assert message.header["jpeg"] is None
                assert message.header["size"] == [6, 8]
            assert hub.counts.encoded == 0
            viewer.handle(wire.Want(True))
            publish(hub, 3)
            assert (await result_for(viewer)).jpeg is not None

    run(test)


def test_a_viewer_that_changes_its_mind_while_a_picture_is_made_gets_none(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as viewer:
            publish(hub, 0, slow := SlowPicture())
            waiting = asyncio.ensure_future(viewer.next())
            await asyncio.to_thread(slow.started.wait, 10)
            viewer.handle(wire.Want(False))
            message = wire.decode_result(await soon(waiting))
            assert message.jpeg is None
            slow.go_on.set()
            await nothing_for(viewer)

    run(test)


def test_a_viewer_that_never_acknowledges_gets_two_and_the_others_notice_nothing(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as mean, watching(hub) as good:
            got = 0
            for index in range(30):
                publish(hub, index)
                assert (await result_for(good)).header["seq"] == index
                if got < MAX_IN_FLIGHT:
                    assert (await result_for(mean, ack=False)).header["seq"] == index
                    got += 1
            await nothing_for(mean)
            assert hub.counts.encoded == 30
            mean.handle(wire.Ack(1))
            assert (await result_for(mean)).header["seq"] == 29  # the newest, not the 28 it missed
            assert hub.counts.skipped == 27

    run(test)


def test_a_hidden_viewer_costs_no_encoding_and_comes_back_to_the_newest_picture(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as hidden:
            for index in range(MAX_IN_FLIGHT):
                publish(hub, index)
                await result_for(hidden, ack=False)
            waiting = asyncio.ensure_future(hidden.next())
            for index in range(MAX_IN_FLIGHT, 20):
                publish(hub, index)
                await asyncio.sleep(0)
            assert hub.counts.encoded == MAX_IN_FLIGHT
            hidden.handle(wire.Ack(1))
            message = wire.decode_result(await soon(waiting))
            assert message.header["seq"] == 19
            assert message.jpeg is not None
            assert hub.counts.encoded == MAX_IN_FLIGHT + 1

    run(test)


def test_one_acknowledgement_covers_what_was_sent_before_it(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as viewer:
            for index in range(2):
                publish(hub, index)
                await result_for(viewer, ack=False)
            viewer.handle(wire.Ack(1))
            for index in range(2, 4):
                publish(hub, index)
                await result_for(viewer, ack=False)
            viewer.handle(wire.Ack(0))  # said again: nothing new is covered
            publish(hub, 4)
            await nothing_for(viewer)

    run(test)


def test_an_acknowledgement_of_what_was_never_sent_is_refused(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as viewer:
            publish(hub, 0)
            with pytest.raises(wire.WireError, match="seq: 0 was never sent"):
                viewer.handle(wire.Ack(0))
            await result_for(viewer)
            with pytest.raises(wire.WireError, match="seq: 1 was never sent"):
                viewer.handle(wire.Ack(1))

    run(test)


def test_where_encoding_is_slower_than_the_camera_pictures_still_come(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as viewer:
            slow = [SlowPicture() for _ in range(6)]
            publish(hub, 0, slow[0])
            for index in (0, 2, 4):
                waiting = asyncio.ensure_future(viewer.next())
                await asyncio.to_thread(slow[index].started.wait, 10)
                for newer in (index + 1, index + 2):  # always something newer before the last one is ready
                    publish(hub, newer, slow[newer] if newer < 6 else None)
                slow[index].go_on.set()
                message = wire.decode_result(await soon(waiting))
                assert message.header["seq"] == index
                assert message.jpeg is not None
                viewer.handle(wire.Ack(index))
            assert not slow[1].started.is_set()  # overtaken before its turn
            assert not slow[3].started.is_set()

    run(test)


def test_a_viewer_that_joins_while_a_picture_is_made_waits_for_that_one(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as first, watching(hub) as second:
            publish(hub, 0, slow := SlowPicture())
            waiting = [asyncio.ensure_future(first.next())]
            await asyncio.to_thread(slow.started.wait, 10)
            waiting.append(asyncio.ensure_future(second.next()))
            await asyncio.sleep(0)
            slow.go_on.set()
            both = [wire.decode_result(message) for message in await soon(asyncio.gather(*waiting))]
            assert [message.header["seq"] for message in both] == [0, 0]
            assert hub.counts.encoded == 1

    run(test)


def test_who_was_handed_a_picture_while_it_took_a_text_gets_a_newer_one_that_is_ready(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as slow_reader, watching(hub) as other:
            publish(hub, 0, slow := SlowPicture())
            waiting = asyncio.ensure_future(slow_reader.next())
            await asyncio.to_thread(slow.started.wait, 10)
            slow_reader.handle(wire.Ping(1.0))
            assert json.loads(str(await soon(waiting)))["type"] == "pong"
            first = asyncio.ensure_future(result_for(other))
            await asyncio.sleep(0)
            slow.go_on.set()
            assert (await soon(first)).header["seq"] == 0
            publish(hub, 1)
            assert (await result_for(other)).header["seq"] == 1
            assert (await result_for(slow_reader)).header["seq"] == 1

    run(test)


def test_a_viewer_that_joins_after_a_newer_result_is_not_given_the_older_one_in_the_making(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as first:
            publish(hub, 0, slow := SlowPicture())
            waiting = asyncio.ensure_future(first.next())
            await asyncio.to_thread(slow.started.wait, 10)
            publish(hub, 1)
            async with watching(hub) as late:
                asking = asyncio.ensure_future(late.next())
                await asyncio.sleep(0)
                slow.go_on.set()
                assert wire.decode_result(await soon(waiting)).header["seq"] == 0
                assert wire.decode_result(await soon(asking)).header["seq"] == 1
            assert hub.counts.skipped == 0

    run(test)


def test_a_picture_that_cannot_be_encoded_is_left_out_and_counted(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with watching(hub) as viewer:
            for index in range(3):
                publish(hub, index, BrokenPicture())
                message = await result_for(viewer)
                assert message.jpeg is None
                assert message.cam.tolist() == [[index, index], [index, index]]
        assert hub.counts.encode_failures == 3
        assert hub.counts.encoded == 0

    run(test)
    assert len(caplog.records) == 1  # on the first, not on every frame


def test_every_change_of_state_is_told_once_and_before_results(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as viewer:
            publish(hub, 0)
            hub.set_status(LiveStatus("failed", "the file breaks off"))
            hub.set_status(LiveStatus("failed", "the file breaks off"))
            text = await soon(viewer.next())
            told = json.loads(str(text))
            assert (told["state"], told["reason"]) == ("failed", "the file breaks off")
            assert (await result_for(viewer)).header["seq"] == 0
            await nothing_for(viewer)

    run(test)


def test_who_joins_after_the_end_gets_the_state_and_the_last_picture(hub: Hub) -> None:
    async def test() -> None:
        publish(hub, 7)
        hub.set_status(LiveStatus("ended"))
        with hub.join() as viewer:
            await soon(viewer.next())
            assert json.loads(str(await soon(viewer.next())))["state"] == "ended"
            assert (await result_for(viewer)).header["frame"] == 7

    run(test)


def test_a_ping_is_answered_even_with_nothing_acknowledged(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as viewer:
            for index in range(MAX_IN_FLIGHT):
                publish(hub, index)
                await result_for(viewer, ack=False)
            viewer.handle(wire.Ping(4.5))
            assert await soon(viewer.next()) == '{"type":"pong","t":4.5}'

    run(test)


def test_a_viewer_that_pings_faster_than_it_reads_loses_the_oldest_pongs(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as viewer:
            for t in range(1000):
                viewer.handle(wire.Ping(t))
            pongs = [json.loads(str(await soon(viewer.next())))["t"] for _ in range(MAX_PONGS)]
            assert pongs == list(range(1000 - MAX_PONGS, 1000))
            await nothing_for(viewer)

    run(test)


def test_closing_frees_viewers_that_wait_and_those_that_ask_later(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as viewer:
            waiting = asyncio.ensure_future(viewer.next())
            await asyncio.sleep(0)
            hub.close()
            with pytest.raises(HubClosed):
                await soon(waiting)
            with pytest.raises(HubClosed):
                await soon(viewer.next())
            assert hub.viewers == 1
        await soon(hub.wait_empty())
        assert hub.viewers == 0

    run(test)


def explained(hub: Hub, index: int, classes: tuple[int, ...]) -> None:
    """Publishes a result with a map of every class, filled with the class's number plus one; the best is class 1."""
    picture = ArrayPicture(np.zeros((6, 8, 3), np.uint8))
    frame = Frame("reef", index, index / 25, picture, captured_s=99.75)
    cams = {choice: np.full((2, 2), choice + 1, np.uint8) for choice in classes}
    best = 1 if classes[0] < 0 else classes[0]
    scores, stable = np.array([0.2, 0.7, 0.1, 0.0], np.float32), StableLabel(1, 0.7, 0.0)
    result = FrameResult(
        "reef", index, index / 25, None, "", 99.75, (6, 8), scores, 0.3, cams[classes[0]], best, stable, cams
    )
    hub.publish(frame, result, STATUS)


def test_each_viewer_gets_the_map_it_asked_for_and_they_share_one_jpeg(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as first, watching(hub) as second, watching(hub) as third:
            second.handle(wire.Explain(0))
            third.handle(wire.Explain(2))
            explained(hub, 0, (-1, 0, 2))
            messages = await asyncio.gather(*(result_for(viewer) for viewer in (first, second, third)))
        assert [message.header["explained"] for message in messages] == [1, 0, 2]
        assert [int(message.cam[0, 0]) for message in messages] == [0, 1, 3]
        assert len({message.jpeg for message in messages}) == 1
        assert hub.counts.encoded == 1

    run(test)


def test_until_a_map_of_the_new_choice_comes_the_former_one_does_under_its_own_name(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as viewer:
            viewer.handle(wire.Explain(2))
            explained(hub, 0, (-1,))  # classified before the model was told
            assert (await result_for(viewer)).header["explained"] == 1
            explained(hub, 1, (2,))
            assert (await result_for(viewer)).header["explained"] == 2
            viewer.handle(wire.Explain(0))
            explained(hub, 2, (-1, 2))
            assert (await result_for(viewer)).header["explained"] == 2
            viewer.handle(wire.Explain(-1))
            explained(hub, 3, (0,))
            message = await result_for(viewer)
            assert (message.header["explained"], int(message.cam[0, 0])) == (0, 1)

    run(test)


def test_the_model_is_asked_for_what_the_viewers_want_and_for_the_most_probable_when_nobody_watches(hub: Hub) -> None:
    wanted: list[set[int]] = []
    hub.on_wanted = lambda classes: wanted.append(set(classes))

    async def test() -> None:
        async with watching(hub) as first:
            first.handle(wire.Explain(2))
            first.handle(wire.Explain(2))
            async with watching(hub) as second:
                second.handle(wire.Explain(0))
                first.handle(wire.Explain(-1))
        assert wanted == [{2}, {-1, 2}, {0, 2}, {-1, 0}, {-1}]

    run(test)


def test_one_class_too_many_is_refused_to_who_asked_and_changes_nothing(hub: Hub) -> None:
    async def test() -> None:
        async with watching(hub) as first, watching(hub) as second, watching(hub) as third:
            first.handle(wire.Explain(0))
            second.handle(wire.Explain(2))
            third.handle(wire.Explain(3))
            refused = json.loads(str(await soon(third.next())))
            assert (refused["type"], refused["explain"]) == ("notice", -1)
            assert "2 classes" in refused["text"]
            explained(hub, 0, (-1, 0, 2))
            messages = await asyncio.gather(*(result_for(viewer) for viewer in (first, second, third)))
            assert [message.header["explained"] for message in messages] == [0, 2, 1]
            third.handle(wire.Explain(2))  # one that is made already costs nothing
            second.handle(wire.Explain(3))
            assert json.loads(str(await soon(second.next())))["explain"] == 2
            first.handle(wire.Explain(-1))  # and room that is given up can be taken
            second.handle(wire.Explain(3))
            await nothing_for(second)

    run(test)


def test_a_viewer_that_takes_nothing_keeps_its_choice_but_costs_no_inference(executor: ThreadPoolExecutor) -> None:
    async def test() -> None:
        now_s, wanted = [100.0], []
        hub = Hub("reef", '{"type":"hello"}', executor, clock=lambda: now_s[0])
        hub.on_wanted = lambda classes: wanted.append(set(classes))
        async with watching(hub) as hidden, watching(hub) as seen:
            hidden.handle(wire.Explain(2))
            for index in range(MAX_IN_FLIGHT + 1):
                explained(hub, index, (-1, 2))
                await result_for(seen)
                if index < MAX_IN_FLIGHT:
                    await result_for(hidden, ack=False)
            assert wanted[-1] == {-1, 2}
            now_s[0] += STALLED_S + 1
            explained(hub, 5, (-1, 2))
            assert wanted[-1] == {-1}
            hidden.handle(wire.Ack(MAX_IN_FLIGHT - 1))
            assert wanted[-1] == {-1, 2}

    run(test)
