"""Names that strangers choose, of sources, dives, sightings, uploads and files, reach what they name or nothing."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from clips import write_clip
from running import WAIT_S, Running, closing, running
from sending import send, settled
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

SECRET = "not for strangers"
UPWARDS = [
    "../../../secret.csv",
    "..%2f..%2f..%2fsecret.csv",
    "%2e%2e/%2e%2e/%2e%2e/secret.csv",
    "..%5c..%5c..%5csecret.csv",
    "%252e%252e%252f%252e%252e%252fsecret.csv",
    "....//....//secret.csv",
    "frames.csv%00.jpg",
    "stills/..%2f..%2f..%2f..%2fsecret.csv",
    "..%c0%af..%c0%afsecret.csv",
    "leads-out.csv",
    "rows.journal",
    "%7e",
    "",
    ".",
    "..",
]
ABSOLUTE = ["{secret}", "%2f%2f{secret}", "file:%2f%2f{secret}", "{secret}%00.jpg"]
PLACES = [
    "/api/dives/{dive}/files/{name}",
    "/api/dives/{dive}/track/{name}",
    "/api/dives/{name}",
    "/api/dives/{name}/video",
    "/api/dives/{name}/original",
    "/api/dives/{name}/thumbnail",
    "/api/dives/{name}/files/frames.csv",
    "/api/uploads/{name}",
    "/api/sightings/{name}",
    "/api/sightings/{name}/still.jpg",
    "/api/sightings/{name}/clip.mp4",
    "/api/sources/{name}/thumbnail.jpg",
    "/assets/{name}",
    "/assets/edition/{name}",
    "/{name}",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    (folder / "secret.csv").write_text(SECRET, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def server(toy_model: Path, home: Path) -> Iterator[Running]:
    with running(toy_model, sources={"scene": "scene"}, library=home / "library", record=home / "record") as started:
        yield started


@pytest.fixture(scope="module")
def dive(server: Running, home: Path) -> str:
    found = send(server.http, write_clip(home / "dive.mp4", frames=10))
    assert settled(server.http, found)["state"] == "complete"
    (results,) = home.glob(f"library/**/{found}/results")
    (results / "leads-out.csv").symlink_to(home / "secret.csv")
    return found


def ask(server: Running, path: str) -> tuple[int, bytes]:
    """As it stands: other clients tidy addresses before they send them."""
    connection = http.client.HTTPConnection(server.authority, timeout=WAIT_S)
    connection.putrequest("GET", path)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


@pytest.mark.parametrize("place", PLACES)
def test_no_name_leads_to_another_file(server: Running, home: Path, dive: str, place: str) -> None:
    secret = quote(str(home / "secret.csv"), safe="")
    for name in [*UPWARDS, *(each.format(secret=secret) for each in ABSOLUTE)]:
        if place.endswith("{name}") and name in ("", ".", ".."):
            continue  # the list above it, which is no secret
        status, content = ask(server, place.format(dive=dive, name=name))
        assert status in (307, 400, 404, 405, 422), (place, name)
        assert SECRET.encode() not in content
        assert str(home).encode() not in content, name


def test_no_name_of_an_upload_leads_out_of_the_library(server: Running, home: Path) -> None:
    before = {path for path in home.rglob("*") if "library" not in path.parts}
    for name in (
        "../../evil.csv",
        str(home / "evil.csv"),
        "..\\..\\evil.csv",
        "evil.csv\0.mp4",
        "con",
        "file:///evil",
        "\u202emp4.",
    ):
        upload = server.http.post("api/uploads", json={"name": name, "size": 4})
        assert upload.status_code == 201
        address = f"api/uploads/{upload.json()['id']}"
        assert server.http.patch(address, content=b"evil", headers={"upload-offset": "0"}).status_code == 204
        dive = server.http.post(f"{address}/finish").raise_for_status().json()["id"]
        assert server.http.delete(f"api/dives/{dive}").status_code == 204
    after = {path for path in home.rglob("*") if "library" not in path.parts and "record" not in path.parts}
    assert {path for path in after - before if "evil" in path.name} == set()


@pytest.fixture
def trap() -> Iterator[socket.socket]:
    """A server that nobody may be made to ask."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening
        with pytest.raises(BlockingIOError):
            listening.accept()


def refusal(server: Running, quoted: str) -> int:
    """How a viewer of it is sent away; with a slash in it, it is not even a name, and the handshake fails."""
    try:
        with connect(f"ws://{server.authority}/ws/live/{quoted}", open_timeout=WAIT_S) as viewer:
            return closing(viewer)[0]
    except InvalidStatus as refused:
        return refused.response.status_code


def test_no_name_of_a_source_is_an_address(server: Running, trap: socket.socket, home: Path) -> None:
    at = f"127.0.0.1:{trap.getsockname()[1]}"
    names = [
        f"http://{at}/x",
        f"rtsp://{at}/x",
        f"https://{at}",
        f"//{at}/",
        f"tcp:{at}",
        f"concat:http://{at}",
        "usb:0",
    ]
    for name in [
        *names,
        str(home / "dive.mp4"),
        f"file:{home / 'dive.mp4'}",
        "/dev/video0",
        "~camera",
        "~camera-1",
        "",
    ]:
        quoted = quote(name, safe="")
        assert refusal(server, quoted) == (403 if "/" in name or not name else 4404), name
        assert ask(server, f"/api/sources/{quoted}/thumbnail.jpg")[0] == 404
        assert ask(server, f"/api/sightings?source={quoted}")[0] == 404


def test_no_recording_that_is_sent_makes_the_server_ask_or_read_another(
    server: Running, trap: socket.socket, home: Path
) -> None:
    at = f"127.0.0.1:{trap.getsockname()[1]}"
    other = write_clip(home / "other.ts", frames=10)
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n%s\n#EXT-X-ENDLIST\n"
    for number, content in enumerate(
        (
            playlist % f"http://{at}/x.ts",
            playlist % other,
            f"ffconcat version 1.0\nfile {other.name}\n",
            f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nc=IN IP4 127.0.0.1\nm=video {at[10:]} RTP/AVP 96\n",
        )
    ):
        path = home / f"trick-{number}.mp4"
        path.write_text(content, encoding="utf-8")
        told = settled(server.http, send(server.http, path))
        assert (told["state"], told["has_results"]) == ("failed", False), content
        assert "\n" not in told["reason"]
        assert told["reason"].endswith("not a video that can be read")
        assert str(home) not in json.dumps(told)
