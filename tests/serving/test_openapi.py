"""The schema is true: every route in it answers as it says, with nothing more and nothing less."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
from clips import write_clip
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from running import WAIT_S, Running, running
from sending import send, settled

from server import ServerSettings, create_app
from serving.answers import Problem


@pytest.fixture(scope="module")
def server(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    clip = write_clip(tmp_path_factory.mktemp("clip") / "dive.mp4", frames=60)
    sources = {"reef": str(clip)}
    with running(toy_model, sources=sources, record=tmp_path_factory.mktemp("rec"), clips_s=0.1) as started:
        started.wait_for("reef", lambda source: source["state"] == "ended")
        yield started


@pytest.fixture(scope="module")
def schema(server: Running) -> dict[str, Any]:
    answer: dict[str, Any] = server.http.get("api/openapi.json").raise_for_status().json()
    return answer


def routes() -> dict[str, APIRoute]:
    """Every HTTP route that the schema should tell of, by path; of several methods the one that gets."""
    found: dict[str, APIRoute] = {}
    stack = list(create_app(ServerSettings(model=Path("any.onnx"))).routes)
    while stack:
        route = stack.pop()
        shown = isinstance(route, APIRoute) and route.include_in_schema
        if shown and ("GET" in route.methods or route.path_format not in found):
            found[route.path_format] = route
        stack.extend(getattr(getattr(route, "original_router", None), "routes", []))
    return found


def live(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What every server tells, whoever asks; the other paths are a library's, and the one to log in on."""
    others = ("/api/dives", "/api/uploads", "/api/session")
    told = [(path, methods) for path, methods in schema["paths"].items() if not path.startswith(others)]
    return [(path, methods) for path, methods in told if methods.keys() != {"post"}]


def check(answer: httpx.Response, said: dict[str, Any], model: object) -> None:
    """The answer is among those that the schema declares, of its type, and exactly what the model writes."""
    declared = said["responses"][str(answer.status_code)]
    assert declared["description"]
    kind = answer.headers["content-type"].partition(";")[0]
    assert declared["content"].keys() == {"*/*"} or kind in {name.partition(";")[0] for name in declared["content"]}
    if kind == "application/json":
        adapter = TypeAdapter(model)
        assert json.loads(adapter.dump_json(adapter.validate_json(answer.content))) == answer.json()


def with_clip(server: Running) -> str:
    """The id of a sighting that has everything."""
    deadline_s = monotonic() + WAIT_S
    while True:
        found = server.http.get("api/sightings").json()
        for item in found:
            if item["clip"] and item["still"]:
                return str(item["id"])
        assert monotonic() < deadline_s, found


def test_every_get_route_answers_as_the_schema_says(server: Running, schema: dict[str, Any]) -> None:
    sighting, known = with_clip(server), routes()
    assert schema["paths"].keys() == known.keys()
    for path, methods in live(schema):
        assert methods.keys() == {"get"}
        said = methods["get"]
        answer = server.http.get(path.replace("{sighting}", sighting).replace("{source}", "reef").lstrip("/"))
        assert answer.status_code == 200, path
        check(answer, said, known[path].response_model)


def test_every_route_says_what_it_is_for(schema: dict[str, Any]) -> None:
    for path, methods in schema["paths"].items():
        for method, said in methods.items():
            assert said["description"], (method, path)
            assert said["tags"], (method, path)


def test_every_get_route_of_a_library_answers_as_the_schema_says(
    toy_model: Path, tmp_path: Path, schema: dict[str, Any]
) -> None:
    known, asked = routes(), 0
    with running(toy_model, library=tmp_path / "library") as server:
        half = {"name": "half.mp4", "size": 10}
        upload = server.http.post("api/uploads", json=half).raise_for_status().json()["id"]
        dive = send(server.http, write_clip(tmp_path / "dive.mp4", frames=30))
        assert settled(server.http, dive)["state"] == "complete"
        edition = server.http.get(f"api/dives/{dive}/track").json()["edition"]
        places = {"{dive_id}": dive, "{upload_id}": upload, "{edition}": edition, "{name}": "frames.csv"}
        for path, methods in schema["paths"].items():
            if "get" not in methods or not path.startswith(("/api/dives", "/api/uploads")):
                continue
            address = path.lstrip("/")
            for place, value in places.items():
                address = address.replace(place, value)
            said, model = methods["get"], known[path].response_model
            answer = server.http.get(address)
            assert answer.status_code == 200, path
            check(answer, said, model)
            asked += 1
            if "{dive_id}" in path:
                gone = server.http.get(address.replace(dive, "nobody"))
                assert gone.status_code == 404
                check(gone, said, Problem)
            if "206" in said["responses"]:
                check(server.http.get(address, headers={"range": "bytes=0-9"}), said, model)
                assert server.http.get(address, headers={"range": "bytes=999999999-"}).status_code == 416
    assert asked == 17


def test_what_is_refused_is_refused_as_the_schema_says(server: Running, schema: dict[str, Any]) -> None:
    for path, methods in live(schema):
        foreign = server.http.get(
            path.replace("{sighting}", "x").lstrip("/"), headers={"origin": "http://evil.example"}
        )
        assert foreign.status_code == 403
        check(foreign, methods["get"], Problem)
        if "{" in path:
            gone = server.http.get(re.sub("{.*}", "nobody", path).lstrip("/"))
            assert gone.status_code == 404
            check(gone, methods["get"], Problem)
    listing = schema["paths"]["/api/sightings"]["get"]
    check(server.http.get("api/sightings?source=atlantis"), listing, Problem)
    unwanted = server.http.get("api/sightings?limit=0")
    assert unwanted.status_code == 422
    check(unwanted, listing, dict[str, Any])
    assert {"200", "403", "503"} <= schema["paths"]["/readyz"]["get"]["responses"].keys()


def test_logging_in_and_what_comes_without_that_are_as_the_schema_says(toy_model: Path, schema: dict[str, Any]) -> None:
    with running(toy_model, token="operate-0123456789") as server:
        for path, methods in live(schema):
            answer = server.http.get(path.replace("{source}", "scene").lstrip("/"))
            assert answer.status_code == (200 if path == "/healthz" else 401)
            check(answer, methods["get"], Problem if answer.status_code == 401 else str)
        said, model = schema["paths"]["/api/session"], routes()["/api/session"].response_model
        check(server.http.get("api/session"), said["get"], model)
        check(server.http.post("api/session", json={"token": "wrong"}), said["post"], Problem)
        check(server.http.post("api/session", json={"token": "operate-0123456789"}), said["post"], model)
        assert str(server.http.delete("api/session").status_code) in said["delete"]["responses"]


def test_every_field_is_described_by_name_and_type(schema: dict[str, Any]) -> None:
    for name, part in schema["components"]["schemas"].items():
        if "ValidationError" in name:
            continue  # the framework's own: its input may be anything
        for field, about in part.get("properties", {}).items():
            assert about.keys() & {"type", "$ref", "anyOf", "items", "enum", "const"}, (name, field)
