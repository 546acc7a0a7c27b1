"""How the server, its model and its sources are doing, for people's scripts and for whoever restarts containers."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from realtime.contract import ModelContract
from realtime.live import LiveStatus
from realtime.parts import PartStatus
from serving import wire
from serving.answers import Jpeg, has_it, problem
from serving.hub import Hub, HubCounts
from serving.station import Station, StationDep

State = Literal["connecting", "live", "stalled", "retrying", "ended", "failed", "stopped"]

router = APIRouter(tags=["status"])


class Provider(BaseModel):
    """Where the model really runs. share: of the probe frame's node time, 0..1; note: why not elsewhere."""

    name: str
    requested: str
    share: float
    note: str


class Messages(BaseModel):
    """What went to the viewers of a source since the start; the fields are those of serving.hub.HubCounts."""

    published: int
    overtaken: int
    sent: int
    skipped: int
    encoded: int
    encode_failures: int


class SourceStatus(BaseModel):
    """One source; the fields are those of realtime.live.LiveStatus.

    cause: of its trouble, as one word of realtime.errors.Cause, else empty. dropped: frames overwritten before they
    were classified; drops: the same by cause, "engine" (it was busy) and "capture" (on the way out of the camera's own
    thread), and "delivery": results that a newer one replaced before they could be published. damaged: what could not
    be decoded. reconnects, retries, stalls: of a camera, since the start. restarts: times that its reader died and was
    begun again. rate: results/s over two seconds.
    """

    state: State
    reason: str
    cause: str
    kind: str
    captured: int
    dropped: int
    drops: dict[str, int]
    damaged: int
    reconnects: int
    retries: int
    stalls: int
    restarts: int
    classified: int
    rate: float
    size_hw: tuple[int, int]
    viewers: int
    messages: Messages


class RecordingState(BaseModel):
    """What is written to the disk; the fields are those of serving.recorder.RecordingStatus, without secrets."""

    state: Literal["off", "on", "retrying"]
    reason: str
    rows: int
    sightings: int
    stills: int
    clips: int
    errors: int
    waiting: int
    lost: dict[str, int]


class PartState(BaseModel):
    """A thread that the server cannot do without; the fields are those of realtime.parts.PartStatus."""

    state: Literal["well", "restarting", "hanging"]
    reason: str
    restarts: int
    hangs: int


class ServerStatus(BaseModel):
    """The whole server. model: file name. trouble: why nothing is classified now, else empty. cameras: pages that have
    their own camera classified. library: it has one. parts: the threads it cannot do without, by name.
    """

    version: str
    model: str
    provider: Provider
    uptime_s: float
    trouble: str
    parts: dict[str, PartState]
    cameras: int
    recording: RecordingState
    library: bool
    sources: dict[str, SourceStatus]


class SourceSummary(BaseModel):
    """One source in a list, and what it shows at a glance. size: height and width in pixels, [0, 0] before a frame.

    cause: of a camera's trouble, as one word of realtime.errors.Cause, else empty; ``reason`` is the sentence.
    label: the stable label of the newest result, null for nothing that the model knows. probability: its smoothed
    probability, or that of the most probable one, 0..1; since_s: media time at which it became stable; both null before
    the first result. thumbnail: where to get a small picture, relative to the server's address; changes with the frame,
    null when there is none.
    """

    name: str
    kind: str
    state: State
    cause: str
    reason: str
    size: tuple[int, int]
    label: str | None
    probability: float | None
    since_s: float | None
    thumbnail: str | None


class Readiness(BaseModel):
    """Whether there is something to watch, and if not why."""

    ready: bool
    reason: str


@router.get("/api/status")
async def server_status(station: StationDep, request: Request) -> ServerStatus:
    """Model, provider and every source with its counters."""
    return ServerStatus(
        version=station.version,
        model=station.model,
        provider=Provider.model_validate(asdict(station.provider)),
        uptime_s=time.monotonic() - station.started_s,
        trouble=station.trouble(),
        parts={name: PartState(**_told(part)) for name, part in station.watchdog.status().items()},
        cameras=len(station.cameras.connected),
        recording=RecordingState.model_validate(asdict(station.logbook.recording())),
        library=request.app.state.desk is not None,
        sources={name: _source(status, station.hubs[name]) for name, status in station.status().items()},
    )


