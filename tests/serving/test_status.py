"""serving/status.py: what scripts and container managers are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import cv2
import httpx
import numpy as np
import pytest
from running import Running, result, running, text
from toy_onnx import toy_contract

from realtime.contract import ModelContract
from realtime.live import LiveStatus
from serving.station import Station
from serving.status import Readiness, _readiness


@pytest.fixture(scope="module")
def server(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A live scene, a folder that ends after one picture, and a file that is no video."""
    folder = tmp_path_factory.mktemp("pictures")
    cv2.imwrite(str(folder / "red.png"), np.full((24, 40, 3), (0, 0, 255), np.uint8))
    broken = tmp_path_factory.mktemp("broken") / "dive.mp4"
    broken.write_text("this is no video", encoding="utf-8")
    with running(toy_model, sources={"scene": "scene", "album": str(folder), "dive": str(broken)}) as started:
        yield started


def test_a_live_an_ended_and_a_failed_source_are_told_apart(server: Running) -> None:
    server.wait_for("scene", lambda source: source["state"] == "live")
    ended = server.wait_for("album", lambda source: source["state"] == "ended")
    failed = server.wait_for("dive", lambda source: source["state"] == "failed")
    assert (ended["captured"], ended["classified"], ended["reason"], ended["kind"]) == (1, 1, "", "pictures")
    assert ended["size_hw"] == [24, 40]
    assert "not a video" in failed["reason"]
    before = server.status()["sources"]["scene"]["classified"]
    server.wait_for("scene", lambda source: source["classified"] > before)


def test_the_status_names_model_and_provider(server: Running) -> None:
    status = server.status()
    assert status["model"] == "toy.onnx"
    assert status["provider"] == {"name": "CPUExecutionProvider", "requested": "cpu", "share": 1.0, "note": ""}
    assert status["uptime_s"] > 0
    assert status["library"] is False
    assert list(status["sources"]) == ["scene", "album", "dive"]


def test_viewers_are_counted_while_they_watch(server: Running) -> None:
    with server.watch() as socket:
        text(socket)
        server.wait_for("scene", lambda source: source["viewers"] == 1)
    server.wait_for("scene", lambda source: source["viewers"] == 0)


def test_a_viewer_of_an_ended_source_is_told_and_sees_its_last_picture(server: Running) -> None:
    server.wait_for("album", lambda source: source["state"] == "ended")
    with server.watch("album") as socket:
        assert text(socket)["type"] == "hello"
        status = text(socket)
        assert (status["type"], status["state"], status["reason"]) == ("status", "ended", "")
        message = result(socket)
    assert message.header["top"][0][0] == 0  # red is the toy's first class
    assert message.cam.min() == 255


def test_a_viewer_of_a_failed_source_is_told_why(server: Running) -> None:
    server.wait_for("dive", lambda source: source["state"] == "failed")
    with server.watch("dive") as socket:
        assert text(socket)["type"] == "hello"
        status = text(socket)
    assert status["state"] == "failed"
    assert "not a video" in status["reason"]


def test_sources_are_listed_in_the_order_in_which_they_were_named(server: Running) -> None:
    server.wait_for("album", lambda source: source["state"] == "ended")
    listed = server.http.get("api/sources").json()
    assert [source["name"] for source in listed] == ["scene", "album", "dive"]
    album = {name: listed[1][name] for name in ("name", "kind", "state", "reason", "size")}
    assert album == {"name": "album", "kind": "pictures", "state": "ended", "reason": "", "size": [24, 40]}


def test_a_source_tells_at_a_glance_what_it_shows(server: Running) -> None:
    server.wait_for("album", lambda source: source["state"] == "ended")
    server.wait_for("dive", lambda source: source["state"] == "failed")
    _, album, dive = server.http.get("api/sources").json()
    assert 0.0 < album["probability"] <= 1.0
    assert (album["since_s"], album["thumbnail"]) == (0.0, "api/sources/album/thumbnail.jpg?frame=0")
    assert [dive[name] for name in ("label", "probability", "since_s", "thumbnail")] == [None] * 4


