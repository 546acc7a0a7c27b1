"""The command line: what is wrong is said in one sentence, with the exit code that scripts rely on."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip
from toy_onnx import write_fragile_model, write_toy_model

from dives.corrections import Verdict, add_correction
from dives.matching import read_keys

REPO = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_toy_model(tmp_path_factory.mktemp("model") / "toy.onnx")


def reeflens(*arguments: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the real command in its own process."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("REEFLENS")}
    return subprocess.run(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        cwd=cwd,
        env={**clean, "PYTHONPATH": str(REPO), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_process_writes_a_folder_per_dive_and_prints_what_was_seen(tmp_path, model):
    clip = write_clip(tmp_path / "dive.mp4")
    done = reeflens("process", clip, "--out", "results", "--model", model, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "30 frames classified" in done.stdout
    folder = tmp_path / "results" / "dive"
    assert {"frames.csv", "sightings.csv", "dive.vtt", "cams.npy", "run.json"} <= {p.name for p in folder.iterdir()}


def test_one_bad_file_is_reported_and_does_not_stop_the_rest(tmp_path, model):
    clip = write_clip(tmp_path / "good.mp4")
    (tmp_path / "bad.mp4").write_text("this is no video")
    done = reeflens("process", "bad.mp4", clip, "gone.mp4", "--out", "r", "--model", model, "--json", cwd=tmp_path)
    assert done.returncode == 1
    rows = json.loads(done.stdout)
    assert [row["state"] for row in rows] == ["failed", "complete", "failed"]
    assert "bad.mp4: not a video" in done.stderr
    assert "gone.mp4: no such file" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_fails_on_the_way_is_a_sentence_and_does_not_stop_the_rest(tmp_path):
    fragile = write_fragile_model(tmp_path / "fragile.onnx")
    white, red = np.full((20, 30, 3), 255, np.uint8), np.full((20, 30, 3), (0, 0, 250), np.uint8)
    for name, last in (("white", white), ("red", red)):
        (tmp_path / name).mkdir()
        for number, picture in enumerate([*[red] * 9, last]):
            cv2.imwrite(str(tmp_path / name / f"{number}.png"), picture)
    done = reeflens("process", "white", "red", "--out", "r", "--model", fragile, "--json", cwd=tmp_path)
    assert done.returncode == 1
    failed, complete = json.loads(done.stdout)
    assert (failed["state"], complete["state"]) == ("failed", "complete")
    assert failed["reason"].startswith("fragile.onnx fails on 2 frames (")
    assert json.loads((tmp_path / "r" / "white" / "run.json").read_text())["reason"] == failed["reason"]
    assert len((tmp_path / "r" / "white" / "frames.csv.partial").read_text().splitlines()) == 9  # what came before it
    assert "Traceback" not in done.stderr


def test_process_takes_folders_of_videos_and_patterns_and_goes_on_after_bad_ones(tmp_path, model):
    (tmp_path / "card").mkdir()
    good = write_clip(tmp_path / "card" / "dive1.mp4")
    for number in range(2, 20):
        os.link(good, tmp_path / "card" / f"dive{number}.mp4")
    (tmp_path / "card" / "dive20.mp4").write_text("this is no video")
    done = reeflens("process", "card", "--every", "1", "--out", "r", "--model", model, "--json", cwd=tmp_path)
    assert done.returncode == 1
    rows = json.loads(done.stdout)
    assert [row["state"] for row in rows] == ["complete"] * 19 + ["failed"]
    assert [Path(row["source"]).name for row in rows] == [f"dive{number}.mp4" for number in range(1, 21)]
    done = reeflens(
        "process", "card/dive1*.mp4", "--out", "s", "--every", "1", "--model", model, "--json", cwd=tmp_path
    )
    assert (done.returncode, len(json.loads(done.stdout))) == (0, 11)


def test_chapters_are_joined_on_request(tmp_path, model):
    for number in (1, 2):
        write_clip(tmp_path / f"GX0{number}0042.MP4")
    done = reeflens("process", "GX0?0042.MP4", "--join", "--out", "r", "--model", model, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "one dive of 2 files" in done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["classified"], Path(row["folder"]).name) == (60, "GX010042")


def test_a_dive_log_is_joined_and_one_of_another_day_is_refused_in_a_sentence(tmp_path, model):
    clip = write_clip(tmp_path / "dive.mp4", metadata={"creation_time": "2026-05-01T09:30:00Z"})
    (tmp_path / "log.csv").write_text("time,depth_m\n2026-05-01T10:29:00,5\n2026-05-01T10:31:00,15\n")
    given = ["process", clip, "--out", "r", "--model", model, "--divelog", "log.csv"]
    done = reeflens(*given, cwd=tmp_path)
    assert done.returncode == 1
    assert "but the nearest dive in log.csv is from 2026-05-01T10:29:00.000Z" in done.stderr
    assert "--divelog-offset 3600" in done.stderr
    done = reeflens(*given, "--divelog-offset", "3600", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ",10.00,\n" in (tmp_path / "r" / "dive" / "frames.csv").read_text()
    assert (
        "dive.mp4: dive 1 of 1 in log.csv, 2026-05-01 09:29 to 2026-05-01 09:31 by the camera's clock: depth for"
        in (" ".join(done.stderr.split()))
    )


def test_collect_says_what_it_made_and_what_it_could_not(tmp_path, model):
    done = reeflens("collect", ".", "--out", "tree", cwd=tmp_path)
    assert done.returncode == 1
    assert "no sightings.csv here" in done.stderr
    write_clip(tmp_path / "dive.mp4", rate=10)
    assert reeflens("process", "dive.mp4", "--out", "r", "--model", model, cwd=tmp_path).returncode == 0
    folder = tmp_path / "r" / "dive"
    add_correction(folder, read_keys(folder)[0], Verdict.WRONG, "Goby")
    done = reeflens("collect", "r", "--out", "tree", "--json", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["pictures"]) == (0, {"Goby": 2})
    write_clip(tmp_path / "dive.mp4", rate=9)  # the camera used the name again
    done = reeflens("process", "dive.mp4", "--out", "r", "--model", model, cwd=tmp_path)
    assert re.search(r"is of no sighting of this run, and is kept: Fish at .* of dive.mp4 \(wrong, Goby\)", done.stdout)


def test_dives_are_added_to_a_library(tmp_path, model):
    write_clip(tmp_path / "dive.mp4", rate=10)
    assert reeflens("process", "dive.mp4", "--out", "r", "--model", model, cwd=tmp_path).returncode == 0
    done = reeflens("add", "r", "--library", "dives", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "dive -> dives\n")
    done = reeflens("add", "r", "--library", "dives", "--json", cwd=tmp_path)
    (row,) = json.loads(done.stdout)
    assert (row["state"], row["dive"]) == ("known", next((tmp_path / "dives" / "dives").iterdir()).name)
    (tmp_path / "dive.mp4").unlink()
    done = reeflens("add", "r", "--library", "others", cwd=tmp_path)
    assert done.returncode == 1
    assert "put it into this folder" in done.stderr


def test_a_finished_dive_is_given_a_start_and_a_log_and_loses_them_again(tmp_path, model):
    write_clip(tmp_path / "dive.mp4", rate=10)
    (tmp_path / "log.csv").write_text("time,depth_m\n2026-05-01T09:29:00Z,10\n2026-05-01T09:31:00Z,10\n")
    command = ["process", "dive.mp4", "--out", "r", "--model", model]
    assert reeflens(*command, cwd=tmp_path).returncode == 0
    start = "2026-05-01T09:30:00.000Z"
    for more, told in (
        (["--start", "2026-05-01T09:30:00Z", "--divelog", "log.csv"], (start, "start", "10.00")),
        ([], (start, "start", "10.00")),
        (["--no-divelog"], (start, "start", "")),
        (["--no-start"], ("", "", "")),
    ):
        done = reeflens(*command, "--resume", *more, cwd=tmp_path)
        assert (done.returncode, "all frames were classified before" in done.stdout) == (0, True), done.stderr
        with (tmp_path / "r" / "dive" / "frames.csv").open(newline="") as table:
            row = next(csv.DictReader(table))
        assert (row["utc"], row["utc_source"], row["depth_m"]) == told


def test_one_start_for_several_recordings_is_refused(tmp_path, model):
    for number in (1, 2):
        write_clip(tmp_path / f"{number}.mp4", frames=3)
    start = ["--start", "2026-05-01T09:30:00Z"]
    done = reeflens("process", "1.mp4", "2.mp4", *start, "--out", "r", "--model", model, cwd=tmp_path)
    assert done.returncode == 2
    assert "one recording began, and 2 were given" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["process", "a.mp4"], "--out"),
        (["process", "a.mp4", "--out", "r", "--every", "soon"], "soon"),
        (["process", "a.mp4", "--out", "r", "--every", "0"], "above 0"),
        (["process", "a.mp4", "--out", "r", "--start", "yesterday"], "yesterday"),
        (["process", "a.mp4", "--out", "r", "--start", "2026-05-01T09:30:00"], "zone"),
        (["process", "a.mp4", "--out", "r", "--divelog-offset", "10"], "name it with --divelog"),
        (["process", "a.mp4", "--out", "r", "--start", "2026-05-01T09:30:00Z", "--no-start"], "one of the two"),
        (["process", "a.mp4", "--out", "r", "--divelog", "log.csv", "--no-divelog"], "one of the two"),
        (["serve", "--source", "reef"], "NAME=PLACE"),
        (["serve", "--source", "a=x", "--source", "a=y"], "two sources"),
        (["serve", "--source", "cam=ftp://camera.local/1"], "rtsp"),
        (["serve", "--source", "rtsp://admin:hunter2@camera.local/1"], "received 'rtsp://***@camera.local/1'"),
        (["serve", "--port", "70000"], "70000"),
        (["serve", "--library", "dives", "--upload-limit-gb", "0"], "upload limit"),
        (["serve", "--library", "dives", "--library-quota-gb", "nan"], "quota"),
        (["serve", "--record-clips", "5"], "--record-clips: say where with --record"),
        (["serve", "--public-origin", "reef.example.org/page"], "reef.example.org/page"),
        (["serve", "--max-viewers", "0"], "0"),
        (["serve", "--max-webcams", "-1"], "-1"),
        (["serve", "--tls-cert", "here.pem"], "--tls-key"),
        (["serve", "--token", "too short"], "--token: expected 16 to 128"),
        (["serve", "--view-token", "operate-0123456789", "--insecure"], "--insecure"),
        (["serve", "--tls-cert", "gone.pem", "--tls-key", "gone.pem", "--port", "0"], "gone.pem"),
        (["swim"], "swim"),
        (["doctor", "--provider", "abacus"], "abacus"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what(tmp_path, model, arguments, said):
    extra = ["--model", model] if arguments[0] in ("process", "serve", "doctor") else []
    done = reeflens(*arguments, *extra, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["doctor", "--model", "gone.onnx"], "no such model file"),
        (["process", "a.mp4", "--out", "r", "--model", "gone.onnx"], "no such model file"),
        (["evaluate", "gone.onnx", "."], "no such model file"),
        (["export", "gone", "--out", "m.onnx"], "gone"),
        (["train", "gone", "--out", "r", "--weights", "none"], "gone"),
        (["serve", "--source", "reef=gone.mp4"], "gone.mp4"),
        (["serve", "--record", f"{os.devnull}/here", "--port", "0"], "cannot be recorded to"),
    ],
)
def test_work_that_fails_exits_with_1_and_one_sentence(tmp_path, model, arguments, said):
    extra = ["--model", model] if arguments[0] == "serve" else []
    done = reeflens(*arguments, *extra, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "r").exists()


def test_training_goes_on_with_the_options_it_was_begun_with_and_others_are_refused(tmp_path):
    """The run is known by its config.json; its photographs are gone, which is told after the options were taken."""
    begun = {"data": ["photographs"], "out": "r", "val": [], "weights": "none", "image_size": 64}
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "config.json").write_text(json.dumps({"options": begun}), encoding="utf-8")
    done = reeflens("train", "--out", "r", "--resume", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "photographs" in done.stderr
    other = reeflens("train", "--out", "r", "--resume", "--image-size", "96", cwd=tmp_path)
    assert other.returncode == 2, other.stderr
    assert "image_size: this run was begun with 64, received 96" in other.stderr
    nothing = reeflens("train", "--out", "new", "--resume", cwd=tmp_path)
    assert nothing.returncode == 2
    assert "Missing argument 'DATA...'" in nothing.stderr


def test_doctor_tells_the_provider_that_ran_and_the_models_card(tmp_path, model):
    report = json.loads(reeflens("doctor", "--model", model, "--provider", "cpu", "--json", cwd=tmp_path).stdout)
    assert report["provider"]["name"] == "CPUExecutionProvider"
    assert report["model"]["contract"]["labels"] == ["Fish", "Octopus", "Turtle"]
    assert "onnxruntime" in " ".join(report["system"]["packages"])
    text = reeflens("doctor", "--model", model, cwd=tmp_path).stdout
    assert "Octopus" in text
    assert "ms" in text


def test_doctor_tells_what_is_installed_also_when_the_model_does_not_run(tmp_path):
    text = reeflens("doctor", "--model", "gone.onnx", cwd=tmp_path)
    assert text.returncode == 1
    assert "numpy" in text.stdout
    assert text.stderr.strip().splitlines() == ["error: gone.onnx: no such model file"]
    (tmp_path / "text.onnx").write_text("not a model")
    report = reeflens("doctor", "--model", "text.onnx", "--json", cwd=tmp_path)
    assert "not an ONNX model" in json.loads(report.stdout)["error"]
    assert len(report.stderr.strip().splitlines()) == 1  # onnxruntime's own lines do not stand before ours


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_dive_that_is_stopped_half_way_leaves_tables_and_resumes(tmp_path, number):
    model = write_toy_model(tmp_path / "large.onnx", size=1024)  # slow enough to be stopped on the way
    clip = write_clip(tmp_path / "dive.mp4", frames=1000)
    command = [sys.executable, "-m", "cli", "process", str(clip), "--out", "r", "--model", str(model)]
    folder = tmp_path / "r" / "dive"
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as running:
        journal = folder / "raw.journal"
        deadline_s = time.monotonic() + 30
        while not (journal.exists() and journal.stat().st_size > 300_000) and time.monotonic() < deadline_s:
            assert running.poll() is None, "it ended before it was stopped; make the clip longer"
        running.send_signal(number)
        said = running.stderr.read()
        assert running.wait(20) == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    told = json.loads((folder / "run.json").read_text())
    assert told["state"] == "incomplete"
    rows = (folder / "frames.csv").read_text().splitlines()
    assert 10 < len(rows) - 1 == told["counts"]["classified"] < 1000
    done = reeflens("process", clip, "--out", "r", "--model", model, "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len((folder / "frames.csv").read_text().splitlines()) == 1001


class TestSettings:
    """Flags, then variables, then the file; an unknown key is an error."""

    def process_every(self, tmp_path, model, *flags, **variables) -> int:
        if not (tmp_path / "dive.mp4").exists():
            write_clip(tmp_path / "dive.mp4", frames=25)
        done = reeflens(
            "process", "dive.mp4", "--out", "r", "--model", model, "--json", *flags, cwd=tmp_path, **variables
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)[0]["classified"]

    def test_the_file_the_variable_and_the_flag_each_outrank_the_one_before(self, tmp_path, model):
        assert self.process_every(tmp_path, model) == 25
        (tmp_path / "reeflens.toml").write_text("[process]\nevery = 0.5\n")
        assert self.process_every(tmp_path, model) == 2
        assert self.process_every(tmp_path, model, REEFLENS_PROCESS_EVERY="0.2") == 5
        assert self.process_every(tmp_path, model, "--every", "0.04", REEFLENS_PROCESS_EVERY="0.2") == 25

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[process]\nevry = 1\n", "evry"),
            ("[swim]\nfast = true\n", "swim"),
            ("every = 1\n", "every"),
            ("[process\n", "not TOML"),
            ('[serve]\nsource = "reef=x.mp4"\n', "[serve] source: expected a list"),
            ("[process]\nevery = [1]\n", "[process] every: expected one value"),
        ],
    )
    def test_a_wrong_file_is_refused_by_name(self, tmp_path, text, said):
        (tmp_path / "reeflens.toml").write_text(text)
        done = reeflens("doctor", cwd=tmp_path)
        assert done.returncode == 2
        assert said in done.stderr

    def test_a_missing_file_that_was_named_is_refused(self, tmp_path):
        done = reeflens("--config", "mine.toml", "doctor", cwd=tmp_path)
        assert done.returncode == 2
        assert "mine.toml" in done.stderr

    def test_a_variable_gives_sources_on_a_line_each_and_they_may_hold_spaces(self, tmp_path, model):
        named = "reef=my dive.mp4\nother=gone.mp4"
        write_clip(tmp_path / "my dive.mp4")
        done = reeflens("serve", "--model", model, cwd=tmp_path, REEFLENS_SERVE_SOURCE=named)
        assert done.returncode == 1
        assert "other: gone.mp4" in done.stderr

    def test_an_unknown_variable_is_refused_by_name(self, tmp_path):
        done = reeflens("doctor", cwd=tmp_path, REEFLENS_SERVE_PRT="1")
        assert done.returncode == 2
        assert "REEFLENS_SERVE_PRT" in done.stderr
