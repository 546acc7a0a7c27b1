"""What is killed, and who may use a folder at a time: jobs, servers and commands as the processes that they are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from clips import write_clip, write_noise
from faulty import COMMAND, ROOT, WAIT_S, one_sentence, reeflens, serving, until
from result_files import results
from sending import send, settled

from bench.kills import KINDS, kills
from dives.library import DIVES, RESULTS
from dives.process import ProcessOptions, process
from realtime.engine import Engine

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="looks for processes as Linux shows them")


def worker(server: int, dive: str) -> int:
    """The process that classifies this dive for the server, 0 when there is none; one that copies it is another."""
    found = [pid for path in Path(f"/proc/{server}/task").glob("*/children") for pid in path.read_text().split()]
    for pid in found:
        with suppress(OSError):  # it has just ended
            line = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if {"dives.worker", "dive"} <= set(line) and any(dive in part for part in line):
                return int(pid)
    return 0


@pytest.mark.parametrize("kind", list(KINDS))
def test_what_was_acknowledged_outlives_a_kill_at_any_moment(tmp_path: Path, kind: str) -> None:
    """Two of the moments of bench/kills.py; `make kills` takes fifty of each."""
    tally = kills(kind, 2, seed=7, folder=tmp_path / kind)
    assert tally.moments == 2


def test_a_job_that_is_killed_or_crashes_fails_alone_goes_on_when_asked_and_after_a_kill_of_the_server(
    tmp_path: Path, toy_model: Path
) -> None:
    clip = write_noise(tmp_path / "noise.mp4", frames=1500)
    with Engine.open(toy_model, provider="cpu", threads=1) as engine:
        whole = results(process(clip, tmp_path / "whole", engine, ProcessOptions(resume=True)).folder)
    library = tmp_path / "library"

    def journal(dive: str) -> Path:
        return library / DIVES / dive / RESULTS / "raw.journal"

    with serving(toy_model, tmp_path / "log", "--library", library) as server:
        http = server.http
        first, second = (send(http, clip, name=name) for name in ("noise.mp4", "noise.mp4"))
        for number, reason in ((signal.SIGKILL, "SIGKILL; the machine may have"), (signal.SIGSEGV, "SIGSEGV")):
            until(journal(first).exists)
            os.kill(until(lambda: worker(server.process.pid, first)), number)
            until(lambda: http.get(f"api/dives/{first}").json()["state"] == "failed")
            row = http.get(f"api/dives/{first}").json()
            assert f"the work was ended by {reason}" in row["reason"]
            assert row["cause"] == "crashed"
            assert settled(http, second)["state"] == "complete"
            http.post(f"api/dives/{first}/again", json={}).raise_for_status()
        until(lambda: worker(server.process.pid, first))
        server.kill()
    with serving(toy_model, tmp_path / "log", "--library", library) as server:
        for dive in (first, second):
            assert settled(server.http, dive)["state"] == "complete"
            found = results(journal(dive).parent)
            assert {name: found[name] for name in ("frames.csv", "sightings.csv", "cams.npy", "raw.journal")} == {
                name: whole[name] for name in ("frames.csv", "sightings.csv", "cams.npy", "raw.journal")
            }


def test_two_at_once_in_one_folder_are_one_sentence_for_the_second(tmp_path: Path, toy_model: Path) -> None:
    clip = write_clip(tmp_path / "reef.mp4", frames=90, rate=10)
    model = ("--model", toy_model, "--provider", "cpu")
    library, record = tmp_path / "library", tmp_path / "record"
    with serving(
        toy_model, tmp_path / "log", "--library", library, "--source", f"reef={clip}", "--record", record
    ) as server:
        said = one_sentence(reeflens("serve", "--port", "0", "--library", library, *model))
        assert said == f"{library}: another server uses this library; stop it, or name another folder"
        said = one_sentence(reeflens("serve", "--port", "0", "--source", f"b={clip}", "--record", record, *model))
        assert said == f"{record}: another server is recording there; choose another folder with --record"
        assert server.http.get("api/dives").status_code == 200
    # A run that stands still in the middle of its work: the second meets it there.
    noise = write_noise(tmp_path / "noise.mp4", frames=1500)
    line = ["process", noise, "--out", tmp_path / "out", *model]
    with subprocess.Popen([sys.executable, "-c", COMMAND, *map(str, line)], cwd=ROOT, stderr=subprocess.DEVNULL) as one:
        until((tmp_path / "out" / "noise" / "run.json").exists)
        one.send_signal(signal.SIGSTOP)
        try:
            said = one_sentence(reeflens(*line))
        finally:
            one.send_signal(signal.SIGCONT)
        assert said == f"{tmp_path / 'out' / 'noise'}: another run is writing here; wait for it to end"
        assert one.wait(WAIT_S) == 0
