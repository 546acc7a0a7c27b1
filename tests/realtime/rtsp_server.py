"""Starts tests/realtime/rtsp_camera.py as a process that can be killed, frozen and restarted on the same port."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).with_name("rtsp_camera.py")


def _installed() -> bool:
    if not Path(PYTHON).exists():
        return False
    done = subprocess.run([PYTHON, SCRIPT, "--check"], capture_output=True, timeout=60, check=False)
    return done.returncode == 0


def need_gstreamer() -> None:
    """Skips the test where the system has no GStreamer; fails it in CI, which installs it."""
    if not os.environ.get("CI") and not _installed():
        pytest.skip("needs the system's python3-gi, gir1.2-gst-rtsp-server-1.0 and GStreamer's plugins")


class RtspCamera:
    """A camera process; a context manager. Options are those of the script, such as ``size="64x48"``."""

    def __init__(self, **options: object) -> None:
        self._process: subprocess.Popen[str] | None = None
        self.port = 0
        self.start(**options)

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/reef"

    @property
    def url_with(self) -> str:
        """With a place for user and password: ``camera.url_with.format("user:password")``."""
        return f"rtsp://{{}}@127.0.0.1:{self.port}/reef"

    def start(self, **options: object) -> None:
        """Starts it, on the port it had before if there was one, and waits until it listens; ends one that runs."""
        self.kill()
        command = [PYTHON, str(SCRIPT), "--port", str(self.port)]
        command += [f"--{name}={value}" for name, value in options.items()]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("port "), line
        self.port = int(line.split()[1])

    def kill(self) -> None:
        """As if the plug were pulled, except that the system still closes its connections."""
        if self._process is not None:
            assert self._process.stdout is not None
            self._process.kill()
            self._process.wait(20)
            self._process.stdout.close()
            self._process = None

    def freeze(self) -> None:
        """Its connections stay, and nothing comes."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> RtspCamera:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
