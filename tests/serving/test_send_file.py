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
    def going(request: Request) -> Response:
        answer = send_file(path, "image/jpeg", request)
        path.unlink()
        return answer

    def ask(place: str, **headers: str) -> httpx.Response:
        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://reef") as client:
                return await client.get(place, headers=headers)

        return asyncio.run(asked())

    return ask


@pytest.mark.parametrize("headers", [{}, {"range": "bytes=2-4"}, {"range": "bytes=0-1,4-5"}])
def test_one_that_goes_before_it_is_opened_is_not_there(
    get: Callable[..., httpx.Response], headers: dict[str, str]
) -> None:
    assert get("/there", **headers).status_code == (206 if headers else 200)
    answer = get("/going", **headers)
    assert (answer.status_code, answer.json()["detail"]) == (404, "it is not there (any more)")
    assert get("/there").status_code == 404


def test_a_part_and_the_whole_and_what_the_browser_has(get: Callable[..., httpx.Response]) -> None:
    whole = get("/there")
    assert (whole.content, whole.headers["content-length"]) == (b"0123456789", "10")
    part = get("/there", range="bytes=2-4")
    assert (part.content, part.headers["content-range"]) == (b"234", "bytes 2-4/10")
    assert get("/there", **{"if-none-match": whole.headers["etag"]}).status_code == 304
