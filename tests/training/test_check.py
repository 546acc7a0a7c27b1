"""A check of photographs finds what is broken, doubled, contradictory and odd, and says what to do about it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realtime.errors import DataError
from training.check import check
from training.check_report import findings, to_html, to_json, to_text
from training.dataset import prepare
from training.formats import inspect
from training.options import TrainOptions
from training.progress import Silent


@pytest.fixture
def tree(toy_photographs: Path, tmp_path: Path) -> Path:
    """A copy of the toy photographs that may be changed."""
    return Path(shutil.copytree(toy_photographs, tmp_path / "photographs"))


@pytest.fixture
def flawed(tree: Path) -> Path:
    """The toy photographs with one of every flaw."""
    shutil.copy(tree / "Fish/00.png", tree / "Octopus/same.png")  # contradiction
    shutil.copy(tree / "Fish/01.png", tree / "Fish/copy.png")
    Image.open(tree / "Fish/02.png").resize((120, 88)).save(tree / "Fish/near.jpg", quality=85)
    Image.open(tree / "Fish/03.png").resize((120, 88)).save(tree / "Sea Turtle/again.jpg", quality=92)  # contradiction
    darker = Image.open(tree / "Fish/04.png").point(lambda level: round(0.8 * level))
    darker.save(tree / "Sea Turtle/near.png")  # doubtful
    for number in (120, 121):
        shutil.move(tree / f"Octopus/0{number - 117}.png", tree / f"Octopus/IMG_0{number}.png")
    Image.new("RGB", (200, 200), (40, 90, 120)).save(tree / "Octopus/water.png")  # blank
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (20, 90, 3), np.uint8)).save(tree / "Octopus/long.png")
    (tree / "Fish/broken.jpg").write_bytes(b"no picture")
    (tree / "Fish/notes.txt").write_text("seen at noon")
    return tree


def names(groups) -> list[set[str]]:
    return [{photo.name for photo in group.photos} for group in groups]


def test_every_flaw_is_found_and_nothing_else(flawed: Path) -> None:
    found = check([flawed])
    assert names(found.contradictory) == [
        {"Fish/00.png", "Octopus/same.png"},
        {"Fish/03.png", "Sea Turtle/again.jpg"},
    ]
    assert names(found.copies) == [{"Fish/01.png", "Fish/copy.png"}]
    assert names(found.near) == [{"Fish/02.png", "Fish/near.jpg"}]
    assert names(found.doubtful) == [{"Fish/04.png", "Sea Turtle/near.png"}]
    assert names(found.bursts) == [{"Octopus/IMG_0120.png", "Octopus/IMG_0121.png"}]
    assert [photo.name for photo in found.blank] == ["Octopus/water.png"]
    assert [photo.name for photo in found.long] == ["Octopus/long.png"]
    assert {Path(entry.file).name for entry in found.unreadable} == {"broken.jpg", "notes.txt"}
    counts = {line.label: line for line in found.classes}
    assert (counts["Fish"].pictures, counts["Fish"].usable, counts["Fish"].independent) == (16, 13, 12)
    assert found.pictures == 14 * 3 + 7


def test_what_it_calls_usable_and_independent_is_what_training_divides(flawed: Path, tmp_path: Path) -> None:
    found = check([flawed])
    data = prepare(TrainOptions(data=(flawed,), out=tmp_path / "run", image_size=32, val_share=0.25), Silent())
    groups = {*data.train_groups.tolist(), *data.validation_groups.tolist()}
    shared = len(found.doubtful)  # a group of two classes counts in both
    assert sum(line.independent for line in found.classes) == len(groups) + shared
    sides = [{file.path for file in side.files} for side in (data.train, data.validation)]
    for group in (*found.near, *found.copies, *found.bursts, *found.doubtful):
        paths = {photo.name for photo in group.photos}
        assert any(paths <= side for side in sides), "kept together"


def test_the_report_names_files_and_advice_and_escapes_both(flawed: Path) -> None:
    (flawed / "Fish" / "02.png").rename(flawed / "Fish" / "<b>02.png")
    found = check([flawed])
    page = to_html(found)
    assert page.count("data:image/jpeg;base64,") >= 12
    assert "<b>02.png" not in page
    assert "&lt;b&gt;02.png" in page
    assert "http" not in page.replace("http-equiv", "")
    told = json.loads(to_json(found))
    assert told["usable"] == found.usable
    assert [f["level"] for f in told["findings"]] == [f.level for f in findings(found)]
    text = to_text(found)
    assert "4 files contradict each other: 2 photographs under two labels or more" in text
    assert text.index("wrong") < text.index("look ") < text.index("know ")


def test_sound_photographs_get_no_alarm(toy_photographs: Path) -> None:
    found = check([toy_photographs])
    assert {finding.level for finding in findings(found)} <= {"look"}  # few and small they are
    assert "Nothing that needs a word" not in to_html(found)


def test_trees_are_merged_and_files_named_by_tree(tree: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine" / "sea_turtle"
    mine.mkdir(parents=True)
    shutil.copy(tree / "Fish/00.png", mine / "a.png")
    found = check([tree, tmp_path / "mine"])
    assert len(found.classes) == 3
    assert names(found.contradictory) == [{"photographs/Fish/00.png", "mine/sea_turtle/a.png"}]


def test_a_tree_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Fish").mkdir()
    (tmp_path / "Fish/1.jpg").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"no picture can be read \(1 skipped\)"):
        check([tmp_path])


def test_formats_are_told_by_content_not_by_name(tmp_path: Path) -> None:
    rgb = Image.new("RGB", (40, 30), (9, 99, 199))
    rgb.save(tmp_path / "a.jpg", "PNG")
    rgb.convert("L").save(tmp_path / "b.jpg")
    rgb.convert("RGBA").save(tmp_path / "c.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    rgb.save(tmp_path / "d.jpg", exif=exif)
    rgb.save(tmp_path / "e.gif", save_all=True, append_images=[Image.new("RGB", (40, 30))])
    rgb.save(tmp_path / "f.jpg", "MPO", save_all=True, append_images=[Image.new("RGB", (40, 30))])
    rgb.save(tmp_path / "g.jpeg")
    remarks = {path.name: inspect(path).remarks for path in sorted(tmp_path.iterdir())}
    assert remarks["a.jpg"] == ("PNG behind the ending .jpg",)
    assert remarks["b.jpg"] == ("grey",)
    assert remarks["c.png"] == ("transparency",)
    assert remarks["d.jpg"] == ("turned by its EXIF orientation",)
    assert "GIF with several pictures, such as an animation: the first is taken" in remarks["e.gif"]
    assert remarks["f.jpg"] == ("MPO, several pictures in one: the first is taken",)
    assert remarks["g.jpeg"] == ()
    (tmp_path / "h.jpg").write_bytes(b"nothing")
    assert inspect(tmp_path / "h.jpg") is None
