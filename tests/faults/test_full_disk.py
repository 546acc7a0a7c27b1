"""A disk that is full: what was acknowledged stays, what is refused is said in one sentence, and all goes on after."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clips import write_clip, write_noise
from faulty import Disk, Server, one_sentence, reeflens, serving, small_disk, until
from result_files import results
from sending import send, settled

from dives.library import DIVES, RESULTS
from dives.process import ProcessOptions, process
from realtime.engine import Engine

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="needs Linux' mounts or limits")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk") as made:
        yield made


@pytest.mark.parametrize("leave", [8192, 150_000])
def test_a_dive_that_fills_the_disk_is_one_sentence_and_goes_on_to_the_same_bytes(
    tmp_path: Path, disk: Disk, toy_model: Path, leave: int
) -> None:
    clip = write_noise(tmp_path / "dive.mp4", frames=400)
    with Engine.open(toy_model, provider="cpu", threads=1) as engine:
        whole = results(process(clip, tmp_path / "whole", engine, ProcessOptions()).folder)
    command = ("process", clip, "--out", disk.folder, "--model", toy_model, "--provider", "cpu", "--resume")
    disk.fill(leave=leave)
    said = one_sentence(reeflens(*command))
    assert "cannot be written" in said
    disk.free()
    ended = reeflens(*command)
    assert ended.returncode == 0, ended.stderr
    assert results(disk.folder / "dive") == whole


@pytest.fixture
def server(tmp_path: Path, disk: Disk, toy_model: Path) -> Iterator[Server]:
    with serving(toy_model, tmp_path / "log", "--library", disk.folder / "library") as started:
        yield started


def test_a_library_on_a_full_disk_refuses_in_words_keeps_what_it_has_and_goes_on(
    tmp_path: Path, disk: Disk, server: Server
) -> None:
    clip = write_clip(tmp_path / "reef.mp4", frames=30, rate=10)
    longer = write_noise(tmp_path / "noise.mp4", frames=300).read_bytes()
    http = server.http
    dive = send(http, clip)
    assert settled(http, dive)["state"] == "complete"
    before = results(disk.folder / "library" / DIVES / dive / RESULTS)
    (sighting, *_) = http.get(f"api/dives/{dive}/sightings").json()
    word = {"verdict": "right", **{name: sighting[name] for name in ("number", "peak_frame", "label")}}
    upload = http.post("api/uploads", json={"name": "noise.mp4", "size": len(longer)}).json()["id"]
    half = len(longer) // 2

    def append(offset: int, data: bytes) -> int:
        return http.patch(f"api/uploads/{upload}", content=data, headers={"upload-offset": str(offset)}).status_code

    assert append(0, longer[:half]) == 204
    disk.fill(server.process.pid)
    for answer in (
        http.patch(f"api/uploads/{upload}", content=longer[half:], headers={"upload-offset": str(half)}),
        http.post("api/uploads", json={"name": "more.mp4", "size": 5}),
        http.post(f"api/dives/{dive}/corrections", json=word),
        http.patch(f"api/dives/{dive}", json={"title": "Wall"}),
        http.post(f"api/dives/{dive}/again", json={"anew": True}),
    ):
        assert answer.status_code == 507, (answer.request.url, answer.text)
        assert "disk" in answer.json()["detail"] or "library" in answer.json()["detail"]
        assert str(disk.folder) not in answer.text
    (row,) = http.get("api/dives").raise_for_status().json()["dives"]
    assert (row["title"], row["state"]) == ("reef", "complete")
    assert [each["correction"] for each in http.get(f"api/dives/{dive}/sightings").json()] == [None] * 3
    now = results(disk.folder / "library" / DIVES / dive / RESULTS)
    assert now.pop("corrections.jsonl", b"") == b""
    assert now == before
    stands = http.get(f"api/uploads/{upload}").raise_for_status().json()["offset"]
    assert stands >= half
    disk.free()
    assert append(stands, longer[stands:]) == 204
    second = http.post(f"api/uploads/{upload}/finish").raise_for_status().json()["id"]
    assert settled(http, second)["state"] == "complete"
    (kept,) = (disk.folder / "library" / DIVES / second / "original").iterdir()
    assert kept.read_bytes() == longer
    assert http.post(f"api/dives/{dive}/corrections", json=word).json()["correction"]["verdict"] == "right"
    assert http.patch(f"api/dives/{dive}", json={"title": "Wall"}).json()["title"] == "Wall"
    assert "Traceback" not in server.log.read_text(encoding="utf-8")


def test_a_disk_that_fills_at_the_last_step_of_an_upload_or_in_a_job_costs_neither(
    tmp_path: Path, disk: Disk, server: Server
) -> None:
    data = write_noise(tmp_path / "noise.mp4", frames=400).read_bytes()
    http = server.http
    upload = http.post("api/uploads", json={"name": "noise.mp4", "size": len(data)}).json()["id"]
    http.patch(f"api/uploads/{upload}", content=data, headers={"upload-offset": "0"}).raise_for_status()
    disk.fill(server.process.pid)
    assert http.post(f"api/uploads/{upload}/finish").status_code == 507
    assert http.get("api/dives").status_code == 200
    disk.free()
    dive = http.post(f"api/uploads/{upload}/finish").raise_for_status().json()["id"]
    until(lambda: http.get(f"api/dives/{dive}").json()["state"] == "running")
    disk.fill(server.process.pid)
    until(lambda: "waits" in server.log.read_text() or http.get(f"api/dives/{dive}").json()["state"] != "running")
    disk.free()
    row = settled(http, dive)
    if row["state"] != "complete":  # it may have been through before the disk was full
        assert row["state"] == "failed"
        assert str(disk.folder) not in row["reason"]
        http.post(f"api/dives/{dive}/again", json={}).raise_for_status()
        row = settled(http, dive)
    assert row["state"] == "complete", row


def test_a_full_library_can_be_emptied(tmp_path: Path, disk: Disk, server: Server) -> None:
    http = server.http
    dive = send(http, write_noise(tmp_path / "noise.mp4", frames=60))
    assert settled(http, dive)["state"] == "complete"
    disk.fill(server.process.pid)
    answer = http.delete(f"api/dives/{dive}")
    if disk.real:  # a limit on file size does not go away with a file
        assert answer.status_code == 204, answer.text
        assert http.get("api/dives").json()["dives"] == []
    disk.free()
    assert http.delete(f"api/dives/{dive}").status_code in (204, 404)
    assert http.get("api/dives").json()["dives"] == []


def test_live_goes_on_while_the_disk_is_full_and_recording_comes_back(
    tmp_path: Path, disk: Disk, toy_model: Path
) -> None:
    clip = write_clip(tmp_path / "reef.mp4", frames=90, rate=10)
    record = disk.folder / "record"
    options = ("--source", f"reef={clip}", "--record", record, "--record-clips", "1")
    often = "from serving import recorder; recorder.RETRY_S = 0.2"
    with serving(toy_model, tmp_path / "log", *options, patch=often) as server:
        http = server.http

        def recording() -> dict[str, Any]:
            found: dict[str, Any] = http.get("api/status").raise_for_status().json()["recording"]
            return found

        def classified() -> int:
            return int(http.get("api/status").json()["sources"]["reef"]["classified"])

        until(lambda: recording()["sightings"] >= 2)
        listed = {each["id"] for each in http.get("api/sightings").json() if not each["ongoing"]}
        rows = recording()["rows"]
        disk.fill(server.process.pid)
        until(lambda: recording()["state"] == "retrying")
        seen, lost = classified(), recording()["lost"]["disk"]
        until(lambda: classified() > seen + 10 and recording()["lost"]["disk"] > lost + 20)  # several times RETRY_S
        now = recording()
        assert (now["state"], now["errors"]) == ("retrying", 1), now
        assert str(disk.folder) not in now["reason"]
        assert 'reeflens_recording_state{state="retrying"} 1.0' in http.get("metrics").text
        disk.free()
        until(lambda: recording()["state"] == "on")
        until(lambda: recording()["rows"] > rows + 10 and recording()["waiting"] == 0)
        everything = {each["id"] for each in http.get("api/sightings?limit=500").json()}
        assert listed <= everything
        # Said when the disk has taken everything for RETRY_S.
        until(lambda: "goes on" in (tmp_path / "log").read_text(encoding="utf-8"))
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert log.count("recording has stopped") == log.count("goes on") == 1, log
    assert "Traceback" not in log
    tables = list((record / "reef").glob("*.csv"))
    for path in tables:
        with path.open(encoding="utf-8", newline="") as file:
            header, *lines = csv.reader(file)
        assert {len(line) for line in lines} == {len(header)}, path.name
        assert path.read_bytes().endswith(b"\n")
    frames = [line for path in tables if path.name.startswith("frames") for line in path.read_text().splitlines()[1:]]
    assert len(frames) == len(set(frames))


def test_a_library_whose_disk_is_full_at_the_start_says_so(tmp_path: Path, disk: Disk, toy_model: Path) -> None:
    library = disk.folder / "library"
    (library / DIVES).mkdir(parents=True)
    disk.fill()
    said = one_sentence(reeflens("serve", "--library", library, "--model", toy_model, "--port", "0"))
    assert str(library) in said
    assert not json.dumps(said).count("\\n")
