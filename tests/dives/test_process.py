"""A recorded dive becomes a folder of results."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import write_clip
from result_files import TABLES, lines, record

from dives.journal import NAME as JOURNAL
from dives.process import ProcessOptions, process
from realtime.errors import SettingsError

REPOSITORY = Path(__file__).parents[2]
EVERY_FRAME = ProcessOptions()
RESUMED = ProcessOptions(resume=True)


def test_a_dive_becomes_a_folder_of_results(clip, engine, tmp_path):
    run = process(clip, tmp_path / "out", engine, EVERY_FRAME)
    assert {entry.name for entry in run.folder.iterdir()} == TABLES | {"occurrence.csv", "run.json", "stills", JOURNAL}
    assert (run.state, run.decoded, run.classified, run.error) == ("complete", 60, 60, None)
    table = lines(run.folder)
    assert [int(line["frame"]) for line in table] == list(range(60))
    assert [float(line["media_s"]) for line in table] == pytest.approx([k / 25 for k in range(60)], abs=1e-6)
    assert [line["label_1"] for line in table[::10]] == ["Fish", "Octopus", "Turtle"] * 2
    assert (table[25]["utc"], table[25]["utc_source"]) == ("2026-05-01T09:30:01.000Z", "container")
    assert np.load(run.folder / "cams.npy").shape == (60, 2, 2)


def test_run_json_says_what_was_run_with_what(clip, engine, toy_model, tmp_path):
    run = process(clip, tmp_path / "out", engine, EVERY_FRAME)
    found = record(run.folder)
    assert (found["state"], found["reason"]) == ("complete", "")
    assert found["counts"]["announced"] == found["counts"]["decoded"] == found["counts"]["classified"] == 60
    assert found["counts"]["skipped"] == {"between samples": 0, "damaged packets": 0}
    assert found["counts"]["sightings"] == len(run.sightings)
    assert found["model"]["sha256"] == engine.sha256
    assert (found["model"]["name"], found["model"]["provider"]) == (toy_model.name, "CPUExecutionProvider")
    assert found["time"] == {"start_utc": "2026-05-01T09:30:00.000Z", "utc_source": "container"}
    assert found["options"] == {
        **{"every_s": None, "start_utc": "", "overlay": False, "resume": False},
        **{"divelog": "", "divelog_offset_s": 0.0},
    }
    assert set(found["files"]) == TABLES | {"stills", "occurrence.csv"}
    assert found["timing"]["frames_per_s"] > 0
    assert found["versions"]["av"] == av.__version__


def test_stable_labels_become_sightings(tmp_path, engine):
    # Ten frames a second: each colour stays for a second, twice the smoother's time constant.
    clip = write_clip(tmp_path / "slow.mp4", frames=30, rate=10)
    run = process(clip, tmp_path / "out", engine, EVERY_FRAME)
    assert [sighting.label_index for sighting in run.sightings] == [0, 1, 2]
    assert [line["label"] for line in lines(run.folder, "sightings.csv")] == ["Fish", "Octopus", "Turtle"]


def test_b_frames_come_in_order_of_display(tmp_path, engine):
    clip = write_clip(tmp_path / "dive.mp4", frames=30, options={"bf": "3", "g": "30"})
    run = process(clip, tmp_path / "out", engine, EVERY_FRAME)
    times = [float(line["media_s"]) for line in lines(run.folder)]
    assert times == pytest.approx([k / 25 for k in range(30)], abs=1e-3)
    assert [line["label_1"] for line in lines(run.folder)] == ["Fish"] * 10 + ["Octopus"] * 10 + ["Turtle"] * 10


def test_samples_are_taken_by_time_and_keep_their_frame_numbers(clip, counting, tmp_path):
    run = process(clip, tmp_path / "out", counting, ProcessOptions(every_s=0.5, overlay=True))
    assert [(line["frame"], line["media_s"]) for line in lines(run.folder)] == [
        ("0", "0.000000"),
        ("13", "0.520000"),
        ("25", "1.000000"),
        ("38", "1.520000"),
        ("50", "2.000000"),
    ]
    assert counting.frames == 5
    assert record(run.folder)["counts"]["skipped"]["between samples"] == 55
    with av.open(str(run.folder / "overlay.mp4")) as container:
        assert len(list(container.decode(video=0))) == 5


def test_a_folder_of_pictures_is_a_dive_too(tmp_path, engine):
    pictures = tmp_path / "stills"
    pictures.mkdir()
    for k, bgr in enumerate([(0, 0, 255), (0, 255, 0), (255, 0, 0)]):
        cv2.imwrite(str(pictures / f"{k}.png"), np.full((20 + k, 30, 3), bgr, np.uint8))
    (pictures / "3.jpg").write_bytes(b"not a picture")
    run = process(pictures, tmp_path / "out", engine, ProcessOptions(overlay=True))
    assert [line["label_1"] for line in lines(run.folder)] == ["Fish", "Octopus", "Turtle"]
    counts = record(run.folder)["counts"]
    assert counts["skipped"]["unreadable files"] == 1
    assert [entry["name"] for entry in counts["unreadable"]] == ["3.jpg"]
    with av.open(str(run.folder / "overlay.mp4")) as container:
        assert len(list(container.decode(video=0))) == 3


def test_pictures_are_named_past_those_that_cannot_be_read(tmp_path, engine):
    pictures = tmp_path / "stills"
    pictures.mkdir()
    for k, bgr in enumerate([(0, 0, 255), (0, 255, 0), (255, 0, 0)]):
        cv2.imwrite(str(pictures / f"{2 * k}.png"), np.full((20, 30, 3), bgr, np.uint8))
    (pictures / "1.jpg").write_bytes(b"not a picture")
    for options in (EVERY_FRAME, RESUMED):
        run = process(pictures, tmp_path / "out", engine, options)
        named = [(line["file"], line["frame"], line["label_1"]) for line in lines(run.folder)]
        assert named == [("0.png", "0", "Fish"), ("2.png", "0", "Octopus"), ("4.png", "0", "Turtle")]
        seen = lines(run.folder, "sightings.csv")
        assert [line["peak_file"] for line in seen] == ["0.png", "2.png", "4.png"]
        for line in seen:
            original = cv2.imread(str(pictures / line["peak_file"]))
            assert np.abs(cv2.imread(str(run.folder / line["still"])).astype(int) - original).max() < 8


def test_a_sightings_still_is_its_best_frame(tmp_path, engine):
    clip = write_clip(tmp_path / "slow.mp4", frames=30, rate=10, options={"bf": "2", "g": "30"})
    run = process(clip, tmp_path / "out", engine, EVERY_FRAME)
    colours = []
    for number, line in enumerate(lines(run.folder, "sightings.csv"), start=1):
        assert line["id"] == str(number)
        assert line["still"] == f"stills/{number:04d}-{line['label'].lower()}-{int(line['peak_frame']):06d}.jpg"
        colours.append(int(cv2.imread(str(run.folder / line["still"]))[..., ::-1].mean(axis=(0, 1)).argmax()))
    assert colours == [0, 1, 2]
    assert record(run.folder)["counts"]["missing_stills"] == 0


def test_stills_of_a_recording_whose_stamps_begin_anew_are_the_right_frames(tmp_path, engine):
    # The second part has stamps of its own at the very times to which its first frames were moved.
    parts = [write_clip(tmp_path / f"{frames}.ts", frames=frames, rate=10) for frames in (25, 60)]
    twice = tmp_path / "twice.ts"
    twice.write_bytes(b"".join(part.read_bytes() for part in parts))
    run = process(twice, tmp_path / "out", engine, EVERY_FRAME)
    assert record(run.folder)["counts"]["restarts"] == 1
    colour_of = {int(row["frame"]): ("Fish", "Octopus", "Turtle").index(row["label_1"]) for row in lines(run.folder)}
    for line in lines(run.folder, "sightings.csv"):
        still = cv2.imread(str(run.folder / line["still"]))[..., ::-1].mean(axis=(0, 1))
        assert still.argmax() == colour_of[int(line["peak_frame"])]
    assert "clock began anew 1 time;" in (run.folder / "report.html").read_text(encoding="utf-8")


def test_what_is_left_of_occurrences_goes_with_the_other_tables(clip, engine, tmp_path):
    process(clip, tmp_path / "out", engine, EVERY_FRAME)
    assert (tmp_path / "out" / "occurrence.csv").exists()
    run = process(write_clip(tmp_path / "other.mp4"), tmp_path / "out", engine, EVERY_FRAME)  # has no wall clock
    assert not (run.folder / "occurrence.csv").exists()
    assert "occurrence.csv" not in record(run.folder)["files"]


def test_progress_rises_to_its_total_in_every_phase(clip, engine, tmp_path):
    told = []
    process(clip, tmp_path / "out", engine, ProcessOptions(overlay=True), told.append)
    for phase in ("classify", "write", "overlay"):
        of_phase = [progress for progress in told if progress.phase == phase]
        assert [p.done for p in of_phase] == sorted(p.done for p in of_phase)
        assert (of_phase[-1].done, of_phase[-1].total) == (60, 60)
        assert of_phase[-1].duration_s == pytest.approx(2.4, abs=0.05)


def test_every_file_and_column_is_documented(clip, engine, tmp_path):
    run = process(clip, tmp_path / "out", engine, ProcessOptions(overlay=True))
    text = (REPOSITORY / "docs" / "results.md").read_text(encoding="utf-8")
    columns = [
        name
        for table in ("frames.csv", "sightings.csv")
        for name in (run.folder / table).read_text().splitlines()[0].split(",")
        if not name.startswith(("label_", "probability_"))
    ]
    found = record(run.folder)
    keys = {*found, *found["source"], *found["counts"], *found["timing"]} - {
        "schema_version",
        "name",
        "path",
        "kind",
        "codec",
    }
    keys -= {"reason", "begun_utc", "finished_utc"}
    names = {entry.name for entry in run.folder.iterdir()}
    assert [name for name in {*names, *columns, *keys} if f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_s": 0.0}, "--every"),
        ({"every_s": float("nan")}, "--every"),
        ({"start_utc": datetime(2026, 1, 1)}, "--start"),  # noqa: DTZ001 - a time without its zone is the point
    ],
)
def test_options_without_meaning_are_refused(options, message):
    with pytest.raises(SettingsError, match=message):
        ProcessOptions(**options)
