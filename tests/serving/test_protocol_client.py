"""docs/protocol.md: the client in it runs as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from running import running

ROOT = Path(__file__).parents[2]


def test_the_client_of_the_documentation_prints_what_the_server_sees(toy_model: Path, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/protocol.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(code.splitlines()) <= 35
    (tmp_path / "client.py").write_text(code, encoding="utf-8")
    with running(toy_model, token="operate-0123456789") as server:
        command = [sys.executable, "client.py", f"ws://{server.authority}/ws/live/scene"]
        environment = {**os.environ, "TOKEN": "operate-0123456789"}
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout is not None
            lines = [client.stdout.readline() for _ in range(8)]
            client.kill()
    results = [line for line in lines if " ms old" in line]
    assert len(results) >= 5  # more than are sent without acknowledgements
    animal = "(Fish|Octopus|Turtle)"
    for line in results:
        assert re.fullmatch(rf"(nothing I know|{animal}) \(now {animal} \d+%\), \d+ ms old\n", line)
