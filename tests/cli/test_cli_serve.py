"""`reeflens serve`: what it says at the start, and that a token which was given is said nowhere."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from toy_onnx import write_toy_model

REPO = Path(__file__).parents[2]
OPERATE, VIEW = "operate-0123456789", "view-0123456789abc"


def served(folder: Path, *arguments: str, **variables: str) -> tuple[str, httpx.Response, str]:
    """Starts the real command, asks it wrong and right things, stops it: its first line, an answer, and all it said."""
    model = write_toy_model(folder / "toy.onnx")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("REEFLENS")}
    command = [sys.executable, "-m", "cli", "-v", "serve", "--port", "0", "--model", str(model), *arguments]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**clean, "PYTHONPATH": str(REPO), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        address = urlsplit(re.search(r"http://\S+", line)[0])
        url = f"http://{address.netloc}/"
        httpx.get(f"{url}?token=wrong-{VIEW}")
        httpx.get(f"{url}?token={VIEW}")
        httpx.get(f"{url}api/status", headers={"authorization": f"Bearer {OPERATE}"})
        token = address.query.removeprefix("token=") or OPERATE
        answer = httpx.get(f"{url}api/session", headers={"authorization": f"Bearer {token}"})
        server.terminate()
        said, errors = server.communicate(timeout=20)
        assert server.returncode == 0
    return line, answer, line + said + errors


def test_a_token_that_is_needed_and_not_given_is_made_and_printed(tmp_path):
    line, answer, said = served(tmp_path, "--view-token", VIEW)
    assert re.search(r"/\?token=([a-z2-9]{5}-){3}[a-z2-9]{5}\n$", line)
    assert answer.json() == {"role": "operate", "guarded": True}
    assert VIEW not in said


@pytest.mark.parametrize("way", ["variable", "file"])
def test_a_token_that_was_given_is_printed_and_logged_nowhere(tmp_path, way):
    variables = {}
    if way == "variable":
        variables = {"REEFLENS_SERVE_TOKEN": OPERATE, "REEFLENS_SERVE_VIEW_TOKEN": VIEW}
    else:
        (tmp_path / "reeflens.toml").write_text(f'[serve]\ntoken = "{OPERATE}"\nview_token = "{VIEW}"\n')
    line, answer, said = served(tmp_path, **variables)
    assert "token=" not in line
    assert answer.json() == {"role": "operate", "guarded": True}
    assert OPERATE not in said
    assert VIEW not in said


def test_on_this_machine_no_token_is_needed(tmp_path):
    line, answer, _ = served(tmp_path)
    assert "token" not in line
    assert answer.json() == {"role": "operate", "guarded": False}
