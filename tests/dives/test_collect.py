"""What people said of sightings becomes photographs, once, with a record of where each is from."""

from __future__ import annotations

import csv
import shutil
from functools import partial
from itertools import pairwise

import cv2
import numpy as np
import pytest
from clips import write_clip, write_noise

from dives import seeking
from dives.collect import MAX_SIDE, QUALITY, TABLE, collect
from dives.corrections import Verdict, add_correction, undo_correction
from dives.matching import read_keys
from dives.process import ProcessOptions, process
from dives.stills import save_still
from realtime.errors import DataError, ResultsError
from realtime.sources import VideoFile
from training.photographs import find_photographs

LIVE = (
    "label,start_s,end_s,start_utc,end_utc,peak_s,peak_frame,peak_probability,mean_probability,frames,"
    "still,overlay,clip"
)


@pytest.fixture
def dive(tmp_path, engine):
    """Fish, Octopus, Turtle for 4 s each."""
    pts = [k // 10 * 4000 + k % 10 * 400 for k in range(30)]
    clip = write_clip(tmp_path / "reef.mp4", frames=30, pts_ms=pts, metadata={"creation_time": "2026-05-01T09:30:00Z"})
    return process(clip, tmp_path / "results" / "reef", engine, ProcessOptions()).folder


@pytest.fixture
def live(tmp_path):
    """A live source that saw a fish twice, on two days, at the same frame number."""
    folder = tmp_path / "live" / "boat"
    folder.mkdir(parents=True)
    lines = [LIVE]
    for day in (1, 2):
        still = save_still(
            folder / "stills", f"2026050{day}", np.full((60, 80, 3), 40 * day, np.uint8), np.zeros((2, 2), np.uint8)
        )
        utc = f"2026-05-0{day}T09:30:00.000Z"
        lines.append(f"Fish,1.0,2.0,{utc},{utc},1.5,15,0.9,0.8,10,stills/{still.plain},stills/{still.overlay},")
    (folder / "sightings.csv").write_text("\n".join([*lines, ""]))
    return folder


def tree_of(tree):
    return {path.relative_to(tree).as_posix(): path.read_bytes() for path in sorted(tree.rglob("*")) if path.is_file()}


def table(tree):
    with (tree / TABLE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def per_class(tree):
    return {folder.name: len(list(folder.iterdir())) for folder in sorted(tree.iterdir()) if folder.is_dir()}


def test_corrections_become_a_folder_per_class_with_frames_around_the_best(dive, tmp_path):
    fish, octopus, turtle = read_keys(dive)
    add_correction(dive, fish, Verdict.RIGHT, by="Ada")
    add_correction(dive, octopus, Verdict.WRONG, "Blue/Ringed Octopus", by="Ada")
    add_correction(dive, turtle, Verdict.NOTHING)
    done = collect([tmp_path / "results"], tmp_path / "tree", frames=2)
    assert per_class(tmp_path / "tree") == {"Blue_Ringed Octopus": 3, "Fish": 3, "none": 3}
    assert (done.added, done.problems) == (9, [])
    rows = table(tmp_path / "tree")
    assert len(rows) == 9
    fishes = [row for row in rows if row["picture"].startswith("Fish/")]
    times = sorted(float(row["media_s"]) for row in fishes)
    assert all(later - earlier >= 1.0 - 1e-6 for earlier, later in pairwise(times))
    assert fish.peak_s in times
    assert {row["verdict"] for row in fishes} == {"right"}
    assert {(row["corrected_by"], row["model_label"]) for row in fishes} == {("Ada", "Fish")}
    assert fishes[0]["utc"].startswith("2026-05-01T09:30:0")
    for row in rows:  # each is the frame that it says it is
        picture = cv2.imread(str(tmp_path / "tree" / row["picture"]))
        assert picture.reshape(-1, 3).mean(0)[::-1].argmax() == int(row["frame"]) // 10


def test_collecting_again_adds_nothing_and_a_changed_word_moves_the_pictures(dive, tmp_path):
    fish, octopus, _ = read_keys(dive)
    for key in (fish, octopus):
        add_correction(dive, key, Verdict.RIGHT)
    collect([dive], tmp_path / "tree", frames=1)
    before = tree_of(tmp_path / "tree")
    done = collect([dive], tmp_path / "tree", frames=1)
    assert (done.added, done.moved, done.removed) == (0, 0, 0)
    assert tree_of(tmp_path / "tree") == before
    add_correction(dive, fish, Verdict.WRONG, "octopus")
    undo_correction(dive, octopus)
    (tmp_path / "tree" / "Octopus" / "my own.jpg").write_bytes(b"mine")
    done = collect([dive], tmp_path / "tree", frames=1)
    assert (done.added, done.moved, done.removed) == (0, 2, 2)
    assert per_class(tmp_path / "tree") == {"Fish": 0, "Octopus": 3}
    assert (tmp_path / "tree" / "Octopus" / "my own.jpg").exists()
    assert {row["picture"].split("/")[0] for row in table(tmp_path / "tree")} == {"Octopus"}


def test_a_recording_may_move_with_its_results_and_is_not_taken_for_another(dive, tmp_path):
    add_correction(dive, read_keys(dive)[0], Verdict.RIGHT)
    shutil.move(tmp_path / "reef.mp4", dive / "reef.mp4")
    assert collect([dive], tmp_path / "tree").added == 4
    write_clip(dive / "reef.mp4", frames=12)
    assert collect([dive], tmp_path / "one still").added == 1
    shutil.rmtree(dive / "stills")
    done = collect([dive], tmp_path / "other tree")
    assert done.added == 0
    assert "no still, and no recording" in done.problems[0]


def test_what_a_later_processing_no_longer_sees_is_collected_all_the_same(dive, tmp_path):
    add_correction(dive, read_keys(dive)[0], Verdict.WRONG, "Goby")
    (dive / "sightings.csv").write_text((dive / "sightings.csv").read_text().splitlines()[0] + "\n")
    collect([dive], tmp_path / "tree", frames=0)
    assert per_class(tmp_path / "tree") == {"Goby": 1}


def test_stills_of_a_live_source_are_taken_as_they_are_a_day_being_a_group(live, tmp_path):
    for key in read_keys(live):
        add_correction(live, key, Verdict.RIGHT)
    collect([live.parent], tmp_path / "tree")
    rows = table(tmp_path / "tree")
    assert [row["group"].rpartition(" ")[2] for row in rows] == ["2026-05-01", "2026-05-02"]
    assert {row["dive"].rpartition("-")[0] for row in rows} == {"boat"}
    assert (tmp_path / "tree" / rows[0]["picture"]).read_bytes() == (live / "stills" / "20260501.jpg").read_bytes()


def test_a_dive_that_was_processed_twice_is_one_dive(dive, engine, tmp_path):
    add_correction(dive, read_keys(dive)[0], Verdict.RIGHT)
    other = process(tmp_path / "reef.mp4", tmp_path / "results" / "other", engine, ProcessOptions(every_s=1.0)).folder
    assert collect([dive], tmp_path / "tree", frames=0).added == 1
    assert collect([dive, other], tmp_path / "tree", frames=0).added == 0
    done = collect([other], tmp_path / "tree", frames=0)  # nobody has said anything here, so nothing is taken back
    assert (done.added, done.removed, per_class(tmp_path / "tree")) == (0, 0, {"Fish": 1})


def test_training_keeps_the_pictures_of_a_dive_together(dive, live, tmp_path):
    for folder in (dive, live):
        for key in read_keys(folder):
            add_correction(folder, key, Verdict.RIGHT)
    collect([tmp_path], tmp_path / "tree")
    found = find_photographs([tmp_path / "tree"])
    assert found.skipped == ()
    groups = {file.group for file in found.files}
    assert len(groups) == 3
    assert "" not in groups


def put_end_to_end(path):
    """A stream whose stamps begin anew in the middle: a time leads to two frames."""
    first, second = (write_noise(path.with_name(f"{n}.ts"), frames=n, bf="2", g="12") for n in (60, 90))
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return path


@pytest.mark.parametrize(
    ("name", "make", "sought"),
    [
        ("b-frames.mp4", partial(write_noise, frames=120, bf="3", g="25"), True),
        ("b-frames.avi", partial(write_noise, codec="mpeg4", frames=120, bf="2", g="25"), False),
        ("end to end.ts", put_end_to_end, False),
    ],
)
def test_frames_are_sought_and_are_exactly_those_that_were_counted(tmp_path, engine, monkeypatch, name, make, sought):
    make(tmp_path / name)
    folder = process(tmp_path / name, tmp_path / "results", engine, ProcessOptions(every_s=0.2)).folder
    with (folder / "frames.csv").open(encoding="utf-8", newline="") as file:
        moments = list(csv.DictReader(file))
    first, peak, last = moments[0], moments[len(moments) * 2 // 3], moments[-1]
    columns = ["label", "start_s", "end_s", "peak_s", "peak_file", "peak_frame"]
    values = ["Fish", first["media_s"], last["media_s"], peak["media_s"], name, peak["frame"]]
    (folder / "sightings.csv").write_text(f"{','.join(columns)}\n{','.join(values)}\n")
    add_correction(folder, read_keys(folder)[0], Verdict.RIGHT)
    with VideoFile(tmp_path / name) as video:
        counted = {frame.index: frame.picture.rgb(MAX_SIDE) for frame in video}
    if sought:
        monkeypatch.setattr(seeking, "_counted", None)  # whoever calls it fails
    assert collect([folder], tmp_path / "tree").added == 5
    for row in table(tmp_path / "tree"):
        bgr = cv2.cvtColor(counted[int(row["frame"])], cv2.COLOR_RGB2BGR)
        jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
        assert (tmp_path / "tree" / row["picture"]).read_bytes() == jpeg


def test_a_dive_of_a_recording_that_was_renamed_is_the_same_dive(dive, engine, tmp_path):
    add_correction(dive, read_keys(dive)[0], Verdict.RIGHT)
    collect([dive], tmp_path / "tree", frames=0)
    (tmp_path / "reef.mp4").rename(tmp_path / "wall.mp4")
    renamed = process(tmp_path / "wall.mp4", tmp_path / "results" / "wall", engine, ProcessOptions()).folder
    add_correction(renamed, read_keys(renamed)[0], Verdict.WRONG, "Goby")
    done = collect([dive, renamed], tmp_path / "tree", frames=0)
    assert (done.added, done.moved, per_class(tmp_path / "tree")) == (0, 1, {"Fish": 0, "Goby": 1})
    assert {row["dive"].rpartition("-")[0] for row in table(tmp_path / "tree")} == {"reef"}


def strongest(path):
    return int(cv2.imread(str(path)).reshape(-1, 3).mean(0)[::-1].argmax())


def test_frames_of_joined_chapters_are_taken_from_the_right_file(tmp_path, engine):
    chapters = [
        write_clip(tmp_path / f"GX0{number}0042.MP4", frames=frames, rate=4) for number, frames in ((1, 25), (2, 30))
    ]
    folder = process(chapters, tmp_path / "results" / "GX010042", engine, ProcessOptions()).folder
    for key in read_keys(folder):
        assert key.file in {chapter.name for chapter in chapters}
        add_correction(folder, key, Verdict.RIGHT)
    with_stills = collect([folder], tmp_path / "tree", frames=2)
    assert with_stills.problems == []
    shutil.rmtree(folder / "stills")  # so that the best frames too are read from the recording
    collect([folder], tmp_path / "other tree", frames=2)
    for tree in (tmp_path / "tree", tmp_path / "other tree"):
        rows = table(tree)
        assert {row["file"] for row in rows} == {chapter.name for chapter in chapters}
        assert len({row["picture"] for row in rows}) == len(rows) == 16
        for row in rows:
            assert strongest(tree / row["picture"]) == int(row["frame"]) // 10 % 3
            assert float(row["media_s"]) == pytest.approx(
                int(row["frame"]) / 4 + (25 / 4 if row["file"] == chapters[1].name else 0.0)
            )


def test_pictures_of_a_folder_are_told_apart_though_each_is_frame_0(tmp_path, engine):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, channel in (("1.png", 2), ("2.jpg", 1), ("2.png", 0)):
        bgr = np.zeros((40, 60, 3), np.uint8)
        bgr[..., channel] = 255
        cv2.imwrite(str(pictures / name), bgr)
    folder = process(pictures, tmp_path / "results", engine, ProcessOptions()).folder
    keys = read_keys(folder)
    assert [(key.file, key.peak_frame) for key in keys] == [("1.png", 0), ("2.jpg", 0), ("2.png", 0)]
    for key in keys:
        add_correction(folder, key, Verdict.RIGHT)
    assert collect([folder], tmp_path / "tree").added == 3
    for row, colour in zip(sorted(table(tmp_path / "tree"), key=lambda row: row["file"]), range(3), strict=True):
        assert strongest(tmp_path / "tree" / row["picture"]) == colour


def test_one_dive_that_cannot_be_read_keeps_nobody_from_the_others_and_loses_nothing(dive, live, tmp_path):
    for folder in (dive, live):
        add_correction(folder, read_keys(folder)[0], Verdict.RIGHT)
    collect([tmp_path], tmp_path / "tree", frames=0)
    with (dive / "corrections.jsonl").open("a") as file:
        file.write("no correction\n")
    add_correction(live, read_keys(live)[1], Verdict.RIGHT)
    done = collect([tmp_path / "results", tmp_path / "live"], tmp_path / "tree", frames=0)
    assert (done.added, done.removed, per_class(tmp_path / "tree")) == (1, 0, {"Fish": 3})
    assert len(table(tmp_path / "tree")) == 3
    assert "line 2 is no correction" in done.problems[0]


def test_occurrences_are_made_anew_with_what_was_said(dive, tmp_path):
    add_correction(dive, read_keys(dive)[0], Verdict.RIGHT)
    assert "ValidatedByHuman" not in (dive / "occurrence.csv").read_text()
    collect([dive], tmp_path / "tree")
    assert "ValidatedByHuman" in (dive / "occurrence.csv").read_text()


def test_without_corrections_there_is_an_empty_table(dive, tmp_path):
    assert collect([dive], tmp_path / "tree").pictures == {}
    assert table(tmp_path / "tree") == []


def test_a_place_without_results_and_a_foreign_table_are_refused(dive, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no sightings\.csv here"):
        collect([tmp_path / "empty", tmp_path / "gone"], tmp_path / "tree")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / TABLE).write_text("a,b\n1,2\n")
    with pytest.raises(ResultsError, match="expected the columns"):
        collect([dive], tmp_path / "tree")
