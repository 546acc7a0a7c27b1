"""Any request to any route: answered as the OpenAPI document says, never with an error of ours (schemathesis).

`make fuzz` runs it long. Half of the requests name what is there, for else everything would be a 404.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from clips import write_clip
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from running import WAIT_S, Running, running
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sending import send, settled

LONG = "FUZZ_INPUTS" in os.environ
EXAMPLES = max(3, int(os.environ.get("FUZZ_INPUTS", "0")) // 40)  # of each operation
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "G" * 300)


class There:
    """What is there to be named, made anew when it was deleted."""

    def __init__(self, server: Running, clip: Path) -> None:
        self._server = server
        self._clip = clip
        self.named: dict[str, str] = {"source": "scene", "name": "frames.csv", "sighting": "0" * 16, "edition": "0"}
        self.refresh()

    def refresh(self) -> None:
        http = self._server.http
        if "dive_id" not in self.named or http.get(f"api/dives/{self.named['dive_id']}").status_code != 200:
            self.named["dive_id"] = send(http, self._clip)
            settled(http, self.named["dive_id"])
        if track := http.get(f"api/dives/{self.named['dive_id']}/track").json():
            self.named["edition"] = track.get("edition", "0")
        if "upload_id" not in self.named or http.get(f"api/uploads/{self.named['upload_id']}").status_code != 200:
            wanted = {"name": "half.mp4", "size": 100_000}
            self.named["upload_id"] = http.post("api/uploads", json=wanted).raise_for_status().json()["id"]
        for seen in http.get("api/sightings").json():
            self.named["sighting"] = seen["id"]


@pytest.fixture(scope="module")
def there(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    folder = tmp_path_factory.mktemp("any")
    clip = write_clip(folder / "dive.mp4", frames=30)
    with running(toy_model, sources={"scene": "scene"}, library=folder / "dives", record=folder / "rec") as server:
        server.wait_for("scene", lambda source: source["classified"] > 0)
        yield There(server, clip)


def operations(server: Running) -> list[Any]:
    schema = schemathesis.openapi.from_dict(server.http.get("api/openapi.json").json())
    schema.config.update(base_url=server.url)
    return [found.ok() for found in schema.get_all_operations()]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_any_request_is_answered_as_the_document_says(there: There, mode: GenerationMode) -> None:
    asked, wrong = 0, []
    for operation in operations(there._server):
        if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
            continue  # nothing in it can be wrong: any text may stand in a path
        there.refresh()

        @settings(
            max_examples=EXAMPLES,
            database=None,
            derandomize=not LONG,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), seed=st.integers(0, 1 << 30))
        def answered(case: Any, seed: int) -> None:
            nonlocal asked
            asked += 1
            chance = random.Random(seed)
            for place in case.path_parameters or {}:
                if place in there.named and chance.random() < 0.5:
                    case.path_parameters[place] = there.named[place]
            answer = case.call(base_url=there._server.url, timeout=WAIT_S)
            case.validate_response(answer, checks=CHECKS)

        try:
            answered()
        except Exception as error:  # the other operations are asked all the same
            wrong.append(f"{operation.label}: {'; '.join(map(str, getattr(error, 'exceptions', [error])))}")
    print(f"\nasked: {asked:,} times, {mode.value}")
    assert not wrong, "\n\n".join(wrong)
    assert there._server.http.get("healthz").text == "ok"


def test_every_path_answers_every_method_without_an_error_of_ours(there: There) -> None:
    there.refresh()
    paths = [
        *there._server.http.get("api/openapi.json").json()["paths"],
        "/",
        "/dives",
        "/login",
        "/assets/app.js",
        "/x",
    ]
    alone = httpx.Limits(max_keepalive_connections=0)  # every request on a connection of its own
    with httpx.Client(base_url=there._server.url, timeout=WAIT_S, limits=alone) as client:
        for template in paths:
            path = re.sub("{(.*?)}", lambda place: there.named[place[1]], template)
            for method in METHODS:
                if method == "DELETE" and "session" not in path:
                    continue  # asked above, and it would empty what the others look for
                client.cookies.clear()
                answer = client.request(method, path, content=b"x" if method not in ("GET", "HEAD") else None)
                assert answer.status_code < 500, (method, path)
                if method not in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
                    assert answer.status_code in (400, 404, 405), (method, path, answer.status_code)
