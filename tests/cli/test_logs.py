"""cli/logs.py: lines for programs, what they hold, and what they never hold."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from toy_onnx import write_toy_model

from cli import logs

REPO = Path(__file__).parents[2]
TOKEN = "operate-0123456789"


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What was said since the last call."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    monkeypatch.setattr(logs, "_secrets", set())
    yield lambda: capsys.readouterr().err
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_line_holds_a_password_or_a_token(stderr: Callable[[], str], form: str) -> None:
    logs.configure("info", form)
    logs.hide(TOKEN, None, "")
    log = logging.getLogger("somewhere")
    log.warning("rtsp://admin:hunter2@10.0.0.5/stream?a=hunter2 and http://u:hunter2@h/user=hunter2_x.sdp are gone")
    log.info('%s - "GET %s"', "10.0.0.1", "/?token=abc-hunter2&x=1", extra={"source": "boat", "path": f"/x/{TOKEN}"})
    try:
        raise OSError(f"cannot open rtsp://admin:hunter2@10.0.0.5/stream with {TOKEN}")
    except OSError:
        log.exception("it broke: %s", TOKEN)
    said = stderr()
    assert "hunter2" not in said
    assert TOKEN not in said
    assert "rtsp://***@10.0.0.5/stream" in said
    assert "/?token=***&x=1" in said
    assert "Traceback" in said


def test_a_line_for_programs_is_one_object_with_time_level_logger_message_and_what_it_is_about(
    stderr: Callable[[], str],
) -> None:
    logs.configure("info", "json")
    logging.getLogger("realtime.live").warning("source %s\nfailed", "boat", extra={"source": "boat"})
    (line,) = stderr().splitlines()
    told = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    assert told == {
        "level": "WARNING",
        "logger": "realtime.live",
        "message": "source boat\nfailed",
        "source": "boat",
    }


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
def test_every_line_of_a_server_is_json_when_asked_for_and_requests_have_fields_of_their_own(tmp_path: Path) -> None:
    model = write_toy_model(tmp_path / "toy.onnx")
    arguments = ["serve", "--port", "0", "--model", str(model), "--provider", "cpu", "--log-format", "json"]
    arguments += ["--log-level", "info", "--source", "boat=rtsp://admin:hunter2@127.0.0.1:9/stream"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("REEFLENS")}
    place = os.pathsep.join([str(REPO), clean.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        cwd=tmp_path,
        env={**clean, "PYTHONPATH": place, "REEFLENS_SERVE_TOKEN": TOKEN},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1]
        httpx.get(f"{url}?token={TOKEN}")
        httpx.get(f"{url}api/status", headers={"authorization": f"Bearer {TOKEN}"})
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=20)
    assert server.returncode == 0
    assert "hunter2" not in errors
    assert TOKEN not in errors
    lines = [json.loads(line) for line in errors.splitlines() if line != "Press Ctrl-C to stop."]
    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(line) for line in lines))
    asked = [line for line in lines if line["logger"] == "uvicorn.access"]
    assert [(line["method"], line["path"], line["status"]) for line in asked] == [
        ("GET", "/?token=***", 303),
        ("GET", "/api/status", 200),
    ]
    assert any(line.get("source") == "boat" for line in lines)


def test_the_level_may_be_chosen_and_v_is_info(stderr: Callable[[], str]) -> None:
    logs.configure("error")
    logging.getLogger("x").warning("not this")
    assert (stderr(), logs.level_name()) == ("", "error")
