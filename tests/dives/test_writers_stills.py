"""dives/writers/stills.py: which frames become stills, and what is left of earlier ones."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from clips import write_clip
from raw_rows import shown, write

from dives.files import Files
from dives.writers.stills import Stills, still_stem


@pytest.fixture
def clip(tmp_path):
    """40 frames at 25 a second: ten red, ten green, ten blue, ten red."""
    return write_clip(tmp_path / "dive.mp4", frames=40, options={"bf": "2", "g": "12"})


@pytest.fixture
def rows():
    """Two sightings, surest at frames 13 and 33."""

    def row(k, label):
        made = shown(k, k / 25, label)
        sure = made.probabilities.copy()
        sure[label] += 0.01 * (k in (13, 33))
        return replace(made, probabilities=sure, cam=np.full((2, 2), 255 * (k == 33), np.uint8))

    return [row(k, 0 if k < 20 else 2) for k in range(40)]


def colour(path):
    """The strongest of red, green, blue, by number."""
    return int(cv2.imread(str(path))[..., ::-1].mean(axis=(0, 1)).argmax())


def names(to):
    folder = to.folder / "stills"
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def test_the_surest_frame_of_each_sighting_plain_and_with_its_own_map(dive, clip, rows):
    to, told = dive(40, files=Files.one(clip)), []
    stills = Stills(tell=lambda done, total: told.append((done, total)))
    write(rows, to, stills)
    assert names(to) == [
        *("0001-fish-000013-overlay.jpg", "0001-fish-000013.jpg"),
        *("0002-turtle-000033-overlay.jpg", "0002-turtle-000033.jpg"),
    ]
    first, second = stills.of(1), stills.of(2)
    assert (first.plain, first.overlay) == ("stills/0001-fish-000013.jpg", "stills/0001-fish-000013-overlay.jpg")
    assert (colour(to.folder / first.plain), colour(to.folder / second.plain)) == (1, 0)
    assert np.array_equal(cv2.imread(str(to.folder / first.plain)), cv2.imread(str(to.folder / first.overlay)))
    assert not np.array_equal(cv2.imread(str(to.folder / second.plain)), cv2.imread(str(to.folder / second.overlay)))
    assert (told, stills.missing, stills.interrupted) == ([(1, 2), (2, 2)], 0, False)


def test_what_an_earlier_run_made_is_kept_and_what_is_too_much_is_removed(dive, clip, rows):
    to = dive(40, files=Files.one(clip))
    write(rows, to, Stills())
    whole = {name: (to.folder / "stills" / name).read_bytes() for name in names(to)}
    kept = to.folder / "stills" / "0002-turtle-000033.jpg"
    kept.write_bytes(b"looked at again?")
    (to.folder / "stills" / "0001-fish-000013.jpg").unlink()
    (to.folder / "stills" / "0003-fish-000039.jpg").write_bytes(b"of a run that saw more")
    (to.folder / "stills" / "0001-fish-000013.jpg.partial").write_bytes(b"killed")
    (to.folder / "stills" / "notes.txt").write_text("mine")
    write(rows, to, Stills())
    assert names(to) == [*whole, "notes.txt"]
    assert kept.read_bytes() == b"looked at again?"
    assert (to.folder / "stills" / "0001-fish-000013.jpg").read_bytes() == whole["0001-fish-000013.jpg"]


def test_a_frame_that_cannot_be_read_again_is_counted_and_the_rest_is_made(dive, clip, rows):
    to = dive(40, files=Files.one(clip))
    lost = [replace(row, index=row.index + 100, media_s=row.media_s + 4.0) if row.index >= 20 else row for row in rows]
    stills = Stills()
    write(lost, to, stills)
    assert (stills.missing, stills.of(2)) == (1, None)
    assert stills.of(1) is not None
    assert len(names(to)) == 2


def test_ctrl_c_ends_the_stills_not_the_results(dive, clip, rows):
    def interrupt(done, total):
        raise KeyboardInterrupt

    to = dive(40, files=Files.one(clip))
    stills = Stills(tell=interrupt)
    write(rows, to, stills)
    assert stills.interrupted
    assert (stills.of(1) is None, stills.of(2)) == (False, None)


def test_a_dive_without_animals_has_no_folder_of_stills(dive, clip):
    to = dive(1, files=Files.one(clip))
    write([shown(0, 0.0, None)], to, Stills())
    assert not (to.folder / "stills").exists()


@pytest.mark.parametrize(
    ("label", "stem"),
    [
        ("Sea Turtle", "0007-sea-turtle-000042"),
        ("../../etc", "0007-etc-000042"),
        ('Ray, "eagle"', "0007-ray-eagle-000042"),
        ("ウミガメ", "0007-ウミガメ-000042"),
        ("?!", "0007-label-000042"),
        ("x" * 300, f"0007-{'x' * 40}-000042"),
    ],
)
def test_a_name_says_what_it_is_of_and_is_a_name_on_every_disk(label, stem):
    assert still_stem(7, label, 42) == stem
