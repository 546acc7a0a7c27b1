"""coco.json is read back by pycocotools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from raw_rows import shown, write

from dives.files import Files, RecordedFile
from dives.writers.coco_json import CocoJson

coco = pytest.importorskip("pycocotools.coco")


def read(to):
    return coco.COCO(str(to.folder / "coco.json"))


def test_every_frame_is_an_image_and_every_shown_label_a_whole_frame(dive):
    to = dive(30, taxonomy={"Turtle": "Testudines"})
    labels = [0] * 10 + [None] * 5 + [2] * 15
    write([shown(2 * k, k * 0.1, label) for k, label in enumerate(labels)], to, CocoJson())
    found = read(to)
    assert sorted(found.getImgIds()) == list(range(1, 31))
    assert [image["frame_index"] for image in found.loadImgs(found.getImgIds())] == list(range(0, 60, 2))
    (turtle,) = found.getCatIds(catNms=["Turtle"])
    assert found.loadCats(turtle)[0]["taxon"] == "Testudines"
    assert sorted(found.getImgIds(catIds=[turtle])) == list(range(16, 31))
    annotations = found.loadAnns(found.getAnnIds(catIds=[turtle]))
    assert {tuple(annotation["bbox"]) for annotation in annotations} == {(0, 0, 64, 48)}
    assert {(annotation["score"], annotation["track_id"]) for annotation in annotations} == {(0.9, 2)}
    assert found.getAnnIds(imgIds=[11]) == []
    assert found.loadImgs(2)[0]["file_name"] == "dive/000002.jpg"


def test_chapters_are_videos_of_their_own(dive, tmp_path):
    to = dive(2, files=Files([RecordedFile(tmp_path / "GX01.MP4"), RecordedFile(tmp_path / "GX02.MP4", 100, 4.0)]))
    write([shown(99, 3.96, 0), shown(100, 4.0, 0)], to, CocoJson())
    found = read(to)
    assert [video["name"] for video in found.dataset["videos"]] == ["GX01.MP4", "GX02.MP4"]
    images = found.loadImgs([1, 2])
    assert [(image["video_id"], image["frame_index"]) for image in images] == [(1, 99), (2, 0)]


def test_a_folder_of_pictures_is_one_video_of_named_images(dive):
    files = Files.pictures([Path("reef/a.jpg"), Path("reef/b.jpg")], 1.0)
    to = dive(2, files=files, kind="pictures")
    write([shown(0, 0.0, 0), shown(1, 1.0, None)], to, CocoJson())
    found = read(to)
    assert found.dataset["videos"] == [{"id": 1, "name": "reef"}]
    assert [image["file_name"] for image in found.loadImgs([1, 2])] == ["a.jpg", "b.jpg"]


def test_a_dive_of_nothing_is_still_a_data_set(dive):
    to = dive(1, labels=('"', "\\", "海"))
    write([shown(0, 0.0, None)], to, CocoJson())
    found = read(to)
    assert found.getAnnIds() == []
    assert [category["name"] for category in found.dataset["categories"]] == ['"', "\\", "海"]
    assert json.loads((to.folder / "coco.json").read_text(encoding="utf-8"))["licenses"] == []
