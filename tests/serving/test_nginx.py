"""docs/network.md: the nginx and the Caddy in it, as they stand there, in front of a server with a token."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from running import WAIT_S, closing, result, running, text
from test_tls import NAME, write_pair
from websockets.sync.client import ClientConnection, connect

from serving.attempts import FREE

ROOT = Path(__file__).parents[2]
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
TOKEN = "operate-0123456789"
ORIGIN = f"https://{NAME}"
CADDY = shutil.which("caddy")
OTHER = "127.0.0.2"  # another address of this machine, where the system has one
pytestmark = pytest.mark.skipif(
    (NGINX is None or shutil.which("openssl") is None) and not os.environ.get("CI"),
    reason="no nginx, or no openssl; CI never skips this",
)


class Browser:
    """Asks NAME, which is nginx on this machine; keeps the cookie that it is given."""

    def __init__(self, port: int, cert: Path, address: str = "127.0.0.1") -> None:
        self._port = port
        self._cert = cert
        self._address = address
        self._trusted = ssl.create_default_context(cafile=cert)
        self.cookie = ""

    def _connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port), WAIT_S, (self._address, 0))

    def elsewhere(self, address: str) -> Browser:
        """One that asks from another address."""
        return Browser(self._port, self._cert, address)

    def log_in(self, token: str, **headers: str) -> http.client.HTTPResponse:
        body = json.dumps({"token": token}).encode()
        answer, _ = self.ask("POST", "/api/session", body, content_type="application/json", **headers)
        self.cookie = (answer.headers["set-cookie"] or "").partition(";")[0]
        return answer

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        request = http.client.HTTPSConnection(NAME, context=self._trusted, timeout=WAIT_S)
        request._create_connection = lambda *_: self._connection()  # type: ignore[attr-defined]
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request.request(method, path, body, {"origin": ORIGIN, "cookie": self.cookie, **sent})
        answer = request.getresponse()
        content = answer.read()
        request.close()
        return answer, content

    def watch(self, path: str, origin: str = ORIGIN) -> ClientConnection:
        return connect(
            f"wss://{NAME}{path}",
            sock=self._connection(),
            ssl=self._trusted,
            origin=origin,  # type: ignore[arg-type]
            additional_headers={"cookie": self.cookie},
            open_timeout=WAIT_S,
        )


@contextmanager
def nginx(folder: Path, authority: str, *, keeps_host: bool = True) -> Iterator[Browser]:
    """In front of the server at ``authority``; without ``keeps_host`` the server is asked by that, not by NAME."""
    folder.mkdir()
    cert, key = write_pair(folder, "reef")
    (server,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs/network.md").read_text(encoding="utf-8"), re.DOTALL)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for written, here in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/ssl/reef.example.org.crt", str(cert)),
        ("/etc/ssl/reef.example.org.key", str(key)),
        ("127.0.0.1:8000", authority),
        *([] if keeps_host else [("proxy_set_header Host $http_host;", "")]),
    ):
        assert written in server
        server = server.replace(written, here)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary}\n{server}}}\n",
        encoding="utf-8",
    )
    assert NGINX is not None
    with _proxy([NGINX, "-p", str(folder), "-c", str(config)], folder, port):
        yield Browser(port, cert)


@contextmanager
def caddy(folder: Path, authority: str) -> Iterator[Browser]:
    """The same with Caddy, but for a certificate that is there already."""
    folder.mkdir()
    cert, key = write_pair(folder, "reef")
    page = (ROOT / "docs/network.md").read_text(encoding="utf-8")
    (server,) = re.findall(r"```\n(reef\.example\.org \{.*?)```", page, re.DOTALL)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for written, here in (
        ("reef.example.org {", f"https://{NAME}:{port} {{\n    bind 127.0.0.1\n    tls {cert} {key}"),
        ("127.0.0.1:8000", authority),
    ):
        assert written in server
        server = server.replace(written, here)
    config = folder / "Caddyfile"
    config.write_text(f"{{\n    admin off\n    auto_https disable_redirects\n}}\n{server}", encoding="utf-8")
    assert CADDY is not None
    with _proxy([CADDY, "run", "--adapter", "caddyfile", "--config", str(config)], folder, port):
        yield Browser(port, cert)


PROXIES = [
    nginx,
    pytest.param(
        caddy,
        marks=pytest.mark.skipif(
            CADDY is None and not os.environ.get("CI"), reason="no Caddy here; CI never skips this"
        ),
    ),
]


@contextmanager
def _proxy(command: list[str], folder: Path, port: int) -> Iterator[None]:
    said = folder / "said"
    with (
        said.open("wb") as to,
        subprocess.Popen(
            command, env={**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}, stderr=to
        ) as process,
    ):
        try:
            deadline_s = monotonic() + WAIT_S
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), WAIT_S).close()
                    break
                except OSError:
                    assert process.poll() is None, said.read_text(encoding="utf-8")
                    assert monotonic() < deadline_s, said.read_text(encoding="utf-8")
                    Event().wait(0.02)
            yield
        finally:
            process.terminate()


def test_through_nginx_one_logs_in_watches_and_sends_a_recording(toy_model: Path, tmp_path: Path) -> None:
    with (
        running(
            toy_model,
            sources={"scene": "scene"},
            library=tmp_path / "library",
            public_origins=[ORIGIN],
            token=TOKEN,
        ) as server,
        nginx(tmp_path / "nginx", server.authority) as browser,
    ):
        answer, _ = browser.ask("GET", "/")
        assert (answer.status, answer.headers["location"]) == (303, "login?to=live")
        assert browser.ask("GET", "/login?to=live")[0].status == 200
        with browser.watch("/ws/live/scene") as stranger:
            assert closing(stranger)[0] == 4401

        answer, _ = browser.ask(
            "POST", "/api/session", json.dumps({"token": TOKEN}).encode(), content_type="application/json"
        )
        given = answer.headers["set-cookie"].split("; ")
        assert {"Secure", "HttpOnly", "SameSite=Strict"} <= set(given)
        browser.cookie = given[0]

        answer, page = browser.ask("GET", "/")
        assert answer.status == 200
        assert b"<title>Reeflens</title>" in page
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert browser.ask("GET", "/api/status", origin="https://evil.example")[0].status == 403
        with browser.watch("/ws/live/scene") as socket_:
            assert text(socket_)["type"] == "hello"
            assert [result(socket_).header["source"] for _ in range(5)] == ["scene"] * 5
        with browser.watch("/ws/live/scene", origin="https://evil.example") as socket_:
            assert closing(socket_)[0] == 1008

        recording = bytes(range(256)) * 12_000  # 3 MB, three times what nginx takes unless it is told
        wanted = json.dumps({"name": "dive.mp4", "size": len(recording)}).encode()
        upload = json.loads(browser.ask("POST", "/api/uploads", wanted, content_type="application/json")[1])["id"]
        answer, _ = browser.ask("PATCH", f"/api/uploads/{upload}", recording, upload_offset="0")
        assert (answer.status, answer.headers["upload-offset"]) == (204, str(len(recording)))
        answer, content = browser.ask("POST", f"/api/uploads/{upload}/finish")
        assert (answer.status, json.loads(content)["bytes"]) == (200, len(recording))
        answer, content = browser.ask("GET", f"/api/dives/{upload}/original", range="bytes=256-511")
        assert (answer.status, content) == (206, recording[256:512])


@pytest.mark.parametrize("keeps_host", [True, False])
def test_a_page_behind_a_proxy_that_was_named_watches(toy_model: Path, tmp_path: Path, keeps_host: bool) -> None:
    with (
        running(toy_model, public_origins=[ORIGIN], insecure=True) as server,
        nginx(tmp_path / "nginx", server.authority, keeps_host=keeps_host) as browser,
    ):
        assert browser.ask("GET", "/")[0].status == 200
        assert browser.ask("GET", "/api/sources")[0].status == 200
        with browser.watch("/ws/live/scene") as socket_:
            assert text(socket_)["type"] == "hello"
            assert result(socket_).header["source"] == "scene"
        assert browser.ask("GET", "/api/sources", origin="https://evil.example")[0].status == 403
        with browser.watch("/ws/live/scene", origin="https://evil.example") as socket_:
            assert closing(socket_)[0] == 1008


def test_a_proxy_that_nobody_named_is_refused(toy_model: Path, tmp_path: Path) -> None:
    with running(toy_model) as server, nginx(tmp_path / "nginx", server.authority) as browser:
        assert browser.ask("GET", "/")[0].status == 403
        with browser.watch("/ws/live/scene") as socket_:
            assert closing(socket_)[0] == 1008


@pytest.mark.parametrize("proxy", PROXIES)
def test_who_guesses_through_a_proxy_locks_out_nobody_but_himself(
    toy_model: Path, tmp_path: Path, proxy: Callable[[Path, str], AbstractContextManager[Browser]]
) -> None:
    with (
        running(toy_model, public_origins=[ORIGIN], token=TOKEN) as server,
        proxy(tmp_path / "proxy", server.authority) as browser,
    ):
        guesser = browser.elsewhere(OTHER)
        try:
            codes = [
                guesser.log_in(f"guess {number}", x_forwarded_for=f"10.0.0.{number}").status for number in range(9)
            ]
        except OSError:
            pytest.skip(f"no {OTHER} here")
        assert codes[:FREE] == [401] * FREE
        assert 429 in codes[FREE:]  # whatever he says of where he comes from
        assert browser.log_in(TOKEN).status == 200
        with browser.watch("/ws/live/scene") as socket_:
            assert text(socket_)["type"] == "hello"
            assert result(socket_).header["source"] == "scene"
