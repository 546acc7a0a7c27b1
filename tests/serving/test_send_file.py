"""serving/files.py: a file that somebody deletes or replaces while it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient

from serving.answers import tell_of_the_gone
from serving.files import send_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "still.jpg").write_bytes(b"0123456789")
    return tmp_path / "still.jpg"


@pytest.fixture
def client(path: Path) -> TestClient:
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

    return TestClient(app)


@pytest.mark.parametrize("asked", [None, "bytes=2-4", "bytes=0-1,4-5"])
def test_one_that_goes_before_it_is_opened_is_not_there(client: TestClient, asked: str | None) -> None:
    headers = {"range": asked} if asked else {}
    assert client.get("/there", headers=headers).status_code == (206 if asked else 200)
    answer = client.get("/going", headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (404, "it is not there (any more)")
    assert client.get("/there").status_code == 404


def test_a_part_and_the_whole_and_what_the_browser_has(client: TestClient) -> None:
    whole = client.get("/there")
    assert (whole.content, whole.headers["content-length"]) == (b"0123456789", "10")
    part = client.get("/there", headers={"range": "bytes=2-4"})
    assert (part.content, part.headers["content-range"]) == (b"234", "bytes 2-4/10")
    assert client.get("/there", headers={"if-none-match": whole.headers["etag"]}).status_code == 304
