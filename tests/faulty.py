"""Disks that are really full and folders that really cannot be written, and a server as a process that can be killed.

A full disk is a small one of its own, where the system lets us mount it; elsewhere (a container) the kernel refuses the
processes under test every byte of a file, by their limit on file size. A folder is closed by its permissions, which
count for root, too, in a process without the right to pass them over.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import httpx

if sys.platform != "win32":
    import resource

ROOT = Path(__file__).parents[1]
WAIT_S = 60.0
DISK_BYTES = 24 << 20
PIECE = bytes(1 << 16)
# Else the last gigabyte of a disk is never written to, and no disk of a test is that big.
COMMAND = "import sys; from dives import uploads; uploads.MIN_FREE_BYTES = 0; from cli import main; main(sys.argv[1:])"


def until(reached: Callable[[], Any]) -> Any:
    """Looks until it is so, as the process under test tells nobody; what it then is."""
    deadline_s = monotonic() + WAIT_S
    while not (found := reached()):
        assert monotonic() < deadline_s
        threading.Event().wait(0.02)
    return found


class Disk:
    """``folder`` is on it. ``fill`` until ``free``; real: it is a disk of its own."""

    def __init__(self, folder: Path, real: bool) -> None:
        self.folder = folder
        self.real = real
        self._ballast = folder / "ballast"
        self._limited: list[int] = []

    def fill(self, *pids: int, leave: int = 0) -> None:
        """Nothing more goes on it, but for ``leave`` bytes; pids: who must notice, this process when not given."""
        if not self.real:
            self._limited = [each for pid in pids or (os.getpid(),) for each in _family(pid)]
            for pid in self._limited:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            return
        with self._ballast.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(PIECE)
        if leave:
            os.truncate(self._ballast, self._ballast.stat().st_size - leave)

    def free(self) -> None:
        """There is room again."""
        for pid in self._limited:
            with suppress(OSError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self._limited = []
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """A disk of DISK_BYTES at ``folder``, or what comes nearest to one here."""
    folder.mkdir()
    mounted = _quietly("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "reeflens-test", str(folder))
    disk = Disk(folder, mounted)
    try:
        yield disk
    finally:
        disk.free()
        if mounted:
            _quietly("umount", "-l", str(folder))


def obedient(command: Sequence[str]) -> list[str]:
    """The command as a process for which permissions count, whoever we are."""
    if os.geteuid() != 0:
        return list(command)
    without = "-dac_override,-dac_read_search"
    setpriv = shutil.which("setpriv")
    assert setpriv, "setpriv is missing; it comes with util-linux"
    return [setpriv, f"--bounding-set={without}", f"--inh-caps={without}", *command]


def close_folder(folder: Path) -> None:
    """Nothing can be made, renamed or removed in it, nor in what is below."""
    for each in (*(path for path in folder.rglob("*") if path.is_dir()), folder):
        each.chmod(0o555)


def open_folder(folder: Path) -> None:
    folder.chmod(0o755)
    for each in folder.rglob("*"):
        if each.is_dir():
            each.chmod(0o755)


@dataclass
class Server:
    """``reeflens serve`` in a process of its own; ``url`` ends in a slash."""

    process: subprocess.Popen[str]
    url: str
    http: httpx.Client = field(repr=False)
    log: Path = field(repr=False)

    def kill(self) -> None:
        """At once and without a last word, and whoever works for it ends too."""
        self.process.kill()
        self.process.wait(WAIT_S)


@contextmanager
def serving(model: Path, log: Path, *options: object, patch: str = "") -> Iterator[Server]:
    """Serves with these options on a free port; stderr goes to ``log``. patch: Python to run before."""
    line = [sys.executable, "-c", f"{patch}\n{COMMAND}", "serve", "--port", "0", "--provider", "cpu"]
    with log.open("a", encoding="utf-8") as to:
        process = subprocess.Popen(
            obedient([*line, "--model", str(model), *map(str, options)]),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=to,
            text=True,
        )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        assert first.startswith("Reeflens is at "), log.read_text(encoding="utf-8")
        url = first.split()[-1]
        with httpx.Client(base_url=url, timeout=WAIT_S) as http:
            yield Server(process, url, http, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(WAIT_S)
        process.stdout.close()


def reeflens(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs the command line to its end."""
    line = [sys.executable, "-c", COMMAND, *map(str, arguments)]
    return subprocess.run(
        obedient(line), cwd=ROOT, capture_output=True, text=True, check=False, timeout=WAIT_S, **options
    )


def one_sentence(ended: subprocess.CompletedProcess[str]) -> str:
    """What a command that failed said: one line, and no traceback."""
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    said = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 1, ended.stderr
    return said[0].removeprefix("error: ")


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(child) for path in children for child in path.read_text().split()]
    return [pid, *(each for child in found for each in _family(child))]


def _quietly(*command: str) -> bool:
    with suppress(OSError):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False