@router.get("/api/sources")
async def sources(station: StationDep) -> list[SourceSummary]:
    """What can be watched, in the order in which it was named at start."""
    return [_summary(station, name, status) for name, status in station.status().items()]


@router.get(
    "/api/sources/{source}/thumbnail.jpg",
    response_class=Jpeg,
    responses={
        304: {"description": "It is the one of If-None-Match."},
        404: problem("There is no such source, or no picture of it yet."),
    },
)
async def thumbnail(
    station: StationDep, source: str, if_none_match: Annotated[str, Header(include_in_schema=False)] = ""
) -> Response:
    """The newest picture of a source, at most 256 pixels a side; a new one is made once per second at most."""
    found = await station.thumbnails.get(source) if source in station.hubs else None
    if found is None:
        what = "no picture yet of" if source in station.hubs else "no source"
        raise HTTPException(404, f"there is {what} {source!r}")
    headers = {"cache-control": "no-cache", "etag": found.tag}
    if has_it(if_none_match, found.tag):
        return Response(status_code=304, headers=headers)
    return Jpeg(found.data, headers=headers)


@router.get("/api/model")
async def model(station: StationDep) -> ModelContract:
    """The contract of the model that runs: labels, thresholds, where it comes from."""
    return station.contract


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """The process answers."""
    return "ok"


@router.get("/readyz", responses={503: {"model": Readiness, "description": "There is nothing to watch (yet)."}})
async def readyz(station: StationDep, response: Response) -> Readiness:
    """200 while the model works and at least one source gives, or gave, results; else 503 with the reason."""
    readiness = _readiness(station)
    if not readiness.ready:
        response.status_code = 503
    return readiness


def _readiness(station: Station) -> Readiness:
    if trouble := station.trouble():
        return Readiness(ready=False, reason=trouble)
    found = station.status()
    if not found or any(status.classified for status in found.values()):
        return Readiness(ready=True, reason="")
    return Readiness(ready=False, reason="; ".join(_words(name, status) for name, status in found.items()))


def _told(part: PartStatus) -> dict[str, Any]:
    return {name: getattr(part, name) for name in PartState.model_fields}


def _words(name: str, status: LiveStatus) -> str:
    return f"{name} is {status.state} ({status.reason})" if status.reason else f"{name} is {status.state}"


def _summary(station: Station, name: str, status: LiveStatus) -> SourceSummary:
    glimpse = station.hubs[name].glimpse()
    stable = glimpse.result.stable if glimpse is not None else None
    return SourceSummary(
        name=name,
        kind=status.kind,
        state=_state(status),
        cause=status.cause,
        reason=status.reason,
        size=status.size_hw,
        label=station.contract.labels[stable.index] if stable is not None and stable.index is not None else None,
        probability=stable.probability if stable is not None else None,
        since_s=stable.since_s if stable is not None else None,
        thumbnail=station.thumbnails.address(name),
    )


def _source(status: LiveStatus, hub: Hub) -> SourceStatus:
    return SourceStatus(
        state=_state(status),
        reason=status.reason,
        cause=status.cause,
        kind=status.kind,
        captured=status.captured,
        dropped=status.dropped,
        drops=wire.counters(status, hub.counts.overtaken)["drops"],
        damaged=status.damaged,
        reconnects=status.reconnects,
        retries=status.retries,
        stalls=status.stalls,
        restarts=status.restarts,
        classified=status.classified,
        rate=status.rate,
        size_hw=status.size_hw,
        viewers=hub.viewers,
        messages=_messages(hub.counts),
    )


def _messages(counts: HubCounts) -> Messages:
    return Messages(
        published=counts.published,
        overtaken=counts.overtaken,
        sent=counts.sent,
        skipped=counts.skipped,
        encoded=counts.encoded,
        encode_failures=counts.encode_failures,
    )


def _state(status: LiveStatus) -> State:
    return status.state  # type: ignore[return-value]  # LiveStatus documents these; pydantic checks them
