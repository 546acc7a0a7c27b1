"""Behind a proxy that speaks TLS, and speaking it ourselves: a browser's camera needs https."""

from __future__ import annotations

import asyncio
import http.client
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from time import monotonic

import pytest
from running import WAIT_S, Running, closing, result, running, text
from websockets.sync.client import ClientConnection, connect

from realtime.errors import SettingsError
from server import ServerSettings

NAME = "reef.example.org"
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")


def write_pair(folder: Path, stem: str) -> tuple[Path, Path]:
    """A certificate that signed itself, for NAME and this machine, and its key."""
    cert, key = folder / f"{stem}.crt", folder / f"{stem}.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1"),
            *("-out", str(cert), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_pair(tmp_path_factory.mktemp("tls"), "reef")


class Proxy:
    """Speaks TLS as NAME and hands on bytes to a server, with the browser's Host or with one of its own."""

    def __init__(self, server: Running, pair: tuple[Path, Path], *, own_host: bool) -> None:
        self._server = server
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(*pair)
        self._trusted = ssl.create_default_context(cafile=pair[0])
        self._own_host = own_host
        self.port: Queue[int] = Queue()

    async def run(self, stop: asyncio.Event) -> None:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context) as listening:
            self.port.put(listening.sockets[0].getsockname()[1])
            await stop.wait()

    async def _serve(self, browser: asyncio.StreamReader, to_browser: asyncio.StreamWriter) -> None:
        head = await browser.readuntil(b"\r\n\r\n")
        if self._own_host:
            head = head.replace(f"Host: {NAME}".encode(), f"Host: {self._server.authority}".encode())
        host, port = self._server.authority.split(":")
        server, to_server = await asyncio.open_connection(host, int(port))
        to_server.write(head)
        await asyncio.gather(pump(browser, to_server), pump(server, to_browser), return_exceptions=True)

    def connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._at), WAIT_S)

    def get(self, path: str, origin: str | None = None) -> int:
        """What a browser that was told https://NAME/ is answered."""
        request = http.client.HTTPSConnection(NAME, context=self._trusted, timeout=WAIT_S)
        request._create_connection = lambda *_: self.connection()  # type: ignore[attr-defined]
        request.request("GET", path, headers={"connection": "close"} | ({"origin": origin} if origin else {}))
        status = request.getresponse().status
        request.close()
        return status

    def watch(self, origin: str) -> ClientConnection:
        return connect(
            f"wss://{NAME}/ws/live/scene",
            sock=self.connection(),
            ssl=self._trusted,
            origin=origin,  # type: ignore[arg-type]
            open_timeout=WAIT_S,
        )

    def begin(self) -> None:
        self._at = self.port.get(timeout=WAIT_S)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@contextmanager
def proxied(server: Running, pair: tuple[Path, Path], *, own_host: bool) -> Iterator[Proxy]:
    proxy = Proxy(server, pair, own_host=own_host)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[proxy.run(stop)])
    thread.start()
    try:
        proxy.begin()
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(WAIT_S)
        loop.close()


@pytest.mark.parametrize("own_host", [False, True])
def test_a_page_behind_a_proxy_that_was_named_watches(toy_model: Path, pair: tuple[Path, Path], own_host: bool) -> None:
    with (
        running(toy_model, public_origins=[f"https://{NAME}"], insecure=True) as server,
        proxied(server, pair, own_host=own_host) as proxy,
    ):
        assert proxy.get("/") == 200
        assert proxy.get("/api/sources", f"https://{NAME}") == 200
        with proxy.watch(f"https://{NAME}") as socket:
            assert text(socket)["type"] == "hello"
            assert result(socket).header["source"] == "scene"
        assert proxy.get("/api/sources", "https://evil.example") == 403
        with proxy.watch("https://evil.example") as socket:
            assert closing(socket)[0] == 1008


def test_a_proxy_that_nobody_named_is_refused(toy_model: Path, pair: tuple[Path, Path]) -> None:
    with running(toy_model) as server, proxied(server, pair, own_host=False) as proxy:
        assert proxy.get("/") == 403
        with proxy.watch(f"https://{NAME}") as socket:
            assert closing(socket)[0] == 1008


def test_with_a_certificate_page_and_live_view_are_encrypted(toy_model: Path, pair: tuple[Path, Path]) -> None:
    with running(toy_model, tls_cert=pair[0], tls_key=pair[1]) as server:
        assert server.url.startswith("https://127.0.0.1:")
        assert server.http.get("").status_code == 200
        assert server.http.get("healthz", headers={"origin": server.url.rstrip("/")}).status_code == 200
        trusted = ssl.create_default_context(cafile=pair[0])
        with connect(f"wss://{server.authority}/ws/live/scene", ssl=trusted, open_timeout=WAIT_S) as socket:
            assert text(socket)["type"] == "hello"
            assert result(socket).header["source"] == "scene"
        began_s = monotonic()
        server.stop()
        assert monotonic() - began_s < WAIT_S


def test_a_certificate_that_cannot_be_used_is_refused_in_one_sentence(pair: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = pair
    _, other = write_pair(tmp_path, "other")
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("this is no certificate", encoding="utf-8")
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkcs8", "-topk8", "-in", str(key), "-out", str(locked), "-passout", "pass:secret"]
    subprocess.run(command, check=True, capture_output=True)
    for tls, why in (
        ({"tls_cert": cert}, "one needs the other"),
        ({"tls_key": key}, "one needs the other"),
        (
            {"tls_cert": tmp_path / "gone.crt", "tls_key": key},
            r"--tls-cert: .*gone\.crt: cannot be read \(no such file",
        ),
        ({"tls_cert": cert, "tls_key": tmp_path / "gone.key"}, r"--tls-key: .*cannot be read"),
        ({"tls_cert": cert, "tls_key": other}, "the key is not that of the certificate"),
        ({"tls_cert": nonsense, "tls_key": key}, "expected PEM files"),
        ({"tls_cert": cert, "tls_key": locked}, "without a password"),
    ):
        with pytest.raises(SettingsError, match=why):
            ServerSettings(model=Path("any.onnx"), **tls)  # type: ignore[arg-type]
