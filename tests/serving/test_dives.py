"""The library over HTTP: uploads, ranges, names, corrections, and who may change anything."""

from __future__ import annotations

import io
import re
import socket as sockets
import zipfile
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
from clips import write_clip
from running import WAIT_S, Running, running
from sending import send, settled

from dives.library import Library
from realtime.errors import LibraryError, SettingsError
from server import ServerSettings

LIMIT = 2_000_000


def answered(server: Running, path: str) -> int:
    """The status for a path that is sent as it is; httpx would tidy it first."""
    raw = HTTPConnection(server.authority, timeout=WAIT_S)
    raw.request("GET", path)
    with raw.getresponse() as answer:
        return answer.status


@pytest.fixture(scope="module")
def server(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    library = tmp_path_factory.mktemp("served") / "library"
    with running(toy_model, library=library, upload_limit=LIMIT) as started:
        yield started


@pytest.fixture(scope="module")
def http(server: Running) -> httpx.Client:
    return server.http


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 s: red, green and blue, a second each."""
    recorded = {"creation_time": "2026-05-01T09:30:00Z"}
    return write_clip(tmp_path_factory.mktemp("clip") / "reef.mp4", frames=30, rate=10, metadata=recorded)


@pytest.fixture(scope="module")
def dive(http: httpx.Client, clip: Path) -> str:
    dive_id = send(http, clip, name="Reef <1>.MP4")
    assert settled(http, dive_id)["state"] == "complete"
    return dive_id


def test_a_dive_that_was_sent_is_listed_with_what_was_seen(http: httpx.Client, dive: str) -> None:
    (row,) = [row for row in http.get("api/dives").json()["dives"] if row["id"] == dive]
    assert (row["title"], row["file_name"], row["state"]) == ("Reef <1>", "Reef <1>.MP4", "complete")
    assert row["species"] == {"Fish": 1, "Octopus": 1, "Turtle": 1}
    assert row["work"] is None
    thumbnail = http.get(f"api/dives/{dive}/thumbnail")
    assert (thumbnail.headers["content-type"], thumbnail.content[:2]) == ("image/jpeg", b"\xff\xd8")


def test_a_first_screen_of_them_is_the_newest_and_says_how_many_there_are(http: httpx.Client, dive: str) -> None:
    everything = http.get("api/dives").json()
    first = http.get("api/dives", params={"limit": 1}).json()
    assert first["dives"] == everything["dives"][:1]
    assert first["count"] == everything["count"] == len(everything["dives"])
    assert http.get("api/dives", params={"limit": 0}).status_code == 422


def test_several_uploads_become_one_dive_whose_files_can_be_had_again(http: httpx.Client, clip: Path) -> None:
    data = clip.read_bytes()
    ids = []
    for name in ("one.mp4", "two.mp4"):
        upload = http.post("api/uploads", json={"name": name, "size": len(data), "every_s": 1.0}).json()["id"]
        http.patch(f"api/uploads/{upload}", content=data, headers={"upload-offset": "0"}).raise_for_status()
        ids.append(upload)
    finish = f"api/uploads/{ids[0]}/finish"
    assert http.post(finish, json={"more": [ids[0]]}).status_code == 422
    assert http.post(finish, json={"start_utc": "2026-06-01T08:00:00"}).status_code == 422  # of which zone?
    dive = http.post(finish, json={"more": [ids[1]], "start_utc": "2026-06-01T10:00:00+02:00"}).json()
    assert http.get("api/uploads").json() == []
    row = settled(http, dive["id"])
    assert (row["state"], row["copy_state"], row["unplayable_cause"]) == ("complete", "ready", "parts")
    assert (row["recorded_utc"], row["duration_s"]) == ("2026-06-01T08:00:00.000Z", pytest.approx(6.0))
    assert http.get(f"api/dives/{dive['id']}/originals").json() == [
        {"name": name, "bytes": len(data)} for name in ("one.mp4", "two.mp4")
    ]
    second = http.get(f"api/dives/{dive['id']}/original", params={"part": 1})
    assert (second.content, 'filename="two.mp4"' in second.headers["content-disposition"]) == (data, True)
    assert http.get(f"api/dives/{dive['id']}/original", params={"part": 2}).status_code == 404
    http.delete(f"api/dives/{dive['id']}").raise_for_status()


def test_the_overlay_video_is_drawn_on_request_and_not_of_what_is_unfinished(http: httpx.Client, dive: str) -> None:
    asked = http.post(f"api/dives/{dive}/again", json={"what": "overlay"}).json()
    assert (asked["state"], asked["overlay_state"]) == ("complete", "wanted")
    assert settled(http, dive)["overlay_state"] == "ready"
    drawn = http.get(f"api/dives/{dive}/files/overlay.mp4")
    assert (drawn.headers["content-type"], drawn.content[4:8]) == ("video/mp4", b"ftyp")
    bad = send_bytes(http, b"no video at all")
    assert settled(http, bad)["state"] == "failed"
    assert http.post(f"api/dives/{bad}/again", json={"what": "overlay"}).status_code == 409
    http.delete(f"api/dives/{bad}").raise_for_status()


def send_bytes(http: httpx.Client, data: bytes) -> str:
    upload = http.post("api/uploads", json={"name": "bad.mp4", "size": len(data)}).json()["id"]
    http.patch(f"api/uploads/{upload}", content=data, headers={"upload-offset": "0"}).raise_for_status()
    return str(http.post(f"api/uploads/{upload}/finish").json()["id"])


class TestUploads:
    def begin(self, http: httpx.Client, size: int = 6, name: str = "a.mp4") -> str:
        return str(http.post("api/uploads", json={"name": name, "size": size}).json()["id"])

    def put(self, http: httpx.Client, upload: str, data: bytes, offset: int | str) -> httpx.Response:
        return http.patch(f"api/uploads/{upload}", content=data, headers={"upload-offset": str(offset)})

    def test_it_goes_on_from_where_the_server_says_it_stands(self, http: httpx.Client) -> None:
        upload = self.begin(http)
        assert self.put(http, upload, b"abc", 0).headers["upload-offset"] == "3"
        refused = self.put(http, upload, b"xyz", 0)
        assert (refused.status_code, refused.headers["upload-offset"]) == (409, "3")
        assert http.post(f"api/uploads/{upload}/finish").status_code == 409
        assert http.get(f"api/uploads/{upload}").json()["offset"] == 3
        assert upload in [found["id"] for found in http.get("api/uploads").json()]
        assert http.delete(f"api/uploads/{upload}").status_code == 204
        assert http.get(f"api/uploads/{upload}").status_code == 404

    def test_what_arrived_of_a_body_that_broke_off_is_kept(self, http: httpx.Client, server: Running) -> None:
        upload = self.begin(http, size=1_000_000)
        host, _, port = server.authority.partition(":")
        with sockets.create_connection((host, int(port))) as raw:
            head = f"PATCH /api/uploads/{upload} HTTP/1.1\r\nhost: {server.authority}\r\nupload-offset: 0\r\n"
            raw.sendall(f"{head}content-length: 1000000\r\n\r\n".encode() + bytes(300_000))
        deadline_s = monotonic() + WAIT_S
        while (offset := http.get(f"api/uploads/{upload}").json()["offset"]) == 0:
            assert monotonic() < deadline_s
        while (again := self.put(http, upload, bytes(10), offset)).status_code in (409, 423):
            assert monotonic() < deadline_s
            offset = http.get(f"api/uploads/{upload}").json()["offset"]
        assert again.headers["upload-offset"] == str(offset + 10)
        assert 0 < offset <= 300_000
        http.delete(f"api/uploads/{upload}")

    @pytest.mark.parametrize(
        ("wanted", "status"),
        [
            ({"name": "a.mp4", "size": LIMIT + 1}, 413),
            ({"name": "a.mp4", "size": 0}, 413),
            ({"name": "a.mp4", "size": -5}, 413),
            ({"name": "a.mp4", "size": 10**30}, 413),
            ({"name": "a.mp4"}, 422),
            ({"name": 5, "size": 5}, 422),
            ({"name": "x" * 30_000, "size": 5}, 422),
            ({"name": "a.mp4", "size": 5, "every_s": 0}, 422),
            ({"name": "a.mp4", "size": 5, "every_s": "inf"}, 422),
            ({"name": "a.mp4", "size": 5, "every_s": -1}, 422),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, http: httpx.Client, wanted: dict[str, Any], status: int) -> None:
        assert http.post("api/uploads", json=wanted).status_code == status

    @pytest.mark.parametrize("offset", ["", "-1", "x", "1e3", "٣", "9" * 40])
    def test_an_offset_that_is_none_is_refused(self, http: httpx.Client, offset: str) -> None:
        upload = self.begin(http)
        answer = http.patch(f"api/uploads/{upload}", content=b"a", headers={b"upload-offset": offset.encode()})
        assert answer.status_code in (409, 422)
        assert http.get(f"api/uploads/{upload}").json()["offset"] == 0
        http.delete(f"api/uploads/{upload}")

    def test_more_than_was_announced_is_refused_while_it_streams(self, http: httpx.Client) -> None:
        upload = self.begin(http, size=10)
        assert self.put(http, upload, bytes(3_000_000), 0).status_code == 413
        assert http.get(f"api/uploads/{upload}").json()["offset"] == 0
        http.delete(f"api/uploads/{upload}")

    def test_the_quota_is_kept(self, toy_model: Path, tmp_path: Path) -> None:
        with running(toy_model, library=tmp_path, quota=1_000_000) as server:
            answer = server.http.post("api/uploads", json={"name": "a.mp4", "size": 2_000_000})
            assert (answer.status_code, "the library may hold" in answer.json()["detail"]) == (507, True)

    @pytest.mark.parametrize("name", ["../../x", "a\x00b", "x" * 5000, "🐠.mp4", "\u202e4pm.exe", "CON.mp4", " "])
    def test_a_hostile_name_is_taken_as_text(self, http: httpx.Client, name: str, clip: Path) -> None:
        dive_id = send(http, clip, name=name)
        row = http.get(f"api/dives/{dive_id}").json()
        assert row["title"]
        original = http.get(f"api/dives/{dive_id}/original")
        assert original.content == clip.read_bytes()
        assert original.headers["content-disposition"].startswith("attachment")
        assert http.delete(f"api/dives/{dive_id}").status_code == 204
        assert http.get(f"api/dives/{dive_id}").status_code == 404

    def test_a_file_that_is_no_video_is_a_dive_that_failed_and_can_be_deleted(
        self, http: httpx.Client, tmp_path: Path
    ) -> None:
        (tmp_path / "notes.mp4").write_text("not a video")
        dive_id = send(http, tmp_path / "notes.mp4")
        row = settled(http, dive_id)
        assert (row["state"], row["reason"]) == ("failed", "not a video that can be read")
        assert http.get(f"api/dives/{dive_id}/thumbnail").status_code == 404
        assert http.delete(f"api/dives/{dive_id}").status_code == 204


class TestVideo:
    @pytest.mark.parametrize(
        ("asked", "status", "content_range"),
        [
            ("bytes=0-9", 206, "bytes 0-9/{size}"),
            ("bytes=5-5", 206, "bytes 5-5/{size}"),
            ("bytes=10-", 206, "bytes 10-{last}/{size}"),
            ("bytes=-10", 206, "bytes {tail}-{last}/{size}"),
            ("bytes=0-999999999", 206, "bytes 0-{last}/{size}"),
            ("bytes={size}-", 416, "bytes */{size}"),
            ("bytes=999999999-", 416, "bytes */{size}"),
            ("bytes=9-5", 400, ""),
            ("bytes=x", 400, ""),
            ("frames=0-5", 400, ""),
        ],
    )
    def test_parts_of_it_can_be_had(
        self, http: httpx.Client, dive: str, clip: Path, asked: str, status: int, content_range: str
    ) -> None:
        whole = clip.read_bytes()
        facts = {"size": len(whole), "last": len(whole) - 1, "tail": len(whole) - 10}
        answer = http.get(f"api/dives/{dive}/video", headers={"range": asked.format(**facts)})
        assert answer.status_code == status
        assert answer.headers.get("content-range", "") == content_range.format(**facts)
        if status == 206:
            first, _, last = content_range.format(**facts).removeprefix("bytes ").partition("/")[0].partition("-")
            assert answer.content == whole[int(first) : int(last) + 1]

    def test_the_whole_its_head_and_what_the_browser_has(self, http: httpx.Client, dive: str, clip: Path) -> None:
        whole = http.get(f"api/dives/{dive}/video")
        assert (whole.content, whole.headers["content-type"]) == (clip.read_bytes(), "video/mp4")
        assert whole.headers["accept-ranges"] == "bytes"
        head = http.head(f"api/dives/{dive}/video")
        assert (head.content, head.headers["content-length"]) == (b"", str(len(whole.content)))
        etag = whole.headers["etag"]
        part = {"range": "bytes=0-4"}
        assert http.get(f"api/dives/{dive}/video", headers={**part, "if-range": etag}).status_code == 206
        assert http.get(f"api/dives/{dive}/video", headers={**part, "if-range": '"other"'}).status_code == 200
        assert http.get(f"api/dives/{dive}/video", headers={"if-none-match": etag}).status_code == 304

    def test_a_copy_stands_in_where_browsers_do_not_play_the_original(self, http: httpx.Client, tmp_path: Path) -> None:
        dive_id = send(http, write_clip(tmp_path / "reef.mkv"))
        row = settled(http, dive_id)
        assert (row["copy_state"], row["playable"]) == ("ready", False)
        assert "Matroska" in row["unplayable"]
        assert http.get(f"api/dives/{dive_id}/video").content[4:8] == b"ftyp"
        assert http.get(f"api/dives/{dive_id}/original").content == (tmp_path / "reef.mkv").read_bytes()


NAMES = [
    "raw.journal",
    "../dive.json",
    "../original/Reef-1.mp4",
    "%2e%2e/dive.json",
    "..%2fdive.json",
    "..%5cdive.json",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "frames.csv%00",
    "frames.csv/",
    "./frames.csv",
    "stills/../run.json",
    "FRAMES.CSV",
    "missing.csv",
    "C:%5cboot.ini",
    "%ff",
]


class TestFiles:
    def test_every_result_can_be_downloaded_and_is_never_shown_as_a_page(self, http: httpx.Client, dive: str) -> None:
        found = http.get(f"api/dives/{dive}/files").json()
        names = {entry["name"] for entry in found}
        assert {"frames.csv", "sightings.csv", "cams.npy", "dive.vtt", "dive.srt", "run.json"} <= names
        assert "raw.journal" not in names
        for entry in found:
            answer = http.get(f"api/dives/{dive}/files/{entry['name']}")
            assert len(answer.content) == entry["bytes"]
            assert answer.headers["content-disposition"].startswith("attachment")
            assert "html" not in answer.headers["content-type"]

    def test_a_still_comes_small_for_a_list(self, http: httpx.Client, dive: str) -> None:
        still = http.get(f"api/dives/{dive}/sightings").json()[0]["still"]
        small = http.get(f"api/dives/{dive}/files/{still}?small=true")
        assert (small.headers["content-type"], small.content[:2]) == ("image/jpeg", b"\xff\xd8")
        assert "content-disposition" not in small.headers
        tag = {"if-none-match": small.headers["etag"]}
        assert http.get(f"api/dives/{dive}/files/{still}?small=true", headers=tag).status_code == 304
        assert http.get(f"api/dives/{dive}/files/frames.csv?small=true").headers["content-type"].startswith("text/csv")

    def test_all_of_them_come_in_one_zip_with_what_people_said(self, http: httpx.Client, dive: str) -> None:
        row = http.get(f"api/dives/{dive}/sightings").json()[1]
        said = {"number": 1, "peak_frame": row["peak_frame"], "label": row["label"], "verdict": "wrong", "truth": "Eel"}
        http.post(f"api/dives/{dive}/corrections", json=said).raise_for_status()
        answer = http.get(f"api/dives/{dive}/results.zip").raise_for_status()
        assert "content-length" not in answer.headers
        assert answer.headers["content-type"] == "application/zip"
        assert answer.headers["content-disposition"].endswith("filename*=utf-8''Reef%20-1.zip")
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            names = {name.removeprefix("Reef -1/") for name in archive.namelist()}
            occurrences = archive.read("Reef -1/occurrence.csv").decode()
            assert archive.testzip() is None
        assert names == {entry["name"] for entry in http.get(f"api/dives/{dive}/files").json()}
        assert {"corrections.jsonl", "frames.parquet"} < names
        assert re.search(r",Eel,.*ValidatedByHuman", occurrences)
        http.post(f"api/dives/{dive}/corrections", json={**said, "verdict": "undo", "truth": ""}).raise_for_status()
        assert "ValidatedByHuman" not in http.get(f"api/dives/{dive}/files/occurrence.csv").text

    @pytest.mark.parametrize("name", NAMES)
    def test_nothing_else_of_the_disk_can_be_had(self, server: Running, dive: str, name: str) -> None:
        assert answered(server, f"/api/dives/{dive}/files/{name}") == 404

    @pytest.mark.parametrize("dive_id", ["..", "%2e%2e", "..%2f..", "0" * 16, "x", "%00", "-1"])
    @pytest.mark.parametrize(
        "path", ["", "/video", "/original", "/thumbnail", "/track", "/sightings", "/files", "/results.zip"]
    )
    def test_a_dive_that_is_none_has_nothing(self, server: Running, dive_id: str, path: str) -> None:
        assert answered(server, f"/api/dives/{dive_id}{path}") == 404

    def test_a_link_in_the_results_leads_nowhere(self, toy_model: Path, tmp_path: Path, clip: Path) -> None:
        (tmp_path / "secret.csv").write_text("secret")
        with running(toy_model, library=tmp_path / "library") as server:
            dive_id = send(server.http, clip)
            settled(server.http, dive_id)
            link = tmp_path / "library" / "dives" / dive_id / "results" / "secret.csv"
            link.symlink_to(tmp_path / "secret.csv")
            assert server.http.get(f"api/dives/{dive_id}/files/secret.csv").status_code == 404


def test_the_track_is_read_by_its_edition_and_in_parts(http: httpx.Client, dive: str) -> None:
    index = http.get(f"api/dives/{dive}/track").json()
    assert (index["rows"], index["labels"]) == (30, ["Fish", "Octopus", "Turtle"])
    chunk = index["chunks"][0]
    path = f"api/dives/{dive}/track/{index['edition']}"
    part = http.get(path, headers={"range": f"bytes=0-{chunk['bytes'] - 1}"})
    assert (part.status_code, len(part.content)) == (206, chunk["bytes"])
    assert "immutable" in part.headers["cache-control"]
    assert http.get(f"api/dives/{dive}/track/0").status_code == 404


class TestCorrections:
    def say(self, http: httpx.Client, dive: str, verdict: str, truth: str = "", **changes: object) -> httpx.Response:
        row = http.get(f"api/dives/{dive}/sightings").json()[1]
        said = {"number": 1, "peak_frame": row["peak_frame"], "label": row["label"], "verdict": verdict, "truth": truth}
        return http.post(f"api/dives/{dive}/corrections", json={**said, **changes})

    def test_a_note_is_kept_with_a_word(self, http: httpx.Client, dive: str) -> None:
        said = self.say(http, dive, "right", note="two of them,\nunder the ledge").json()
        assert said["correction"]["note"] == "two of them, under the ledge"
        assert self.say(http, dive, "right", note="x" * 2001).status_code == 422
        self.say(http, dive, "undo")

    def test_what_was_said_is_in_the_list_of_dives_and_in_the_files_at_once(
        self, http: httpx.Client, dive: str
    ) -> None:
        def species() -> dict[str, int]:
            (row,) = [row for row in http.get("api/dives").json()["dives"] if row["id"] == dive]
            found: dict[str, int] = row["species"]
            return found

        self.say(http, dive, "wrong", "Eel").raise_for_status()
        assert species() == {"Fish": 1, "Eel": 1, "Turtle": 1}
        names = {entry["name"] for entry in http.get(f"api/dives/{dive}/files").json()}
        assert "sightings-checked.csv" in names
        assert ",wrong,Eel,," in http.get(f"api/dives/{dive}/files/sightings-checked.csv").text
        assert "wrong, it is Eel" in http.get(f"api/dives/{dive}/files/report.html").text
        self.say(http, dive, "undo").raise_for_status()
        assert "wrong, it is Eel" not in http.get(f"api/dives/{dive}/files/report.html").text
        assert species() == {"Fish": 1, "Octopus": 1, "Turtle": 1}

    def words(self, http: httpx.Client, dive: str) -> list[tuple[str, str] | None]:
        rows = http.get(f"api/dives/{dive}/sightings").json()
        return [row["correction"] and (row["correction"]["verdict"], row["correction"]["label"]) for row in rows]

    def test_a_word_stands_beside_the_models_answer_until_it_is_taken_back(self, http: httpx.Client, dive: str) -> None:
        assert self.words(http, dive) == [None, None, None]
        assert self.say(http, dive, "right", by=" Ada ").json()["correction"] | {"at": ""} == {
            "verdict": "right",
            "label": "",
            "by": "Ada",
            "note": "",
            "at": "",
        }
        assert self.say(http, dive, "wrong", "Blue  Tang\n").json()["correction"]["label"] == "Blue Tang"
        assert self.words(http, dive) == [None, ("wrong", "Blue Tang"), None]
        assert self.say(http, dive, "nothing").json()["label"] == "Octopus"
        for left in (("wrong", "Blue Tang"), ("right", ""), None, None):
            self.say(http, dive, "undo")
            assert self.words(http, dive)[1] == left

    def test_what_is_of_no_sighting_is_told(self, toy_model: Path, tmp_path: Path, clip: Path) -> None:
        with running(toy_model, library=tmp_path / "library") as server:
            dive_id = send(server.http, clip)
            settled(server.http, dive_id)
            assert server.http.get(f"api/dives/{dive_id}/corrections/left-over").json() == []
            self.say(server.http, dive_id, "wrong", "Eel")
            table = tmp_path / "library" / "dives" / dive_id / "results" / "sightings.csv"
            table.write_text(table.read_text().splitlines()[0] + "\n")
            (left,) = server.http.get(f"api/dives/{dive_id}/corrections/left-over").json()
            assert (left["label"], left["verdict"], left["truth"]) == ("Octopus", "wrong", "Eel")
            assert left["start_s"] <= left["peak_s"] <= left["end_s"]

    def test_corrections_that_cannot_be_read_are_told_and_hide_no_sighting(
        self, toy_model: Path, tmp_path: Path, clip: Path
    ) -> None:
        with running(toy_model, library=tmp_path / "library") as server:
            dive_id = send(server.http, clip)
            settled(server.http, dive_id)
            results = tmp_path / "library" / "dives" / dive_id / "results"
            (results / "corrections.jsonl").write_text("{}\n")
            assert self.words(server.http, dive_id) == [None, None, None]
            refused = server.http.get(f"api/dives/{dive_id}/corrections/left-over")
            assert refused.status_code == 409
            assert refused.json()["detail"].startswith("corrections.jsonl: line 1 is no correction")
            undone = self.say(server.http, dive_id, "undo")  # of which word nobody knows; the disk is well
            assert (undone.status_code, undone.json()["detail"]) == (409, refused.json()["detail"])
            (results / "frames.parquet").unlink()  # as while the dive is classified anew
            unseen = server.http.post(f"api/dives/{dive_id}/missed", json={"label": "Eel", "media_s": 0.5})
            assert (unseen.status_code, unseen.json()["detail"]) == (409, "this dive has no results yet")

    def test_what_the_model_missed_is_kept_listed_exported_and_taken_back(self, http: httpx.Client, dive: str) -> None:
        seen = {"label": "Aurelia aurita", "media_s": 0.5, "by": "Ada"}
        told = http.post(f"api/dives/{dive}/missed", json=seen).raise_for_status().json()
        assert (told["label"], told["by"], told["start_s"]) == ("Aurelia aurita", "Ada", told["peak_s"])
        assert http.get(f"api/dives/{dive}/missed").json() == [told]
        named = {name: told[name] for name in ("label", "file", "peak_frame")}
        assert http.delete(f"api/dives/{dive}/missed", params=named).status_code == 204
        assert http.get(f"api/dives/{dive}/missed").json() == []
        assert http.delete(f"api/dives/{dive}/missed", params=named).status_code == 404
        for wrong in ({"label": ""}, {"media_s": 9999.0}, {"media_s": -1.0}, {"start_s": 5000.0}):
            assert http.post(f"api/dives/{dive}/missed", json={**seen, **wrong}).status_code == 422

    @pytest.mark.parametrize(
        ("said", "status"),
        [
            ({"verdict": "wrong", "truth": ""}, 422),
            ({"verdict": "wrong", "truth": "Octopus"}, 422),
            ({"verdict": "wrong", "truth": "x" * 300}, 422),
            ({"verdict": "right", "truth": "Eel"}, 422),
            ({"verdict": "maybe"}, 422),
            ({"verdict": "right", "number": 99}, 409),
            ({"verdict": "right", "number": -1}, 422),
            ({"verdict": "right", "peak_frame": 12345}, 409),
            ({"verdict": "right", "label": "Eel"}, 409),
        ],
    )
    def test_a_word_that_makes_no_sense_is_refused(
        self, http: httpx.Client, dive: str, said: dict[str, Any], status: int
    ) -> None:
        assert self.say(http, dive, **said).status_code == status
        assert self.words(http, dive) == [None, None, None]


class TestADive:
    def test_it_can_be_renamed(self, http: httpx.Client, dive: str) -> None:
        assert http.patch(f"api/dives/{dive}", json={"title": " Blue\n hole "}).json()["title"] == "Blue hole"
        assert http.patch(f"api/dives/{dive}", json={"title": " \n"}).status_code == 422
        assert http.get(f"api/dives/{dive}").json()["title"] == "Blue hole"

    def test_one_that_is_worked_on_can_be_stopped_taken_up_again_and_deleted(
        self, http: httpx.Client, tmp_path: Path
    ) -> None:
        long = write_clip(tmp_path / "long.mp4", frames=4000, rate=100)
        dive_id = send(http, long)
        deadline_s = monotonic() + WAIT_S
        while not (http.get(f"api/dives/{dive_id}").json()["work"] or {}).get("done"):
            assert monotonic() < deadline_s
        http.post(f"api/dives/{dive_id}/cancel")
        assert settled(http, dive_id)["state"] in ("cancelled", "complete")
        again = http.post(f"api/dives/{dive_id}/again", json={"what": "dive"}).json()
        assert again["state"] in ("queued", "running")
        assert http.delete(f"api/dives/{dive_id}").status_code == 204
        assert http.get(f"api/dives/{dive_id}").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"host": "evil.example"},
    ],
)
def test_a_foreign_page_changes_nothing(http: httpx.Client, dive: str, headers: dict[str, str]) -> None:
    for method, path in (
        ("POST", "api/uploads"),
        ("DELETE", f"api/dives/{dive}"),
        ("PATCH", f"api/dives/{dive}"),
        ("POST", f"api/dives/{dive}/corrections"),
        ("POST", f"api/dives/{dive}/again"),
        ("POST", f"api/dives/{dive}/cancel"),
        ("PATCH", "api/uploads/0123456789abcdef"),
    ):
        assert http.request(method, path, headers=headers, json={"title": "x"}).status_code == 403, path
    assert http.get(f"api/dives/{dive}").status_code == 200


def test_this_servers_own_page_may(http: httpx.Client, dive: str, server: Running) -> None:
    own = {"origin": f"http://{server.authority}", "sec-fetch-site": "same-origin"}
    assert http.patch(f"api/dives/{dive}", json={"title": "Mine"}, headers=own).status_code == 200


def test_without_a_library_the_routes_say_how_to_get_one(toy_model: Path) -> None:
    with running(toy_model) as server:
        answer = server.http.get("api/dives")
        assert (answer.status_code, "--library" in answer.json()["detail"]) == (404, True)
        assert server.http.get("dives").status_code == 200


def test_two_servers_on_one_library_are_refused(toy_model: Path, server: Running, tmp_path: Path) -> None:
    with running(toy_model, library=tmp_path) as first:
        with (
            pytest.raises(LibraryError, match="another server uses this library"),
            running(toy_model, library=tmp_path),
        ):
            pass
        assert first.http.get("healthz").status_code == 200


def test_limits_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    for limits in ({"upload_limit": 0}, {"quota": -1}):
        with pytest.raises(SettingsError, match="expected a number of bytes"):
            ServerSettings(model=tmp_path / "any.onnx", library=tmp_path, **limits)  # type: ignore[arg-type]


def test_a_server_with_a_library_and_no_sources_shows_nothing_live_and_is_ready(
    toy_model: Path, tmp_path: Path
) -> None:
    with running(toy_model, library=tmp_path) as server:
        assert server.status()["sources"] == {}
        assert server.http.get("readyz").status_code == 200


def test_a_stop_with_a_job_at_work_takes_less_than_three_seconds_and_loses_nothing(
    toy_model: Path, tmp_path: Path
) -> None:
    long = write_clip(tmp_path / "long.mp4", frames=4000, rate=100)
    with running(toy_model, library=tmp_path / "library") as server:
        dive_id = send(server.http, long)
        deadline_s = monotonic() + WAIT_S
        while not (server.http.get(f"api/dives/{dive_id}").json()["work"] or {}).get("done"):
            assert monotonic() < deadline_s
        assert server.stop() < 3.0
    with running(toy_model, library=tmp_path / "library") as server:
        assert settled(server.http, dive_id)["state"] == "complete"
        assert server.http.get(f"api/dives/{dive_id}/track").json()["rows"] == 4000


def test_a_dive_that_is_deleted_while_somebody_names_it_is_not_there(
    http: httpx.Client, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dive_id = send(http, clip)
    assert settled(http, dive_id)["state"] == "complete"
    rename = Library.rename

    def deleted_before(library: Library, dive: str, title: str) -> object:
        library.delete(dive)
        return rename(library, dive, title)

    monkeypatch.setattr(Library, "rename", deleted_before)
    answer = http.patch(f"api/dives/{dive_id}", json={"title": "Wall"})
    assert (answer.status_code, answer.json()["detail"]) == (404, "there is no such dive")
