"""The counters of everything, for Prometheus: `GET /metrics` in its text format.

One registry per server and nothing global. Whatever others count already is read when it is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from realtime.live import STATES, LiveStatus
from realtime.parts import PART_STATES
from serving import wire
from serving.station import Station, StationDep

router = APIRouter()


class PlainMetrics(Response):
    """Prometheus' text format; here for the schema's sake."""

    media_type = CONTENT_TYPE_LATEST


def new_registry() -> CollectorRegistry:
    """A registry that tells of this process; the rest is registered by whoever counts it."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


@router.get("/metrics", response_class=PlainMetrics, tags=["status"])
def metrics(station: StationDep) -> Response:
    """Everything that is counted, in Prometheus' text format."""
    return PlainMetrics(generate_latest(station.registry))


class StationCollector(Collector):
    """Reads a station's counters when they are asked for."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._started = datetime.now(UTC).timestamp()

    def collect(self) -> Iterator[Metric]:
        """Everything but the histogram."""
        yield from self._server()
        yield from self._sources()
        yield from self._messages()
        yield from self._recording()
        yield from self._parts()
        yield from self._queues()
        yield from self._refusals()
        yield from self._jobs()

    def _server(self) -> Iterator[Metric]:
        station = self._station
        names = ["version", "model", "provider"]
        info = GaugeMetricFamily("reeflens_build_info", "What is running; always 1.", labels=names)
        info.add_metric([station.version, station.model, station.provider.name], 1)
        yield info
        yield GaugeMetricFamily("reeflens_start_time_seconds", "When the server started, Unix time.", self._started)
        yield GaugeMetricFamily(
            "reeflens_cameras", "Pages that have their own camera classified.", len(station.cameras.connected)
        )

    def _sources(self) -> Iterator[Metric]:
        found = self._station.status()
        for name, text, of in _SOURCE_COUNTERS:
            counter = CounterMetricFamily(f"reeflens_{name}", text, labels=["source"])
            for source, status in found.items():
                counter.add_metric([source], of(status))
            yield counter
        dropped = CounterMetricFamily(
            "reeflens_frames_dropped", "Frames and results overtaken by newer ones.", labels=["source", "cause"]
        )
        state = GaugeMetricFamily(
            "reeflens_source_state", "1 for the state that a source is in.", labels=["source", "state"]
        )
        for source, status in found.items():
            drops = wire.counters(status, self._station.hubs[source].counts.overtaken)["drops"]
            for cause, count in drops.items():
                dropped.add_metric([source, cause], count)
            for each in STATES:
                state.add_metric([source, each], float(status.state == each))
        yield dropped
        yield state
        age = GaugeMetricFamily("reeflens_result_age_seconds", "Since the newest result's capture.", labels=["source"])
        for source, hub in self._station.hubs.items():
            newest = hub.glimpse()
            if newest is not None and newest.result.captured_s is not None:
                age.add_metric([source], max(0.0, time.monotonic() - newest.result.captured_s))
        yield age

    def _messages(self) -> Iterator[Metric]:
        viewers = GaugeMetricFamily("reeflens_viewers", "Who is watching.", labels=["source"])
        for source, hub in self._station.hubs.items():
            viewers.add_metric([source], hub.viewers)
        yield viewers
        for name, text, field in _MESSAGE_COUNTERS:
            counter = CounterMetricFamily(f"reeflens_{name}", text, labels=["source"])
            for source, hub in self._station.hubs.items():
                counter.add_metric([source], getattr(hub.counts, field))
            yield counter

    def _parts(self) -> Iterator[Metric]:
        restarts = CounterMetricFamily("reeflens_restarts", "Times a thread was begun again.", labels=["part"])
        hangs = CounterMetricFamily("reeflens_hangs", "Times a thread hung.", labels=["part"])
        state = GaugeMetricFamily("reeflens_part_state", "1 for the state of a thread.", labels=["part", "state"])
        for name, part in self._station.watchdog.status().items():
            restarts.add_metric([name], part.restarts)
            hangs.add_metric([name], part.hangs)
            for each in PART_STATES:
                state.add_metric([name, each], float(part.state == each))
        yield from (restarts, hangs, state)
        ready = float(not self._station.trouble())
        yield GaugeMetricFamily("reeflens_model_works", "1 unless the model hangs or fails.", ready)

    def _queues(self) -> Iterator[Metric]:
        length = GaugeMetricFamily("reeflens_queue_length", "What waits for a thread.", labels=["queue"])
        for name, count in self._station.waiting().items():
            length.add_metric([name], count)
        yield length

    def _refusals(self) -> Iterator[Metric]:
        refused = CounterMetricFamily("reeflens_refused", "What was refused.", labels=["cause"])
        for cause, count in self._station.refusals.counts().items():
            refused.add_metric([cause], count)
        yield refused

    def _jobs(self) -> Iterator[Metric]:
        ended = CounterMetricFamily("reeflens_jobs", "Jobs of the library that came to an end.", labels=["end"])
        for end, count in self._station.jobs().items():
            ended.add_metric([end], count)
        yield ended

    def _recording(self) -> Iterator[Metric]:
        now = self._station.logbook.recording()
        state = GaugeMetricFamily("reeflens_recording_state", "1 for the state of the recording.", labels=["state"])
        for each in ("off", "on", "retrying"):
            state.add_metric([each], float(now.state == each))
        yield state
        for name in ("rows", "sightings", "stills", "clips", "errors"):
            text = "Times that recording failed." if name == "errors" else f"Recorded {name}."
            yield CounterMetricFamily(f"reeflens_recording_{name}", text, getattr(now, name))
        lost = CounterMetricFamily("reeflens_recording_lost", "What could not be recorded.", labels=["cause"])
        for cause, count in now.lost.items():
            lost.add_metric([cause], count)
        yield lost
        yield GaugeMetricFamily("reeflens_recording_waiting", "Sightings that wait for the disk.", now.waiting)


_SOURCE_COUNTERS: tuple[tuple[str, str, Callable[[LiveStatus], float]], ...] = (
    ("frames_captured", "Frames read.", lambda status: status.captured),
    ("frames_classified", "Frames classified.", lambda status: status.classified),
    ("frames_damaged", "What came and could not be decoded.", lambda status: status.damaged),
    ("source_reconnects", "Times a camera came back by a new connection.", lambda status: status.reconnects),
    ("source_retries", "Times a camera's connection failed or was lost.", lambda status: status.retries),
    ("source_stalls", "Times a camera fell silent.", lambda status: status.stalls),
    ("engine_seconds", "Seconds that the model worked for a source.", lambda status: status.engine_s),
)
_MESSAGE_COUNTERS = (
    ("messages_sent", "Result messages, over all viewers.", "sent"),
    ("messages_skipped", "Results that a viewer never got, as a newer one was there.", "skipped"),
    ("pictures_encoded", "JPEGs made for viewers.", "encoded"),
    ("picture_encode_failures", "JPEGs that could not be made.", "encode_failures"),
)
