"""Small pictures for tiles: made when somebody asks, and no more often than anybody looks. No sockets, one event loop.

A page that shows every source at a glance needs no viewer's place for it, no results and no full-size JPEG.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from urllib.parse import quote

import cv2
import numpy as np
from cv2.typing import MatLike

from serving.hub import Glimpse, Hub

log = logging.getLogger(__name__)

THUMBNAIL_MAX_SIDE = 256  # pixels
THUMBNAIL_QUALITY = 75
MIN_AGE_S = 1.0  # one that is younger is served again, whatever came since


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A JPEG and its entity tag. seq: of the result it shows. made_s: monotonic."""

    data: bytes
    tag: str
    seq: int
    made_s: float


def encode_thumbnail(glimpse: Glimpse) -> bytes:
    """A JPEG of at most THUMBNAIL_MAX_SIDE. Takes a millisecond or two: not for the event loop.

    Raises ValueError or cv2.error.
    """
    done, data = cv2.imencode(".jpg", _small(glimpse), [cv2.IMWRITE_JPEG_QUALITY, THUMBNAIL_QUALITY])
    if not done:
        raise ValueError("the JPEG encoder gave nothing")
    return data.tobytes()


def _small(glimpse: Glimpse) -> MatLike:
    """BGR. Where viewers had their JPEG the picture was let go (a 4K frame is 12 MB), and theirs is shrunk."""
    if glimpse.picture is not None:
        return cv2.cvtColor(glimpse.picture.rgb(max_side=THUMBNAIL_MAX_SIDE), cv2.COLOR_RGB2BGR)
    shown = None
    if glimpse.jpeg is not None:
        shown = cv2.imdecode(np.frombuffer(glimpse.jpeg, np.uint8), cv2.IMREAD_COLOR)
    if shown is None:
        raise ValueError("there is no picture of this frame")
    scale = THUMBNAIL_MAX_SIDE / max(shown.shape[:2])
    if scale >= 1.0:
        return shown
    size = (max(1, round(shown.shape[1] * scale)), max(1, round(shown.shape[0] * scale)))
    return cv2.resize(shown, size, interpolation=cv2.INTER_AREA)


class Thumbnails:
    """The newest thumbnail of every source. All methods are called on the event loop.

    executor: where they are made, which is not where the viewers' JPEGs are; one job per source is in it at most.
    """

    def __init__(
        self, hubs: Mapping[str, Hub], executor: Executor, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._hubs = hubs
        self._executor = executor
        self._clock = clock
        self._made: dict[str, Thumbnail] = {}
        self._making: dict[str, asyncio.Task[None]] = {}

    def address(self, source: str) -> str | None:
        """Where to get it, relative to the server's address; changes with the frame. None without a picture."""
        glimpse, made = self._hubs[source].glimpse(), self._made.get(source)
        if glimpse is not None and glimpse.has_picture:
            seq = glimpse.seq
        elif made is not None:
            seq = made.seq
        else:
            return None
        return f"api/sources/{quote(source, safe='')}/thumbnail.jpg?frame={seq}"

    async def get(self, source: str) -> Thumbnail | None:
        """The newest, made now unless the last one is of the same frame or younger than MIN_AGE_S.

        None when there is no picture yet. Safe to cancel: whoever else waits for the same one gets it. Raises KeyError
        when there is no such source.
        """
        glimpse, made = self._hubs[source].glimpse(), self._made.get(source)
        if glimpse is not None and glimpse.has_picture and (made is None or self._is_due(made, glimpse)):
            making = self._making.get(source)
            if making is None:
                making = self._making[source] = asyncio.create_task(self._make(source, glimpse))
            await asyncio.shield(making)
        return self._made.get(source)

    def _is_due(self, made: Thumbnail, glimpse: Glimpse) -> bool:
        return made.seq != glimpse.seq and self._clock() - made.made_s >= MIN_AGE_S

    async def _make(self, source: str, glimpse: Glimpse) -> None:
        begun_s = self._clock()
        try:
            data = await asyncio.get_running_loop().run_in_executor(self._executor, encode_thumbnail, glimpse)
        except (ValueError, cv2.error):
            about = {"source": source}
            log.warning("source %s: no thumbnail can be made of a picture", source, exc_info=True, extra=about)
            return  # the one before is served on
        finally:
            del self._making[source]
        tag = f'"{hashlib.blake2b(data, digest_size=8).hexdigest()}"'  # frame numbers begin anew with the server
        self._made[source] = Thumbnail(data, tag, glimpse.seq, begun_s)
