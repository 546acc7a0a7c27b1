"""serving/lean.py: what is sent, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import httpx
import pytest
from clips import write_clip
from running import WAIT_S, Running, running


@pytest.fixture(scope="module")
def server(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    clip = write_clip(tmp_path_factory.mktemp("clip") / "dive.mp4", frames=60)
    folder = tmp_path_factory.mktemp("rec")
    with running(toy_model, sources={"reef": str(clip)}, record=folder, clips_s=0.1) as started:
        started.wait_for("reef", lambda source: source["state"] == "ended")
        deadline_s = monotonic() + WAIT_S
        while not any(item["clip"] for item in sightings(started)):
            assert monotonic() < deadline_s
        yield started


def sightings(server: Running) -> list[dict[str, object]]:
    answer: list[dict[str, object]] = server.http.get("api/sightings").raise_for_status().json()
    return answer


def ask(server: Running, path: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.http.get(path, headers={"accept-encoding": "identity"} | named)


def test_long_json_is_compressed_where_that_is_taken(server: Running) -> None:
    plain, small = ask(server, "api/openapi.json"), ask(server, "api/openapi.json", accept_encoding="gzip")
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) < len(plain.content) / 4
    assert small.json() == plain.json()
    assert "accept-encoding" in small.headers["vary"]
    assert small.headers["etag"] != plain.headers["etag"]
    assert "content-encoding" not in ask(server, "api/openapi.json", accept_encoding="gzip;q=0").headers


def test_short_json_and_pictures_and_videos_are_not_compressed(server: Running) -> None:
    item = next(item for item in sightings(server) if item["clip"])
    for path in ("readyz", "api/sources", str(item["still"]), str(item["clip"])):
        answer = ask(server, path, accept_encoding="gzip")
        assert answer.status_code == 200
        assert "content-encoding" not in answer.headers


def test_a_list_that_did_not_change_is_not_sent_again(server: Running) -> None:
    for encoding in ("identity", "gzip"):
        first = ask(server, "api/sightings", accept_encoding=encoding)
        again = ask(server, "api/sightings", accept_encoding=encoding, if_none_match=first.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["x-content-type-options"] == "nosniff"
        other = ask(server, "api/sightings?limit=1", accept_encoding=encoding, if_none_match=first.headers["etag"])
        assert other.status_code == 200


def test_head_is_answered_as_get_is_without_a_body(server: Running) -> None:
    item = next(item for item in sightings(server) if item["clip"])
    paths = ["", "api/status", "api/sources", "api/sources/reef/thumbnail.jpg", "api/model", "api/sightings"]
    for path in [*paths, str(item["still"]), str(item["clip"]), "metrics", "healthz", "readyz"]:
        head = server.http.head(path, headers={"accept-encoding": "identity"})
        get = ask(server, path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert head.headers["content-type"] == get.headers["content-type"]
    assert server.http.head("api/sources/atlantis/thumbnail.jpg").status_code == 404
    assert server.http.get("healthz").text == "ok"  # over the same connection