def test_a_thumbnail_is_small_and_costs_no_viewer_and_no_full_picture(server: Running) -> None:
    server.wait_for("scene", lambda source: source["classified"] > 0)
    before = server.status()["sources"]["scene"]["messages"]
    answer = server.http.get(server.http.get("api/sources").json()[0]["thumbnail"])
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("image/jpeg", "no-cache")
    assert max(cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR).shape) == 256
    after = server.status()["sources"]["scene"]
    assert (after["messages"]["encoded"], after["viewers"]) == (before["encoded"], 0)


def test_an_unchanged_thumbnail_is_not_sent_again(server: Running) -> None:
    server.wait_for("album", lambda source: source["state"] == "ended")
    answer = server.http.get("api/sources/album/thumbnail.jpg?frame=0")
    again = server.http.get("api/sources/album/thumbnail.jpg", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize("name", ["dive", "atlantis"])
def test_no_source_and_no_picture_yet_are_404(server: Running, name: str) -> None:
    answer = server.http.get(f"api/sources/{name}/thumbnail.jpg")
    assert answer.status_code == 404
    assert name in answer.json()["detail"]


def test_the_model_is_told_as_its_contract(server: Running) -> None:
    assert ModelContract.from_json(server.http.get("api/model").text) == toy_contract()


def test_health_is_that_the_process_answers(server: Running) -> None:
    answer = server.http.get("healthz")
    assert (answer.status_code, answer.text) == (200, "ok")


def test_ready_is_that_something_can_be_watched(server: Running, toy_model: Path, tmp_path: Path) -> None:
    server.wait_for("album", lambda source: source["state"] == "ended")
    answer = server.http.get("readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reason": ""})
    broken = tmp_path / "dive.mp4"
    broken.write_text("this is no video", encoding="utf-8")
    with running(toy_model, sources={"dive": str(broken)}) as lonely:
        lonely.wait_for("dive", lambda source: source["state"] == "failed")
        refused = lonely.http.get("readyz")
        assert refused.status_code == 503
        assert "dive is failed (" in refused.json()["reason"]


def test_ready_stays_while_the_only_camera_is_tried_again() -> None:
    tried_again = LiveStatus("retrying", "the connection broke", "stream", captured=9, classified=7)
    found = {"cam": LiveStatus("retrying", "the connection is refused")}
    station = cast(Station, SimpleNamespace(status=lambda: found, trouble=lambda: ""))
    assert _readiness(station) == Readiness(ready=False, reason="cam is retrying (the connection is refused)")
    found["cam"] = tried_again
    assert _readiness(station) == Readiness(ready=True, reason="")
    found.clear()
    assert _readiness(station).ready  # a library needs no source


def test_the_schema_describes_every_field_that_is_sent(server: Running) -> None:
    schema = server.http.get("api/openapi.json").json()
    parts = schema["components"]["schemas"]
    status = server.status()
    assert parts["ServerStatus"]["properties"].keys() == status.keys()
    assert parts["SourceStatus"]["properties"].keys() == status["sources"]["scene"].keys()
    assert parts["SourceSummary"]["properties"].keys() == server.http.get("api/sources").json()[0].keys()
    assert parts["ModelContract"]["properties"].keys() == server.http.get("api/model").json().keys()
    assert {"/api/status", "/api/sources", "/api/model", "/healthz", "/readyz"} <= schema["paths"].keys()


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}])
def test_a_foreign_request_is_refused_with_the_reason(server: Running, headers: dict[str, str]) -> None:
    answer = server.http.get("api/status", headers=headers)
    assert answer.status_code == 403
    assert "evil.example" in answer.json()["detail"]
    assert_guarded(answer)


@pytest.mark.parametrize("path", ["", "api/status", "healthz", "nowhere", "assets/nowhere.js"])
def test_every_answer_carries_the_policy(server: Running, path: str) -> None:
    assert_guarded(server.http.get(path))


def assert_guarded(answer: httpx.Response) -> None:
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "server" not in answer.headers
