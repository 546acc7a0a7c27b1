"""serving/files.py: a file that somebody deletes or replaces while it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from serving.answers import tell_of_the_gone
from serving.files import send_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "still.jpg").write_bytes(b"0123456789")
    return tmp_path / "still.jpg"


@pytest.fixture
def get(path: Path) -> Callable[..., httpx.Response]:
    app = FastAPI()
    tell_of_the_gone(app)

    @app.get("/there")
    def there(request: Request) -> Response:
        return send_file(path, "image/jpeg", request)

    @app.get("/going")
    def going(request: Request, then: str) -> Response:
        answer = send_file(path, "image/jpeg", request)
        if then:
            (path.parent / "other").write_text(then)
            (path.parent / "other").replace(path)
        else:
            path.unlink()
        return answer

    def ask(place: str, **headers: str) -> httpx.Response:
        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://reef") as client:
                return await client.get(place, headers=headers)

        return asyncio.run(asked())

    return ask


@pytest.mark.parametrize("then", ["", "shorter", "longer than it was"])
@pytest.mark.parametrize("headers", [{}, {"range": "bytes=2-4"}, {"range": "bytes=0-1,4-5"}])
def test_what_is_sent_is_the_file_that_was_announced_whatever_takes_its_place(
    get: Callable[..., httpx.Response], path: Path, headers: dict[str, str], then: str
) -> None:
    """A table is made anew, and a dive deleted, whoever is reading."""
    before = get("/there", **headers)
    answer = get(f"/going?then={then}", **headers)
    assert answer.status_code == before.status_code == (206 if headers else 200)
    if "," not in headers.get("range", ""):
        assert answer.content == before.content
    else:  # each answer draws its own line between the parts
        assert all(part in answer.content for part in (b"bytes 0-1/10\r\n\r\n01", b"bytes 4-5/10\r\n\r\n45"))
    after = get("/there")
    assert (after.status_code, after.text if then else "") == (200 if then else 404, then)


def test_a_part_and_the_whole_and_what_the_browser_has(get: Callable[..., httpx.Response]) -> None:
    whole = get("/there")
    assert (whole.content, whole.headers["content-length"]) == (b"0123456789", "10")
    part = get("/there", range="bytes=2-4")
    assert (part.content, part.headers["content-range"]) == (b"234", "bytes 2-4/10")
    assert get("/there", **{"if-none-match": whole.headers["etag"]}).status_code == 304
