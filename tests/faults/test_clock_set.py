"""Somebody sets the clock while a server records and takes in files: nothing is lost, doubled or written over by it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from clips import write_clip
from faulty import serving, until
from sending import send, settled

pytestmark = pytest.mark.skipif("sys.platform == 'win32'", reason="the server is stopped by a signal")

# What the server takes for the time is off by what stands in a file.
CLOCK = """
import datetime, time
from pathlib import Path
def off_s():
    return float(Path({off!r}).read_text() or 0)
class Set(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) + datetime.timedelta(seconds=off_s())
unset = time.time
time.time = lambda: unset() + off_s()
from dives import corrections, library, process, recording, run_facts
from realtime import cameras, push, sources
for module in (corrections, library, process, recording, run_facts, cameras, push, sources):
    if hasattr(module, "datetime"):
        module.datetime = Set
Set.__name__ = "datetime"
"""
DAY_S = 86_400.0


def test_a_clock_that_is_set_while_a_server_runs_loses_nothing(tmp_path: Path, toy_model: Path) -> None:
    clip = write_clip(tmp_path / "reef.mp4", frames=90, rate=10)
    off, record = tmp_path / "off", tmp_path / "record"
    off.write_text("0")
    options = ("--library", tmp_path / "library", "--source", f"reef={clip}", "--record", record)
    token = "operate-0123456789abcdef"
    patch = CLOCK.format(off=str(off))
    listed: list[str] = []
    with serving(toy_model, tmp_path / "log", *options, "--token", token, patch=patch) as server:
        http = server.http
        http.post("api/session", json={"token": token}).raise_for_status()  # a cookie from here on

        def recording() -> dict[str, Any]:
            found: dict[str, Any] = http.get("api/status").raise_for_status().json()["recording"]
            return found

        upload = http.post("api/uploads", json={"name": "half.mp4", "size": 10}).raise_for_status().json()["id"]
        headers = {"upload-offset": "0"}
        http.patch(f"api/uploads/{upload}", content=b"12345", headers=headers).raise_for_status()
        dive = send(http, clip)
        for days in (-1, 12, -2):
            seen = recording()["sightings"]
            until(lambda seen=seen: recording()["sightings"] > seen + 1)
            newest = http.get("api/sightings?limit=500").raise_for_status().json()
            assert [each["id"] for each in newest][-len(listed) :] == listed or not listed  # the old ones come last
            listed = [each["id"] for each in newest if not each["ongoing"]]
            off.write_text(str(days * DAY_S))
            http.post("api/uploads", json={"name": "x.mp4", "size": 5}).raise_for_status()  # looks for old ones
            assert http.get(f"api/uploads/{upload}").raise_for_status().json()["offset"] == 5
        assert settled(http, dive)["state"] == "complete"
        counted = recording()["rows"]
    with serving(toy_model, tmp_path / "log", *options, "--token", token, patch=patch) as server:
        server.http.headers["authorization"] = f"Bearer {token}"
        again = [each["id"] for each in server.http.get("api/sightings?limit=500").raise_for_status().json()]
        assert set(listed) <= set(again)
        assert len(again) == len(set(again))
    rows = []
    for path in (record / "reef").glob("frames-*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            rows += [tuple(line) for line in list(csv.reader(file))[1:]]
    assert len(list((record / "reef").glob("frames-*.csv"))) >= 3  # a day each
    assert len(rows) == len(set(rows)) >= counted
    with (record / "reef" / "sightings.csv").open(encoding="utf-8", newline="") as file:
        stills = [line["still"] for line in csv.DictReader(file) if line["still"]]  # one may come too late for it
    assert len(set(stills)) == len(stills)
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")
