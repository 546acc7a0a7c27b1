"""Speaking TLS ourselves: a browser's camera needs https."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from time import monotonic

import pytest
from running import WAIT_S, result, running, text
from websockets.sync.client import connect

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
