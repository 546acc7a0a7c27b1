"""server.py: what is refused at the start, and that it stops."""

from __future__ import annotations

import os
import signal
import socket as sockets
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest
from running import WAIT_S, closing, result, running, text
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from realtime.errors import ContractError, ProviderError, SettingsError, SourceError
from server import ServerSettings, _listen, address_elsewhere, serve

ROOT = Path(__file__).parents[2]


def test_without_sources_the_test_scene_is_shown() -> None:
    assert ServerSettings(model=Path("any.onnx")).sources == {"scene": "scene"}


def test_a_missing_file_is_named_and_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"reef: .*gone\.mp4: no such file or folder"):
        ServerSettings(model=tmp_path / "any.onnx", sources={"reef": str(tmp_path / "gone.mp4")})


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_file_without_permission_is_named_and_nothing_starts(tmp_path: Path) -> None:
    locked = tmp_path / "locked.mp4"
    locked.touch(mode=0o000)
    with pytest.raises(SourceError, match="permission denied"):
        ServerSettings(model=tmp_path / "any.onnx", sources={"reef": str(locked)})


def test_an_address_that_cannot_be_a_camera_is_refused_without_repeating_its_password() -> None:
    for place in ("ftp://admin:hunter2@10.0.0.5/stream", "rtsp://admin:hunter2#@10.0.0.5/stream"):
        with pytest.raises(SettingsError, match="source pier: ") as caught:
            ServerSettings(model=Path("any.onnx"), sources={"pier": place})
        assert "hunter2" not in str(caught.value)
    with pytest.raises(SettingsError, match="source name") as caught:
        ServerSettings(model=Path("any.onnx"), sources={"rtsp://admin:hunter2@10.0.0.5/stream?a": "1"})
    assert "hunter2" not in str(caught.value)


def test_the_settings_do_not_show_a_password_when_printed() -> None:
    settings = ServerSettings(model=Path("any.onnx"), sources={"pier": "rtsp://admin:hunter2@10.0.0.5/stream"})
    assert "hunter2" not in repr(settings)


def test_cameras_that_are_not_there_are_told_by_name_and_reason_only(toy_model: Path) -> None:
    """The server runs, says what is wrong with each, and repeats no address; the scene beside them is shown."""
    with sockets.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]  # closed at the end of this block: nobody listens there
    cameras = {
        "boat": f"rtsp://admin:hunter2@127.0.0.1:{port}/stream",
        "pier": f"http://127.0.0.1:{port}/stream?token=hunter2",
        "scope": "/dev/video987",
    }
    with running(toy_model, sources={**cameras, "scene": "scene"}) as server:
        for name, cause in (("boat", "refused"), ("pier", "refused"), ("scope", "not-found")):
            source = server.wait_for(name, lambda source: source["state"] == "retrying")
            assert (source["cause"], source["captured"], source["reconnects"]) == (cause, 0, 0)
            with server.watch(name) as socket:
                assert text(socket)["type"] == "hello"
                told = text(socket)
                assert (told["state"], told["cause"], told["reason"]) == ("retrying", cause, source["reason"])
        server.wait_for("scene", lambda source: source["state"] == "live")
        for path in ("api/status", "api/sources", "readyz", "api/openapi.json"):
            told = server.http.get(path).text
            assert "hunter2" not in told
            assert str(port) not in told
        assert server.stop() < 3.0


def test_other_devices_are_told_an_address_of_their_network_or_none() -> None:
    for host in ("127.0.0.1", "192.168.1.20", "reef-box"):
        assert address_elsewhere(f"http://{host}:8000/", host) is None
    for url, host in (("http://127.0.0.1:8000/", "0.0.0.0"), ("https://[::1]:8000/", "::")):
        found = address_elsewhere(url, host)
        assert found is None or (found != url and found.endswith(":8000/") and "[" not in found)


@pytest.mark.parametrize("name", ["", "a/b", "../x", " reef", "_x", "x" * 65, "reef?", "reef#1", "a\nb"])
def test_a_source_name_that_does_not_fit_an_address_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="source name"):
        ServerSettings(model=Path("any.onnx"), sources={name: "scene"})


@pytest.mark.parametrize(
    ("settings", "named"), [({"port": -1}, "port"), ({"port": 65536}, "port"), ({"max_viewers": 0}, "--max-viewers")]
)
def test_a_number_out_of_range_is_refused(settings: dict[str, int], named: str) -> None:
    with pytest.raises(SettingsError, match=f"^{named}:"):
        ServerSettings(model=Path("any.onnx"), **settings)  # type: ignore[arg-type]


def test_a_port_in_use_is_one_sentence(toy_model: Path) -> None:
    with sockets.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"^cannot listen on 127\.0\.0\.1:{port} \(address already in use\)"):
            serve(ServerSettings(model=toy_model, port=port), print)


def test_no_answer_waits_for_the_acknowledgement_of_its_head() -> None:
    with _listen("127.0.0.1", 0) as listener, sockets.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY)


def test_a_host_that_is_not_this_machine_is_one_sentence(toy_model: Path) -> None:
    host = "no-such-host.invalid"
    with pytest.raises(SettingsError, match=rf"^cannot listen on {host}:0 "), running(toy_model, host=host):
        pass


def test_a_file_that_is_no_model_stops_the_start(tmp_path: Path) -> None:
    (broken := tmp_path / "broken.onnx").write_bytes(b"not a model")
    with pytest.raises(ContractError, match="not an ONNX model"), running(broken):
        pass


def test_a_required_gpu_that_is_not_there_stops_the_start(toy_model: Path) -> None:
    with pytest.raises(ProviderError), running(toy_model, require_gpu=True):
        pass


def test_stopping_with_viewers_tells_them_and_takes_less_than_three_seconds(toy_model: Path) -> None:
    with running(toy_model) as server, server.watch() as good, server.watch() as mean, server.watch() as idle:
        result(good)
        for _ in range(2):
            result(mean, ack=False)
        text(idle)
        assert server.stop() < 3.0
        for socket in (good, mean, idle):
            assert closing(socket) == (1001, "the server is going away")


def test_a_viewer_that_takes_no_byte_does_not_hold_up_the_stop(toy_model: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1280, 1280, 3), np.uint8)  # a JPEG of 1 MB
    cv2.imwrite(str(tmp_path / "noise.png"), noise)
    with running(toy_model, sources={"album": str(tmp_path)}) as server, sockets.socket() as deaf:
        host, _, port = server.authority.partition(":")
        deaf.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 2048)
        deaf.connect((host, int(port)))
        request = ClientProtocol(parse_uri(f"ws://{server.authority}/ws/live/album"))
        request.send_request(request.connect())
        deaf.sendall(b"".join(request.data_to_send()))
        server.wait_for("album", lambda source: source["messages"]["sent"] == 1)
        assert server.stop() < 3.0


def test_a_recorded_source_plays_again_when_asked_to(toy_model: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((24, 40, 3), 128, np.uint8))
    with running(toy_model, sources={"album": str(tmp_path)}, loop=True) as server:
        source = server.wait_for("album", lambda source: source["captured"] >= 2)
        assert source["state"] == "live"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(toy_model: Path, number: signal.Signals) -> None:
    script = f"""
        from pathlib import Path
        from server import ServerSettings, _listen, serve
        settings = ServerSettings(model=Path({str(toy_model)!r}), port=0, provider="cpu")
        serve(settings, lambda url: print(url, flush=True))
        print("stopped", flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(number)
        rest, errors = process.communicate(timeout=WAIT_S)
    assert (process.returncode, rest, errors) == (0, "stopped\n", "")
