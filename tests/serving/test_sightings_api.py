"""serving/sightings.py: the list over HTTP, its pictures, what people say of it, and what a kill leaves of both."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from clips import write_clip
from running import WAIT_S, Running, running

from dives.collect import collect
from realtime.errors import ResultsError, SettingsError
from server import ServerSettings

ROOT = Path(__file__).parents[2]
FIELDS = {
    *("id", "source", "label", "start_s", "end_s", "start_utc", "end_utc", "ongoing", "peak_s", "peak_frame"),
    *("peak_probability", "mean_probability", "frames", "still", "overlay", "clip", "recorded", "correction"),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red, green and blue in turn, which the toy takes for its three animals."""
    return write_clip(tmp_path_factory.mktemp("clip") / "dive.mp4", frames=60, size_hw=(96, 128))


@pytest.fixture(scope="module")
def recorded(toy_model: Path, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    folder = tmp_path_factory.mktemp("rec")
    sources = {"reef": str(clip), "scene": "scene"}
    with running(toy_model, sources=sources, record=folder, clips_s=0.2) as server:
        server.wait_for("reef", lambda source: source["state"] == "ended")
        yield server, folder


def listed(http: httpx.Client, query: str = "") -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = http.get(f"api/sightings{query}").raise_for_status().json()
    return answer


def some(http: httpx.Client, query: str, count: int) -> list[dict[str, Any]]:
    """The list, as soon as so many have ended."""
    deadline_s = monotonic() + WAIT_S
    while True:
        found = listed(http, query)
        if sum(not item["ongoing"] for item in found) >= count:
            return found
        assert monotonic() < deadline_s, found


def test_every_field_is_there_and_the_newest_comes_first(recorded: tuple[Running, Path]) -> None:
    server, _ = recorded
    found = some(server.http, "?source=reef", 3)
    assert all(item.keys() == FIELDS for item in found)
    assert {item["source"] for item in found} == {"reef"}
    begun = [item["start_utc"] for item in found]
    assert begun == sorted(begun, reverse=True)
    assert listed(server.http, "?source=reef&limit=2") == found[:2] or len(found) > 2
    after_first = listed(server.http, f"?source=reef&limit=1&before={found[0]['id']}")
    assert [item["id"] for item in after_first] == [found[1]["id"]]
    assert server.http.get(f"api/sightings/{found[0]['id']}").json()["label"] == found[0]["label"]


def test_stills_and_clips_are_where_the_list_says(recorded: tuple[Running, Path]) -> None:
    server, _ = recorded
    deadline_s = monotonic() + WAIT_S
    while (
        item := next((item for item in listed(server.http, "?source=reef") if item["clip"] and item["still"]), None)
    ) is None:
        assert monotonic() < deadline_s
    pictures = []
    for name in ("still", "overlay"):
        answer = server.http.get(item[name])
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        pictures.append(cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR))
    assert pictures[0].shape == pictures[1].shape == (96, 128, 3)
    part = server.http.get(item["clip"], headers={"range": "bytes=4-7"})
    assert (part.status_code, part.headers["content-type"], part.content) == (206, "video/mp4", b"ftyp")


def say(http: httpx.Client, sighting: str, **word: str) -> httpx.Response:
    return http.post(f"api/sightings/{sighting}/correction", json=word)


def test_what_is_said_of_a_sighting_stands_in_the_list_and_in_its_folder_until_it_is_taken_back(
    recorded: tuple[Running, Path],
) -> None:
    server, folder = recorded
    ended = [item for item in some(server.http, "?source=reef", 3) if not item["ongoing"]]
    item = ended[-1]
    assert (item["recorded"], item["correction"]) == (True, None)
    told = say(server.http, item["id"], verdict="wrong", truth="Moray eel", by="Ada").raise_for_status().json()
    assert {**told["correction"], "at": ""} == {
        "verdict": "wrong",
        "label": "Moray eel",
        "by": "Ada",
        "note": "",
        "at": "",
    }
    assert told in listed(server.http, "?source=reef")
    assert say(server.http, item["id"], verdict="wrong", truth=item["label"]).status_code == 422
    assert say(server.http, item["id"], verdict="maybe").status_code == 422
    assert say(server.http, "0123456789abcdef", verdict="right").status_code == 404
    assert "Moray eel" in (folder / "reef" / "corrections.jsonl").read_text(encoding="utf-8")
    assert say(server.http, item["id"], verdict="undo").json()["correction"] is None


@pytest.mark.parametrize(
    "path",
    [
        "/nobody",
        "/nobody/still.jpg",
        "/nobody/overlay.jpg",
        "/nobody/clip.mp4",
        "/..%2f..%2fa",
        "?source=atlantis",
        "?before=x",
    ],
)
def test_what_is_not_there_is_404_with_the_reason(recorded: tuple[Running, Path], path: str) -> None:
    server, _ = recorded
    answer = server.http.get(f"api/sightings{path}")
    assert answer.status_code == 404
    assert answer.json().keys() == {"detail"}


