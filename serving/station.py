"""What the routes share while the server runs: the facts of the loaded model, and the hub of every source."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Self, cast

from fastapi import Depends
from fastapi.requests import HTTPConnection
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from realtime.contract import ModelContract
from realtime.engine import Engine, ProviderReport
from realtime.live import LiveStatus
from serving.camera import Cameras, Runner
from serving.hub import Hub
from serving.later import PLACE_S, Later
from serving.logbook import Logbook
from serving.refusals import Refusals
from serving.thumbnails import Thumbnails
from serving.watchdog import Watchdog


@dataclass(frozen=True, slots=True, eq=False)
class Station:
    """Put on ``app.state.station`` by the lifespan; the routes below it only read.

    engine: the model, and where it runs. status: how every source is doing now, by name. runner: classifies them, and
    the pages' own cameras. trouble: why it classifies nothing now, "" while it can. watchdog: looks after the threads.
    waiting: what is queued for whom. jobs: how many of the library's came to which end. logbook: what was seen on the
    sources. registry: what `GET /metrics` tells. refusals: of whatever was refused. max_viewers: over all sources and
    cameras. max_webcams: pages with a camera of their own. started_s: monotonic.
    """

    version: str
    engine: Engine
    hubs: Mapping[str, Hub]
    thumbnails: Thumbnails
    cameras: Cameras
    runner: Runner
    logbook: Logbook
    registry: CollectorRegistry
    status: Callable[[], Mapping[str, LiveStatus]]
    trouble: Callable[[], str]
    watchdog: Watchdog
    waiting: Callable[[], Mapping[str, int]]
    jobs: Callable[[], Mapping[str, int]]
    max_viewers: int
    max_webcams: int
    refusals: Refusals
    started_s: float = field(default_factory=time.monotonic)

    @property
    def model(self) -> str:
        """The file name of the model."""
        return self.engine.path.name

    @property
    def contract(self) -> ModelContract:
        """What the model promises."""
        return self.engine.contract

    @property
    def provider(self) -> ProviderReport:
        """Where the model runs now; a GPU may be lost in mid-run."""
        return self.engine.provider

    @property
    def viewers(self) -> int:
        """How many are watching, over all sources; a page with its own camera is one."""
        return sum(hub.viewers for hub in self.hubs.values()) + len(self.cameras.connected)

    def no_place(self) -> Later | None:
        """Why no more can watch; None while they can."""
        if self.viewers < self.max_viewers:
            return None
        return Later(503, f"{self.max_viewers} are watching, no more can", PLACE_S)

    async def dismiss_viewers(self, timeout_s: float) -> None:
        """Tells every viewer that the server is going away and waits, at most ``timeout_s``, until they left."""
        leaving: list[Hub | Cameras] = [*self.hubs.values(), self.cameras]
        for group in leaving:
            group.close()
        try:
            async with asyncio.timeout(timeout_s):
                for group in leaving:
                    await group.wait_empty()
        except TimeoutError:
            pass  # one whose connection takes no byte; its socket is closed with the server's


class Places(BaseModel):
    """How many are watching now, over all sources, and how many can."""

    taken: int
    most: int

    @classmethod
    def of(cls, station: Station) -> Self:
        """Now."""
        return cls(taken=station.viewers, most=station.max_viewers)


def _of(connection: HTTPConnection) -> Station:
    return cast(Station, connection.app.state.station)


StationDep = Annotated[Station, Depends(_of)]
