"""What is learnt from, what is measured on, and what is left out is accounted for picture by picture."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realtime.errors import DataError
from realtime.preprocess import resize_rgb
from training.dataset import calibration_frames, prepare, working_size
from training.options import TrainOptions
from training.progress import Silent


def options(tmp_path: Path, data: Path, **changes: object) -> TrainOptions:
    return replace(TrainOptions(data=(data,), out=tmp_path / "run", image_size=32, val_share=0.25), **changes)


@pytest.fixture
def tree(toy_photographs: Path, tmp_path: Path) -> Path:
    """A copy of the toy photographs that may be changed."""
    return Path(shutil.copytree(toy_photographs, tmp_path / "photographs"))


def test_without_val_a_share_of_every_class_is_held_back(tmp_path: Path, tree: Path) -> None:
    data = prepare(options(tmp_path, tree), Silent())
    assert data.labels == ("Fish", "Octopus", "Sea Turtle")
    assert np.bincount(data.validation.labels).tolist() == [4, 4, 4]
    assert np.bincount(data.train.labels).tolist() == [10, 10, 10]
    assert data.train.pixels.shape[1:] == (working_size(32), working_size(32), 3)
    first = data.validation.files[0].full
    assert np.array_equal(data.validation.pixels[0], resize_rgb(np.asarray(Image.open(first)), 32))


def test_copies_never_stand_on_both_sides(tmp_path: Path, tree: Path) -> None:
    for path in sorted((tree / "Fish").glob("*.png")):
        Image.open(path).resize((120, 88)).save(path.with_suffix(".jpg"), quality=80)
    for seed in range(3):
        data = prepare(options(tmp_path, tree, seed=seed), Silent())
        assert data.report["duplicates_kept_together"] == 14
        assert not set(data.train_groups) & set(data.validation_groups)
        assert len(data.train) + len(data.validation) == 14 * 4


def test_the_pictures_of_a_named_group_never_stand_on_both_sides(tmp_path: Path, tree: Path) -> None:
    paths = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*.png"))
    lines = [f"{path},dive {Path(path).stem[-1]},more" for path in paths]  # ten dives over all three classes
    (tree / "pictures.csv").write_text("\n".join(["picture,group,note", *lines, ""]))
    for seed in range(3):
        data = prepare(options(tmp_path, tree, seed=seed), Silent())
        sides = [{file.group for file in side.files} for side in (data.train, data.validation)]
        assert sides[0].isdisjoint(sides[1])
        assert all(sides)
        assert data.report["skipped"] == []


def test_a_dive_that_validates_is_not_learnt_from(tmp_path: Path, tree: Path) -> None:
    held = tmp_path / "held"
    for name in ("Fish", "Octopus", "Sea Turtle"):
        (held / name).mkdir(parents=True)
        shutil.move(tree / name / "00.png", held / name / "00.png")
        for folder, number in ((tree, "01"), (held, "00")):
            with (folder / "pictures.csv").open("a") as file:
                file.write(("" if file.tell() else "picture,group\n") + f"{name}/{number}.png,reef\n")
    data = prepare(options(tmp_path, tree, val=(held,)), Silent())
    assert len(data.validation) == 3
    assert {Path(entry["file"]).name for entry in data.report["duplicates_of_validation"]} == {"01.png"}


def test_a_table_of_groups_that_is_none_is_refused(tmp_path: Path, tree: Path) -> None:
    (tree / "pictures.csv").write_text("name,dive\na,b\n")
    with pytest.raises(DataError, match="columns picture and group"):
        prepare(options(tmp_path, tree), Silent())


def test_one_picture_with_two_labels_is_left_out_and_reported(tmp_path: Path, tree: Path) -> None:
    shutil.copy(tree / "Fish/03.png", tree / "Octopus/copy.png")
    data = prepare(options(tmp_path, tree), Silent())
    assert {(Path(e["file"]).name, e["label"]) for e in data.report["contradictory"]} == {
        ("03.png", "Fish"),
        ("copy.png", "Octopus"),
    }
    assert len(data.train) + len(data.validation) == 41


def test_one_photograph_saved_anew_under_another_label_is_left_out_on_both_sides_and_told(
    tmp_path: Path, tree: Path
) -> None:
    for name, number in (("copy.jpg", "03"), ("other.jpg", "04")):
        Image.open(tree / f"Fish/{number}.png").resize((120, 88)).save(tree / "Octopus" / name, quality=92)
    held = Path(shutil.copytree(tree, tmp_path / "held"))
    for path in tree.rglob("0[4-9].png"):
        path.unlink()
    (tree / "Octopus/other.jpg").unlink()
    for path in (*held.rglob("1*.png"), *held.rglob("0[0-3].png"), held / "Octopus/copy.jpg"):
        path.unlink()
    data = prepare(options(tmp_path, tree, val=(held,)), Silent())
    told = [(Path(e["file"]).name, e["label"]) for e in data.report["contradictory"]]
    assert told == [("03.png", "Fish"), ("copy.jpg", "Octopus"), ("04.png", "Fish"), ("other.jpg", "Octopus")]
    assert (len(data.train), len(data.validation)) == (23, 17)
    as_before = prepare(options(tmp_path, tree, val=(held,), contradictions="pixels"), Silent())
    assert as_before.report["contradictory"] == []
    assert (len(as_before.train), len(as_before.validation)) == (25, 19)


def test_pictures_that_one_camera_took_in_a_minute_never_stand_on_both_sides(tmp_path: Path, tree: Path) -> None:
    for path in sorted(tree.rglob("*.png")):
        number = int(path.stem)
        exif = Image.Exif()
        exif[0x0110] = "TG-6"
        exif.get_ifd(0x8769)[0x9003] = f"2026:05:01 09:{number // 2 * 5:02d}:{30 * (number % 2):02d}"
        Image.open(path).save(path.with_suffix(".jpg"), quality=95, exif=exif)
        path.unlink()
    for seed in range(3):
        data = prepare(options(tmp_path, tree, seed=seed), Silent())
        pairs = [{(f.label, int(Path(f.path).stem) // 2) for f in side.files} for side in (data.train, data.validation)]
        assert pairs[0].isdisjoint(pairs[1])
        assert data.report["duplicates_kept_together"] == 21


def test_training_pictures_that_are_in_the_given_validation_are_left_out(tmp_path: Path, tree: Path) -> None:
    held = tmp_path / "held"
    for name in ("Fish", "Octopus", "Sea Turtle"):
        (held / name).mkdir(parents=True)
        for number in ("00", "01"):
            shutil.move(tree / name / f"{number}.png", held / name / f"{number}.png")
    shutil.copy(held / "Fish/00.png", tree / "Fish/same.png")
    Image.open(held / "Octopus/01.png").resize((90, 66)).save(tree / "Octopus/near.jpg", quality=85)
    data = prepare(options(tmp_path, tree, val=(held,)), Silent())
    assert np.bincount(data.validation.labels).tolist() == [2, 2, 2]
    assert np.bincount(data.train.labels).tolist() == [12, 12, 12]
    assert {Path(e["file"]).name: Path(e["validation_file"]).name for e in data.report["duplicates_of_validation"]} == {
        "same.png": "00.png",
        "near.jpg": "01.png",
    }


def test_a_given_validation_must_have_every_class(tmp_path: Path, tree: Path) -> None:
    held = tmp_path / "held"
    (held / "fish").mkdir(parents=True)
    shutil.move(tree / "Fish/00.png", held / "fish")
    with pytest.raises(DataError, match=r"validation: no usable picture of Octopus, Sea Turtle \(counts: Fish 1, "):
        prepare(options(tmp_path, tree, val=(held,)), Silent())


def test_one_class_is_not_enough(tmp_path: Path, tree: Path) -> None:
    shutil.rmtree(tree / "Fish")
    shutil.rmtree(tree / "Octopus")
    with pytest.raises(DataError, match="at least 2 classes, found 1: Sea Turtle"):
        prepare(options(tmp_path, tree), Silent())


def test_a_class_of_which_nothing_can_be_read_is_refused_with_its_count(tmp_path: Path, tree: Path) -> None:
    for path in (tree / "Octopus").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"too few pictures .*: Octopus 0"):
        prepare(options(tmp_path, tree), Silent())


def test_the_record_of_the_split_is_enough_to_find_every_picture_again(tmp_path: Path, tree: Path) -> None:
    data = prepare(options(tmp_path, tree, limit=8), Silent())
    record = json.loads(json.dumps(data.split_record()))
    assert record["hash"] == data.split_hash
    assert len(record["training"]) + len(record["validation"]) == 24
    for entry in record["training"] + record["validation"]:
        assert (Path(record["trees"][entry["tree"]]) / entry["path"]).is_file()
        assert Path(entry["path"]).parts[0] == entry["label"]


def test_the_same_pictures_elsewhere_have_the_same_hashes(tmp_path: Path, tree: Path) -> None:
    first = prepare(options(tmp_path, tree), Silent())
    moved = Path(shutil.move(tree, tmp_path / "elsewhere"))
    (moved / "Sea Turtle").rename(moved / "sea_turtle")
    second = prepare(options(tmp_path, moved), Silent())
    assert (first.data_hash, first.split_hash) == (second.data_hash, second.split_hash)


def test_calibration_frames_are_drawn_evenly_from_the_training_side(tmp_path: Path, tree: Path, monkeypatch) -> None:
    data = prepare(options(tmp_path, tree), Silent())
    monkeypatch.setattr("training.dataset.CALIBRATION_PICTURES", 6)
    frames, labels = calibration_frames(data, 32, seed=0)
    assert frames.shape == (6, 32, 32, 3)
    assert frames.dtype == np.uint8
    assert np.bincount(labels).tolist() == [2, 2, 2]
    sources = [resize_rgb(np.asarray(Image.open(file.full)), 32) for file in data.train.files]
    assert all(any(np.array_equal(frame, source) for source in sources) for frame in frames)