@pytest.mark.parametrize("limit", ["0", "501", "many"])
def test_a_limit_out_of_range_is_refused(recorded: tuple[Running, Path], limit: str) -> None:
    server, _ = recorded
    assert server.http.get(f"api/sightings?limit={limit}").status_code == 422


def test_the_status_says_that_it_records_and_a_second_server_there_is_refused(
    recorded: tuple[Running, Path], toy_model: Path
) -> None:
    server, folder = recorded
    recording = server.status()["recording"]
    assert (recording["state"], recording["reason"], recording["errors"]) == ("on", "", 0)
    assert recording["rows"] > 0
    with pytest.raises(ResultsError, match="another server is recording there"), running(toy_model, record=folder):
        pass


def test_without_a_folder_sightings_and_small_stills_are_kept_in_memory(toy_model: Path, clip: Path) -> None:
    with running(toy_model, sources={"reef": str(clip)}) as server:
        found = some(server.http, "", 3)
        assert found[0]["clip"] is None
        assert server.http.get(found[-1]["still"]).headers["content-type"] == "image/jpeg"
        assert server.http.get(f"api/sightings/{found[0]['id']}/clip.mp4").status_code == 404
        assert server.status()["recording"]["state"] == "off"
        assert not found[0]["recorded"]
        refused = say(server.http, found[0]["id"], verdict="right")
        assert (refused.status_code, refused.json()["cause"]) == (409, "off")
        assert "--record" in refused.json()["detail"]


def test_of_a_recording_that_was_removed_nothing_can_be_said(toy_model: Path, clip: Path, tmp_path: Path) -> None:
    with running(toy_model, sources={"reef": str(clip)}, record=tmp_path / "rec") as server:
        (item, *_) = [item for item in some(server.http, "", 1) if not item["ongoing"]]
        (tmp_path / "rec").rename(tmp_path / "away")  # at once, while it is written to
        refused = say(server.http, item["id"], verdict="right")
        assert (refused.status_code, refused.json()["cause"]) == (409, "gone")
        assert not (tmp_path / "rec").exists()


def test_a_folder_that_cannot_be_written_stops_the_start(toy_model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match="cannot be recorded to"), running(toy_model, record=tmp_path / "file"):
        pass


@pytest.mark.parametrize(
    "settings", [{"clips_s": 5.0}, {"clips_s": 0.0, "record": "x"}, {"clips_s": 61.0, "record": "x"}]
)
def test_clips_want_a_folder_and_a_length(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"^--record-clips:"):
        ServerSettings(model=Path("any.onnx"), **settings)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_what_was_listed_and_said_when_the_server_was_killed_is_there_after_a_restart_and_becomes_a_photograph(
    toy_model: Path, tmp_path: Path
) -> None:
    """SIGKILL while a sighting is under way, on a picture that never changes; then the same folder again, twice."""
    still = np.full((48, 64, 3), (0, 0, 255), np.uint8)
    (tmp_path / "red").mkdir()
    for number in range(60):
        cv2.imwrite(str(tmp_path / "red" / f"{number:02}.png"), still)
    folder = tmp_path / "rec"
    command = [sys.executable, "-m", "cli", "serve", "--model", str(toy_model), "--provider", "cpu", "--port", "0"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("REEFLENS")}
    with subprocess.Popen(
        [*command, "--source", f"reef={tmp_path / 'red'}", "--record", str(folder)],
        **{"cwd": tmp_path, "env": {**variables, "PYTHONPATH": str(ROOT)}},
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split()[-1]
            with httpx.Client(base_url=url, timeout=WAIT_S) as http:
                deadline_s = monotonic() + WAIT_S
                while not (seen := listed(http)) or seen[0]["frames"] < 2:
                    assert monotonic() < deadline_s
                say(http, seen[0]["id"], verdict="wrong", truth="Moray eel", by="Ada").raise_for_status()
        finally:
            server.send_signal(signal.SIGKILL)
            server.wait(WAIT_S)
    assert seen[0]["ongoing"]
    for _ in range(2):
        with running(toy_model, sources={"reef": "scene"}, record=folder) as again:
            (kept,) = [item for item in listed(again.http, "?source=reef") if item["id"] == seen[0]["id"]]
            assert (kept["label"], kept["ongoing"], kept["start_utc"]) == ("Fish", False, seen[0]["start_utc"])
            assert kept["frames"] >= seen[0]["frames"]
            assert kept["correction"]["label"] == "Moray eel"
            assert again.http.get(kept["still"]).status_code == 200
    assert collect([folder], tmp_path / "photos").problems == []
    (photo,) = (tmp_path / "photos" / "Moray eel").iterdir()
    assert cv2.imread(str(photo)).shape == still.shape
    with next((folder / "reef").glob("frames-*.csv")).open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert lines[0]["stable_label"] == "Fish"
    assert all(None not in line.values() and None not in line for line in lines)
