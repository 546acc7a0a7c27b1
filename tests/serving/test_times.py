"""A dive's clock and depth over HTTP: what is known, another start, another dive log, and what does not fit."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from clips import write_clip
from running import running
from sending import send, settled

TWO_DIVES = (
    "time,depth_m\n2026-05-01T09:29:00,10\n2026-05-01T09:31:00,10\n2026-05-01T13:29:00,20\n2026-05-01T13:31:00,20\n"
)


@pytest.fixture(scope="module")
def http(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with running(toy_model, library=tmp_path_factory.mktemp("served") / "library") as started:
        yield started.http


@pytest.fixture
def dive(http: httpx.Client, tmp_path: Path) -> Iterator[str]:
    metadata = {"creation_time": "2026-05-01T09:30:00Z"}
    dive_id = send(http, write_clip(tmp_path / "reef.mp4", frames=30, rate=10, metadata=metadata))
    assert settled(http, dive_id)["state"] == "complete"
    yield dive_id
    http.delete(f"api/dives/{dive_id}").raise_for_status()


def put(http: httpx.Client, text: str, name: str = "my log.csv") -> str:
    upload = http.post("api/uploads", json={"name": name, "size": len(text)}).raise_for_status().json()["id"]
    http.patch(f"api/uploads/{upload}", content=text.encode(), headers={"upload-offset": "0"}).raise_for_status()
    return str(upload)


def table(http: httpx.Client, dive: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(http.get(f"api/dives/{dive}/files/frames.csv").text)))


def known(http: httpx.Client, dive: str) -> dict[str, Any]:
    answer: dict[str, Any] = http.get(f"api/dives/{dive}/times").raise_for_status().json()
    return answer


def test_a_start_is_given_and_taken_back(http: httpx.Client, dive: str) -> None:
    before = known(http, dive)
    assert (before["start_utc"], before["utc_source"]) == ("2026-05-01T09:30:00.000Z", "container")
    assert (before["recording_utc"], before["joined"], before["wanted"]) == (before["start_utc"], None, None)
    asked = http.post(f"api/dives/{dive}/times", json={"start_utc": "2026-05-01T15:30:00+03:00"}).json()
    assert (asked["state"], asked["times_state"]) == ("complete", "wanted")
    assert settled(http, dive)["recorded_utc"] == "2026-05-01T12:30:00.000Z"
    assert {(row["utc"][:16], row["utc_source"]) for row in table(http, dive)} == {("2026-05-01T12:30", "start")}
    now = known(http, dive)
    assert (now["start_utc"], now["utc_source"], now["given"]["start_utc"]) == (
        "2026-05-01T12:30:00.000Z",
        "start",
        "2026-05-01T12:30:00.000Z",
    )
    http.post(f"api/dives/{dive}/times", json={}).raise_for_status()
    assert settled(http, dive)["recorded_utc"] == before["start_utc"]
    assert known(http, dive) == before


def test_a_log_that_can_be_of_several_dives_is_joined_with_the_offset_that_is_offered(
    http: httpx.Client, dive: str
) -> None:
    upload = put(http, TWO_DIVES)
    wanted = {"divelog": "upload", "upload": upload}
    refused = http.post(f"api/dives/{dive}/times", json=wanted)
    assert (refused.status_code, refused.json()["misfit"]["cause"]) == (409, "several")
    assert refused.json()["detail"].startswith("reef.mp4: recorded from 2026-05-01T09:30")
    assert "an offset of 14400 for the one" in refused.json()["detail"]
    fits = refused.json()["misfit"]["fits"]
    assert [(fit["first_utc"], fit["offset_s"]) for fit in fits] == [
        ("2026-05-01T09:29:00.000Z", 0.0),
        ("2026-05-01T13:29:00.000Z", 14400.0),
    ]
    assert settled(http, dive)["times_state"] == ""
    http.post(f"api/dives/{dive}/times", json={**wanted, "divelog_offset_s": 14400}).raise_for_status()
    settled(http, dive)
    assert {row["depth_m"] for row in table(http, dive)} == {"20.00"}
    now = known(http, dive)
    assert (now["joined"]["name"], now["joined"]["dive"], now["joined"]["frames"]) == ("my-log.csv", 2, now["frames"])
    assert now["given"] == {"start_utc": "", "divelog": "my-log.csv", "divelog_offset_s": 14400.0}
    assert http.get("api/uploads").json() == []
    kept = {"divelog": "keep", "divelog_offset_s": 0}
    http.post(f"api/dives/{dive}/times", json=kept).raise_for_status()
    settled(http, dive)
    assert {row["depth_m"] for row in table(http, dive)} == {"10.00"}
    http.post(f"api/dives/{dive}/times", json={"divelog": "none"}).raise_for_status()
    settled(http, dive)
    assert {row["depth_m"] for row in table(http, dive)} == {""}
    assert known(http, dive)["given"]["divelog"] == ""


def test_what_cannot_be_is_refused_in_a_sentence_and_changes_nothing(http: httpx.Client, dive: str) -> None:
    before = known(http, dive)
    times = f"api/dives/{dive}/times"
    assert http.post(times, json={"start_utc": "2026-05-01T12:30:00"}).status_code == 422  # of which zone?
    assert http.post(times, json={"divelog": "upload", "upload": "0" * 16}).status_code == 404
    no_log = put(http, "this is no log")
    unread = http.post(times, json={"divelog": "upload", "upload": no_log}).json()
    assert (unread["misfit"]["cause"], unread["detail"][:12]) == ("unreadable", "my log.csv: ")
    elsewhere = {"divelog": "upload", "upload": put(http, TWO_DIVES), "start_utc": "2026-07-01T00:00:00Z"}
    misfit = http.post(times, json=elsewhere).json()["misfit"]
    assert (misfit["cause"], misfit["recorded_from"]) == ("elsewhere", "2026-07-01T00:00:00.000Z")
    assert [fit["offset_s"] for fit in misfit["fits"]] == [None]
    for upload in http.get("api/uploads").json():
        http.delete(f"api/uploads/{upload['id']}").raise_for_status()
    assert known(http, dive) == before
    bad = http.post("api/uploads", json={"name": "bad.mp4", "size": 3}).json()["id"]
    http.patch(f"api/uploads/{bad}", content=b"bad", headers={"upload-offset": "0"}).raise_for_status()
    http.post(f"api/uploads/{bad}/finish").raise_for_status()
    assert settled(http, bad)["state"] == "failed"
    refused = http.post(f"api/dives/{bad}/times", json={})
    assert (refused.status_code, "worked through" in refused.json()["detail"]) == (409, True)
    http.delete(f"api/dives/{bad}").raise_for_status()


def test_a_log_that_did_not_fit_when_it_was_sent_says_why_and_is_mended(http: httpx.Client, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "reef.mp4", frames=30, rate=10, metadata={"creation_time": "2026-05-01T06:30:00Z"})
    log = put(http, TWO_DIVES.replace("T13", "T21"), "log.csv")
    data = clip.read_bytes()
    upload = http.post("api/uploads", json={"name": "reef.mp4", "size": len(data)}).json()["id"]
    http.patch(f"api/uploads/{upload}", content=data, headers={"upload-offset": "0"}).raise_for_status()
    http.post(f"api/uploads/{upload}/finish", json={"divelog": log, "divelog_offset_s": 0}).raise_for_status()
    assert settled(http, upload)["cause"] == "divelog"
    misfit = known(http, upload)["misfit"]
    assert (misfit["cause"], [fit["offset_s"] for fit in misfit["fits"]]) == ("elsewhere", [10800.0])
    http.post(f"api/dives/{upload}/times", json={"divelog_offset_s": 10800}).raise_for_status()
    row = settled(http, upload)
    assert (row["cause"], row["reason"], known(http, upload)["misfit"]) == ("", "", None)
    assert {line["depth_m"] for line in table(http, upload)} == {"10.00"}
    http.delete(f"api/dives/{upload}").raise_for_status()
