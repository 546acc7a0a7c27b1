"""serving/thumbnails.py: many tiles, few pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from seen import seen

from realtime.frames import Picture
from realtime.live import LiveStatus
from realtime.pictures import ArrayPicture
from serving import wire
from serving.hub import Hub
from serving.thumbnails import Thumbnails


class CountedPicture(ArrayPicture):
    """A real picture that knows how often it was converted."""

    def __init__(self, size_hw: tuple[int, int] = (1080, 1920), *, broken: bool = False) -> None:
        super().__init__(np.random.default_rng(5).integers(0, 255, (*size_hw, 3), np.uint8))
        self.times, self._broken = 0, broken

    def rgb(self, max_side: int | None = None) -> np.ndarray:
        self.times += 1
        if self._broken:
            raise ValueError("this one is broken")
        return super().rgb(max_side)


class Tiles:
    """A hub, its thumbnails and a clock to turn."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self.now_s = 100.0
        self.hub = Hub("reef", '{"type":"hello"}', executor, clock=lambda: self.now_s)
        self.thumbnails = Thumbnails({"reef": self.hub, "bay 2": self.hub}, executor, clock=lambda: self.now_s)

    def publish(self, index: int, picture: Picture) -> None:
        frame, result = seen(index, 0)
        frame = type(frame)(frame.source, index, frame.media_s, picture, captured_s=self.now_s)
        self.hub.publish(frame, result, LiveStatus("live"))


@pytest.fixture
def tiles() -> Iterator[Tiles]:
    with ThreadPoolExecutor(1) as executor:
        yield Tiles(executor)


def size(data: bytes) -> tuple[int, ...]:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2]


def test_there_is_none_before_the_first_frame(tiles: Tiles) -> None:
    assert asyncio.run(tiles.thumbnails.get("reef")) is None
    assert tiles.thumbnails.address("reef") is None
    with pytest.raises(KeyError):
        asyncio.run(tiles.thumbnails.get("atlantis"))


def test_however_many_ask_a_frame_is_converted_once(tiles: Tiles) -> None:
    picture = CountedPicture()
    tiles.publish(0, picture)

    async def ask() -> list[object]:
        return await asyncio.gather(*(tiles.thumbnails.get("reef") for _ in range(9)))

    first, *others = asyncio.run(ask())
    assert picture.times == 1
    assert all(other is first for other in others)
    assert size(first.data) == (144, 256)  # type: ignore[attr-defined]


def test_nobody_asks_nothing_is_made(tiles: Tiles) -> None:
    picture = CountedPicture()
    tiles.publish(0, picture)
    assert tiles.thumbnails.address("bay 2") == "api/sources/bay%202/thumbnail.jpg?frame=0"
    assert picture.times == 0


def test_within_a_second_the_last_one_is_served(tiles: Tiles) -> None:
    first, second = CountedPicture((300, 400)), CountedPicture((400, 300))
    tiles.publish(0, first)
    shown = asyncio.run(tiles.thumbnails.get("reef"))
    tiles.publish(1, second)
    tiles.now_s += 0.9
    assert asyncio.run(tiles.thumbnails.get("reef")) is shown
    assert tiles.thumbnails.address("reef") == "api/sources/reef/thumbnail.jpg?frame=1"
    tiles.now_s += 0.2
    newer = asyncio.run(tiles.thumbnails.get("reef"))
    assert newer is not None
    assert shown is not None
    assert (size(newer.data), newer.seq) == ((256, 192), 1)
    assert newer.tag != shown.tag


def test_a_frame_whose_picture_went_to_viewers_is_shrunk_from_their_jpeg(tiles: Tiles) -> None:
    picture = CountedPicture()

    async def watch() -> bytes:
        with tiles.hub.join() as viewer:
            await viewer.next(), await viewer.next()
            tiles.publish(0, picture)
            assert wire.decode_result(await viewer.next()).jpeg  # type: ignore[arg-type]
        glimpse = tiles.hub.glimpse()
        assert glimpse is not None
        assert glimpse.picture is None, "12 MB are kept"
        made = await tiles.thumbnails.get("reef")
        assert made is not None
        return made.data

    assert size(asyncio.run(watch())) == (144, 256)
    assert picture.times == 1


def test_a_small_picture_is_not_enlarged(tiles: Tiles) -> None:
    tiles.publish(0, CountedPicture((24, 40)))
    made = asyncio.run(tiles.thumbnails.get("reef"))
    assert made is not None
    assert size(made.data) == (24, 40)


def test_a_picture_that_cannot_be_shown_leaves_the_one_before(tiles: Tiles) -> None:
    tiles.publish(0, CountedPicture())
    shown = asyncio.run(tiles.thumbnails.get("reef"))
    tiles.now_s += 2.0
    tiles.publish(1, CountedPicture(broken=True))
    assert asyncio.run(tiles.thumbnails.get("reef")) is shown


def test_one_who_gives_up_takes_nothing_from_the_others(tiles: Tiles) -> None:
    tiles.publish(0, CountedPicture())

    async def ask() -> object:
        patient = asyncio.create_task(tiles.thumbnails.get("reef"))
        hasty = asyncio.create_task(tiles.thumbnails.get("reef"))
        await asyncio.sleep(0)
        hasty.cancel()
        return await patient

    assert asyncio.run(ask()) is not None
