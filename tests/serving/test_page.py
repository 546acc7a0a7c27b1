"""serving/page.py: the page's files, fresh after an edit, and nothing else of the disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from serving.lean import Lean
from serving.page import page_router


class Client:
    """Asks the application itself, without a server."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def get(self, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
                return await client.request(method, path, headers=headers)

        return asyncio.run(ask())


@pytest.fixture
def web(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    folder.mkdir()
    for name in ("index.html", "app.js", "style.css", "icon.svg", "notes.txt", "package.json", ".hidden.js"):
        (folder / name).write_text(f"this is {name}", encoding="utf-8")
    (tmp_path / "secret.js").write_text("not yours", encoding="utf-8")
    (folder / "folder.js").mkdir()
    return folder


@pytest.fixture
def client(web: Path) -> Client:
    app = FastAPI()
    app.add_middleware(Lean)  # answers HEAD, as in the server
    app.include_router(page_router(web))
    return Client(app)


@pytest.mark.parametrize(
    ("path", "name", "media_type"),
    [
        ("/", "index.html", "text/html; charset=utf-8"),
        ("/assets/app.js", "app.js", "text/javascript; charset=utf-8"),
        ("/assets/style.css", "style.css", "text/css; charset=utf-8"),
        ("/assets/icon.svg", "icon.svg", "image/svg+xml"),
    ],
)
def test_a_file_comes_with_its_media_type_and_is_asked_for_again(
    client: Client, path: str, name: str, media_type: str
) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (200, f"this is {name}")
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "no-cache"
    assert client.get(path, "HEAD").headers["etag"] == answer.headers["etag"]


def test_a_file_is_compressed_for_those_who_take_it_and_for_nobody_else(client: Client) -> None:
    for accepted, compressed in [
        ("gzip, deflate, br", True),
        ("br;q=1.0, gzip;q=0.2", True),
        ("*", True),
        ("gzip;q=0", False),
        ("br", False),
        ("identity", False),
    ]:
        answer = client.get("/assets/app.js", headers={"accept-encoding": accepted})
        assert answer.text == "this is app.js"
        assert ("content-encoding" in answer.headers) is compressed, accepted
        assert answer.headers["vary"] == "accept-encoding"


def test_both_forms_of_a_file_have_their_own_tag_and_neither_is_sent_twice(client: Client, web: Path) -> None:
    tags = {}
    for accepted in ("gzip", "identity"):
        asked = {"accept-encoding": accepted}
        tags[accepted] = client.get("/assets/app.js", headers=asked).headers["etag"]
        again = client.get("/assets/app.js", headers={**asked, "if-none-match": tags[accepted]})
        assert (again.status_code, again.content, again.headers["vary"]) == (304, b"", "accept-encoding")
    assert tags["gzip"] != tags["identity"]
    (web / "app.js").write_text("of the next version", encoding="utf-8")
    after = client.get("/assets/app.js", headers={"accept-encoding": "gzip", "if-none-match": tags["gzip"]})
    assert (after.status_code, after.text) == (200, "of the next version")


def test_what_a_page_names_is_kept_for_good_until_a_file_changes(client: Client, web: Path) -> None:
    (web / "dives.html").write_text('<script src="assets/app.js"></script>', encoding="utf-8")
    named = []
    for content in ("this is app.js", "edited"):
        (web / "app.js").write_text(content, encoding="utf-8")
        page = client.get("/dives")
        assert page.headers["cache-control"] == "no-cache"
        named.append(page.text.split('"')[1])
        answer = client.get(f"/{named[-1]}")
        assert answer.text == content
        assert answer.headers["cache-control"] == "max-age=31536000, immutable"
    before, after = named
    assert before != after
    assert client.get(f"/{before}").headers["cache-control"] == "no-cache"  # of a page that is open since then
    (web / "app.js").write_text("edited again", encoding="utf-8")
    assert client.get(f"/{after}").headers["cache-control"] == "no-cache"  # not what that page was of


def test_an_unchanged_file_is_not_sent_twice_and_a_changed_one_is(client: Client, web: Path) -> None:
    etag = client.get("/assets/app.js").headers["etag"]
    again = client.get("/assets/app.js", headers={"if-none-match": f'"other", W/{etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    (web / "app.js").write_text("edited", encoding="utf-8")
    after = client.get("/assets/app.js", headers={"if-none-match": etag})
    assert (after.status_code, after.text) == (200, "edited")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/missing.js",
        "/assets/edition/missing.js",
        "/assets/edition/notes.txt",
        "/assets/edition/package.json",
        "/assets/edition/..%2fsecret.js",
        "/assets/notes.txt",
        "/assets/package.json",
        "/assets/.hidden.js",
        "/assets/folder.js",
        "/assets/",
        "/assets/../secret.js",
        "/assets/%2e%2e%2fsecret.js",
        "/assets/..%2fsecret.js",
        "/assets/..%5csecret.js",
        "/assets/%2fetc%2fpasswd.js",
        "/assets/app.js%00.js",
        "/secret.js",
    ],
)
def test_nothing_else_can_be_had(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404
