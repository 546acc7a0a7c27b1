from __future__ import annotations

from pathlib import Path

from dives.folders import dive_folders


def names(pairs):
    return [folder.name for _, folder in pairs]


def test_a_dive_is_called_after_its_file(tmp_path):
    assert dive_folders([Path("a/reef.mp4")], tmp_path) == [(Path("a/reef.mp4"), tmp_path / "reef")]


def test_names_that_clash_are_numbered_in_order_and_always_alike(tmp_path):
    cards = [Path("100GOPRO/GX01.MP4"), Path("101GOPRO/GX01.MP4"), Path("102GOPRO/gx01.mov"), Path("gx01-2.mp4")]
    assert names(dive_folders(cards, tmp_path)) == ["GX01", "GX01-2", "gx01-3", "gx01-2-2"]
    assert dive_folders(cards, tmp_path) == dive_folders(cards, tmp_path)


def test_a_source_given_twice_is_processed_once(tmp_path):
    assert names(dive_folders([Path("reef.mp4"), Path("./reef.mp4")], tmp_path)) == ["reef"]


def test_a_folder_of_pictures_keeps_its_whole_name(tmp_path):
    pictures = tmp_path / "2026.05.01"
    pictures.mkdir()
    assert names(dive_folders([pictures], tmp_path / "out")) == ["2026.05.01"]


def test_results_never_go_into_a_source(tmp_path, monkeypatch):
    (tmp_path / "stills").mkdir()
    (tmp_path / "reef").write_bytes(b"a video without a suffix")
    monkeypatch.chdir(tmp_path)
    assert names(dive_folders([Path("stills"), Path("reef")], Path())) == ["stills-2", "reef-2"]


def test_the_current_folder_has_a_name_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert names(dive_folders([Path()], tmp_path / "out")) == [tmp_path.name]
