"""serving/metrics.py: what Prometheus reads, as its own parser understands it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from clips import write_clip
from prometheus_client.parser import text_string_to_metric_families
from running import Running, result, running
from sending import send, settled
from websockets.exceptions import InvalidStatus

from serving.attempts import FREE

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(scope="module")
def server(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    clip = write_clip(tmp_path_factory.mktemp("clip") / "dive.mp4")
    sources = {"scene": "scene", "reef": str(clip)}
    with running(toy_model, sources=sources, record=tmp_path_factory.mktemp("rec")) as started:
        started.wait_for("reef", lambda source: source["state"] == "ended")
        yield started


def scrape(server: Running) -> tuple[Samples, dict[str, str]]:
    """Every sample, and the type of every family."""
    answer = server.http.get("metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    samples, types = {}, {}
    for family in text_string_to_metric_families(answer.text):
        types[family.name] = family.type
        assert family.documentation
        for sample in family.samples:
            samples[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return samples, types


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"reeflens_{name}", tuple(sorted(labels.items()))]


def test_what_was_counted_is_told_with_names_and_units_as_prometheus_wants_them(server: Running) -> None:
    samples, types = scrape(server)
    reef = server.status()["sources"]["reef"]  # it has ended: nothing changes any more
    assert value(samples, "frames_captured_total", source="reef") == 30
    assert value(samples, "frames_classified_total", source="reef") == reef["classified"]
    for cause, count in reef["drops"].items():
        assert value(samples, "frames_dropped_total", source="reef", cause=cause) == count
    assert value(samples, "source_state", source="reef", state="ended") == 1
    assert value(samples, "source_state", source="reef", state="live") == 0
    assert value(samples, "engine_seconds_total", source="reef") > 0
    assert value(samples, "frame_age_seconds_count", source="reef") == reef["classified"]
    assert value(samples, "frame_age_seconds_bucket", source="reef", le="+Inf") == reef["classified"]
    assert value(samples, "recording_state", state="on") == 1
    assert value(samples, "recording_rows_total") > 0
    assert value(samples, "recording_lost_total", cause="disk") == 0
    assert value(samples, "start_time_seconds") > 1.7e9
    info = next(dict(labels) for name, labels in samples if name == "reeflens_build_info")
    assert info.keys() == {"version", "model", "provider"}
    assert (info["model"], info["provider"]) == ("toy.onnx", "CPUExecutionProvider")
    for name, kind in types.items():
        assert name.startswith(("reeflens_", "process_"))
        if name.startswith("reeflens_"):
            assert kind in ("counter", "gauge", "histogram"), name


def test_counters_only_rise_while_people_watch(server: Running) -> None:
    before, types = scrape(server)
    with server.watch() as socket:
        for _ in range(10):
            result(socket)
        watching, _ = scrape(server)
    assert value(watching, "viewers", source="scene") == 1
    after, _ = scrape(server)
    counters = {name for name, kind in types.items() if kind in ("counter", "histogram")}
    for key in before:
        if any(key[0].startswith(name) for name in counters):
            assert before[key] <= watching[key] <= after[key], key
    for name in ("messages_sent_total", "pictures_encoded_total", "frames_captured_total", "engine_seconds_total"):
        assert value(after, name, source="scene") > value(before, name, source="scene"), name
    sent = server.status()["sources"]["scene"]["messages"]["sent"]
    assert value(scrape(server)[0], "messages_sent_total", source="scene") == sent


def test_two_servers_in_one_process_count_for_themselves(server: Running, toy_model: Path) -> None:
    with running(toy_model, sources={"other": "scene"}) as second:
        samples, _ = scrape(second)
        assert {dict(labels)["source"] for name, labels in samples if name == "reeflens_viewers"} == {"other"}


def test_every_metric_is_in_the_docs_and_every_one_there_is_told(server: Running) -> None:
    page = (Path(__file__).parents[2] / "docs" / "watching.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`(reeflens_\w+)`", page))
    _, types = scrape(server)
    suffix = {"counter": "_total"}
    ours = {name: kind for name, kind in types.items() if name.startswith("reeflens_")}
    told = {f"{name}{suffix.get(kind, '')}" for name, kind in ours.items() if not name.endswith("_created")}
    assert told == documented


def test_queues_ages_and_restarts_are_told(server: Running) -> None:
    samples, _ = scrape(server)
    for queue in ("logbook", "jpeg", "thumbnail"):
        assert value(samples, "queue_length", queue=queue) >= 0
    for part in ("inference", "event loop", "capture-scene", "capture-reef", "logbook", "jpeg", "thumbnail"):
        assert value(samples, "restarts_total", part=part) == 0
        assert value(samples, "part_state", part=part, state="well") == 1
    assert (
        0 <= value(samples, "result_age_seconds", source="scene") < value(samples, "result_age_seconds", source="reef")
    )
    assert value(samples, "model_works") == 1
    assert value(samples, "source_retries_total", source="scene") == 0


def test_who_is_refused_is_counted_by_cause(toy_model: Path, tmp_path: Path) -> None:
    token = "operate-0123456789"
    bearer = {"authorization": f"Bearer {token}"}
    settings = {"sources": {"scene": "scene"}, "library": tmp_path / "dives", "upload_limit": 10}
    with running(toy_model, token=token, max_viewers=1, **settings) as guarded:
        guarded.http.headers.update(bearer)
        assert set(refused(guarded).values()) == {0}
        guarded.http.get("api/status", headers={"origin": "http://evil.example"})
        guarded.http.post("api/uploads", json={"name": "a.mp4", "size": 11})
        with guarded.watch(additional_headers=bearer) as socket:
            result(socket)
            with pytest.raises(InvalidStatus):
                guarded.watch(additional_headers=bearer)
        assert guarded.http.post("api/session", json={"token": token}).status_code == 200  # a cookie, for later
        del guarded.http.headers["authorization"]
        for _ in range(FREE + 2):
            guarded.http.post("api/session", json={"token": "guess"})
        found = refused(guarded)
    assert found["token"] >= FREE
    assert found.pop("token") + found.pop("guessing") == FREE + 2  # which it is depends on the clock
    assert found == {"foreign": 1, "upload": 1, "viewers": 1, "crowd": 0, "connections": 0}


def refused(server: Running) -> dict[str, float]:
    text = server.http.get("metrics").raise_for_status().text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return {sample.labels["cause"]: sample.value for sample in families["reeflens_refused"].samples}


def test_how_jobs_ended_is_counted(toy_model: Path, tmp_path: Path) -> None:
    with running(toy_model, library=tmp_path / "dives") as server:
        settled(server.http, send(server.http, write_clip(tmp_path / "good.mp4")))
        broken = tmp_path / "broken.mp4"
        broken.write_bytes(b"this is no video" * 100)
        assert settled(server.http, send(server.http, broken))["state"] == "failed"
        samples, _ = scrape(server)
        ends = {dict(of)["end"]: count for (name, of), count in samples.items() if name == "reeflens_jobs_total"}
    assert ends["complete"] >= 1
    assert ends["failed"] == 1
    assert (ends["killed"], ends["cancelled"], ends["retried"]) == (0, 0, 0)
