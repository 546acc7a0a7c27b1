"""Trees of photographs are merged by class name, read once, and never stop the work for one bad file."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from realtime.errors import DataError
from realtime.labels import label_key
from realtime.preprocess import resize_rgb
from training.photographs import data_hash, find_photographs, limited, load_photographs


def write_picture(path: Path, seed: int = 0, size: tuple[int, int] = (50, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)).save(path)
    return path


@given(st.lists(st.text("abcXYZäÉß1", min_size=1), min_size=1), st.sampled_from(" _-"))
def test_case_separators_and_the_way_accents_are_stored_do_not_count(words: list[str], separator: str) -> None:
    key = label_key("".join(words))
    assert label_key(key) == key
    assert label_key(separator.join(words).upper()) == key
    assert label_key(unicodedata.normalize("NFD", separator.join(words))) == key


@pytest.mark.parametrize("spelling", ["Jelly Fish", "jelly_fish", "JELLY-FISH", "jellyfish", " Jelly  Fish"])
def test_spellings_of_one_class_have_one_key(spelling: str) -> None:
    assert label_key(spelling) == "jellyfish"


def test_trees_are_merged_by_class_under_the_name_seen_first(tmp_path: Path) -> None:
    write_picture(tmp_path / "public/Jelly Fish/1.png")
    write_picture(tmp_path / "public/Crabs/1.png")
    write_picture(tmp_path / "mine/jelly_fish/dive 3/1.png")
    write_picture(tmp_path / "mine/Wrasse/1.png")
    found = find_photographs([tmp_path / "public", tmp_path / "mine"])
    assert found.labels == ("Crabs", "Jelly Fish", "Wrasse")
    assert [(file.path, file.label) for file in found.files] == [
        ("Crabs/1.png", 0),
        ("Jelly Fish/1.png", 1),
        ("Wrasse/1.png", 2),
        ("jelly_fish/dive 3/1.png", 1),
    ]


def test_a_tree_given_twice_counts_once(tmp_path: Path) -> None:
    write_picture(tmp_path / "Crabs/1.png")
    assert len(find_photographs([tmp_path, tmp_path]).files) == 1


def test_given_labels_keep_their_order_and_refuse_strangers(tmp_path: Path) -> None:
    write_picture(tmp_path / "sea_turtle/1.png")
    found = find_photographs([tmp_path], labels=("Whale", "Sea Turtle"))
    assert found.labels == ("Whale", "Sea Turtle")
    assert found.files[0].label == 1
    write_picture(tmp_path / "Walrus/1.png")
    with pytest.raises(DataError, match=r"'Walrus' is none of the 2 classes \(Whale, Sea Turtle\)"):
        find_photographs([tmp_path], labels=("Whale", "Sea Turtle"))


def test_an_empty_class_folder_is_refused_with_the_counts(tmp_path: Path) -> None:
    write_picture(tmp_path / "Crabs/1.png")
    (tmp_path / "Eel").mkdir()
    (tmp_path / "Eel/notes.txt").write_text("none yet")
    with pytest.raises(DataError, match=r"without pictures: Eel \(pictures found: Crabs 1, Eel 0\)"):
        find_photographs([tmp_path])


def test_a_folder_of_splits_is_not_taken_for_classes(tmp_path: Path) -> None:
    write_picture(tmp_path / "train/Crabs/1.png")
    write_picture(tmp_path / "val/Crabs/2.png")
    with pytest.raises(DataError, match="looks like one part of a split"):
        find_photographs([tmp_path])


def test_a_missing_tree_and_a_flat_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone: expected a folder with one folder per class \(No such file"):
        find_photographs([tmp_path / "gone"])
    write_picture(tmp_path / "1.png")
    with pytest.raises(DataError, match="expected one folder per class, found 1 files and no folder"):
        find_photographs([tmp_path])


def test_files_that_are_no_pictures_are_listed_and_hidden_ones_passed_over(tmp_path: Path) -> None:
    write_picture(tmp_path / "Crabs/1.png")
    write_picture(tmp_path / "Crabs/._1.png")
    write_picture(tmp_path / ".cache/2.png")
    (tmp_path / "Crabs/Thumbs.db").write_bytes(b"x")
    (tmp_path / "readme.txt").write_text("x")
    found = find_photographs([tmp_path])
    assert [file.path for file in found.files] == ["Crabs/1.png"]
    assert {Path(s.file).name: s.reason for s in found.skipped} == {
        "Thumbs.db": "not a picture by its name (.db)",
        "readme.txt": "lies outside any class folder",
    }


def test_a_limit_draws_the_same_pictures_of_every_class_again(tmp_path: Path) -> None:
    for name in ("Crabs", "Eel"):
        for i in range(9):
            write_picture(tmp_path / f"{name}/{i}.png")
    files = find_photographs([tmp_path]).files
    drawn = limited(files, 3, seed=1)
    assert [sum(file.label == label for file in drawn) for label in (0, 1)] == [3, 3]
    assert drawn == limited(files, 3, seed=1)
    assert drawn != limited(files, 3, seed=2)
    assert limited(files, None, seed=1) == files


def test_a_picture_is_loaded_as_the_network_will_see_it(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "Crabs/1.png")
    loaded, skipped = load_photographs(find_photographs([tmp_path]).files, 32)
    rgb = np.asarray(Image.open(path))
    assert not skipped
    assert np.array_equal(loaded.pixels[0], resize_rgb(rgb, 32))
    assert loaded.file_hashes == (hashlib.sha256(path.read_bytes()).hexdigest(),)
    assert loaded.labels.tolist() == [0]


def test_the_same_pixels_in_another_file_have_the_same_pixel_hash(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "Crabs/1.png")
    Image.open(path).save(tmp_path / "Crabs/2.bmp")
    loaded, _ = load_photographs(find_photographs([tmp_path]).files, 32)
    assert len(set(loaded.pixel_hashes)) == 1
    assert len(set(loaded.file_hashes)) == 2


def test_unreadable_files_are_skipped_with_their_reason_and_the_rest_is_kept(tmp_path: Path) -> None:
    write_picture(tmp_path / "Crabs/a.png", 1)
    (tmp_path / "Crabs/b.jpg").write_text("<html>")
    write_picture(tmp_path / "Crabs/c.png", 2, (1, 1))
    (tmp_path / "Crabs/d.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "Crabs/e.png")
    write_picture(tmp_path / "Crabs/f.png", 3)
    loaded, skipped = load_photographs(find_photographs([tmp_path]).files, 32)
    assert [file.path for file in loaded.files] == ["Crabs/a.png", "Crabs/f.png"]
    assert len(loaded.pixels) == len(loaded.fingerprints) == len(loaded.labels) == 2
    reasons = {Path(s.file).name: s.reason for s in skipped}
    assert reasons["b.jpg"].startswith("unreadable")
    assert reasons["c.png"].startswith("1 x 1 pixels")
    assert reasons["d.png"] == "No such file or directory"
    assert reasons["e.png"] == "not a regular file"


def test_the_data_hash_forgets_order_and_spelling_but_not_labels() -> None:
    one = data_hash(["a", "b"], ["Sea Turtle", "Crab"])
    assert one == data_hash(["b", "a"], ["crab", "sea_turtle"])
    assert one != data_hash(["a", "b"], ["Crab", "Sea Turtle"])
