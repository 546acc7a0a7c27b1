"""Folders that cannot be written, from the start or all at once: one sentence, and what needs no writing goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from clips import write_clip
from faulty import close_folder, one_sentence, open_folder, reeflens, serving, until
from sending import send, settled

from dives.library import Library

pytestmark = pytest.mark.skipif("sys.platform == 'win32'", reason="permissions there are others")


def test_a_folder_that_cannot_be_written_is_one_sentence_at_the_start(tmp_path: Path, toy_model: Path) -> None:
    clip = write_clip(tmp_path / "reef.mp4")
    closed = tmp_path / "closed"
    Library.open(closed / "library").close()
    close_folder(closed)
    model = ("--model", toy_model, "--provider", "cpu")
    try:
        for command in (
            ("process", clip, "--out", closed, *model),
            ("serve", "--port", "0", "--library", closed / "new", *model),
            ("serve", "--port", "0", "--source", f"reef={clip}", "--record", closed / "record", *model),
        ):
            said = one_sentence(reeflens(*command))
            assert str(closed) in said
            assert "permission denied" in said
    finally:
        open_folder(closed)


def test_folders_closed_while_a_server_runs_cost_what_needs_them_and_are_used_again_when_open(
    tmp_path: Path, toy_model: Path
) -> None:
    clip = write_clip(tmp_path / "reef.mp4", frames=90, rate=10)
    library, record = tmp_path / "library", tmp_path / "record"
    options = ("--library", library, "--source", f"reef={clip}", "--record", record)
    often = "from serving import recorder; recorder.RETRY_S = 0.2"
    with serving(toy_model, tmp_path / "log", *options, patch=often) as server:
        http = server.http

        def recording() -> dict[str, Any]:
            found: dict[str, Any] = http.get("api/status").raise_for_status().json()["recording"]
            return found

        dive = send(http, clip)
        assert settled(http, dive)["state"] == "complete"
        (sighting, *_) = http.get(f"api/dives/{dive}/sightings").json()
        word = {"verdict": "right", **{name: sighting[name] for name in ("number", "peak_frame", "label")}}
        until(lambda: recording()["sightings"] >= 1)
        close_folder(library)
        close_folder(record)
        try:
            until(lambda: recording()["state"] == "retrying")
            for answer in (
                http.post("api/uploads", json={"name": "more.mp4", "size": 5}),
                http.post(f"api/dives/{dive}/corrections", json=word),
                http.patch(f"api/dives/{dive}", json={"title": "Wall"}),
                http.post(f"api/dives/{dive}/again", json={"anew": True}),
            ):
                assert answer.status_code == 507, (answer.request.url, answer.text)
                assert str(tmp_path) not in answer.text
            assert http.delete(f"api/dives/{dive}").status_code == 409
            (row,) = http.get("api/dives").raise_for_status().json()["dives"]
            assert (row["title"], row["state"]) == ("reef", "complete")
            assert http.get(f"api/dives/{dive}/video").status_code == 200
            seen = http.get("api/status").json()["sources"]["reef"]["classified"]
            until(lambda: http.get("api/status").json()["sources"]["reef"]["classified"] > seen + 10)
        finally:
            open_folder(library)
            open_folder(record)
        until(lambda: recording()["state"] == "on" and recording()["waiting"] == 0)
        assert http.post(f"api/dives/{dive}/corrections", json=word).status_code == 200
        assert http.patch(f"api/dives/{dive}", json={"title": "Wall"}).json()["title"] == "Wall"
        http.post(f"api/dives/{dive}/again", json={"anew": True}).raise_for_status()
        assert settled(http, dive)["state"] == "complete"
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")
