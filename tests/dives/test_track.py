"""dives/track.py: the bytes that the player looks up."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip

from dives.process import ProcessOptions, process
from dives.track import DATA, INDEX, NONE, read_index, write_track
from realtime.errors import ResultsError

VECTORS = Path(__file__).parents[1] / "vectors"
sys.path.insert(0, str(VECTORS))

import make_track  # noqa: E402


def columns(data: bytes, rows: int, top: int, grid: int) -> dict[str, np.ndarray]:
    """A chunk read by its documentation."""
    found, at = {}, 0
    for name, kind, shape in (
        ("media_s", "<f8", (rows,)),
        ("stable", "<u2", (rows,)),
        ("stable_probability", "<u2", (rows,)),
        ("unknown", "<u2", (rows,)),
        ("top", "<u2", (rows, top)),
        ("top_probability", "<u2", (rows, top)),
        ("cam", "u1", (rows, grid, grid)),
    ):
        count = int(np.prod(shape))
        found[name] = np.frombuffer(data, kind, count, at).reshape(shape)
        at += found[name].nbytes
    assert len(data) % 8 == 0
    assert len(data) - at < 8
    return found


def test_the_pages_vectors_are_what_this_writes():
    assert make_track.OUT.read_text(encoding="utf-8") == make_track.text()


def test_every_row_of_a_real_dive_is_in_it(tmp_path, engine):
    results = process(write_clip(tmp_path / "dive.mp4", frames=50), tmp_path / "out", engine, ProcessOptions()).folder
    assert write_track(results, tmp_path, engine.contract.labels, chunk_rows=20) == 50
    index = read_index(tmp_path)
    assert index is not None
    assert [chunk["rows"] for chunk in index["chunks"]] == [20, 20, 10]
    data = (tmp_path / DATA).read_bytes()
    parts = [
        columns(data[c["offset"] : c["offset"] + c["bytes"]], c["rows"], index["top"], index["grid"])
        for c in index["chunks"]
    ]
    assert np.concatenate([part["media_s"] for part in parts]) == pytest.approx([k / 25 for k in range(50)], abs=1e-6)
    assert (np.concatenate([part["cam"] for part in parts]) == np.load(results / "cams.npy")).all()
    top = np.concatenate([part["top"] for part in parts])
    assert top[::10, 0].tolist() == [0, 1, 2, 0, 1]
    assert (top[:, 3:] == NONE).all()  # a model of three classes


def test_a_dive_without_maps_has_a_track_without_maps(tmp_path, engine):
    results = process(write_clip(tmp_path / "dive.mp4"), tmp_path / "out", engine, ProcessOptions()).folder
    (results / "cams.npy").unlink()
    write_track(results, tmp_path, engine.contract.labels)
    index = read_index(tmp_path)
    assert index is not None
    assert index["grid"] == 0


@pytest.mark.parametrize("damage", ["no table", "other table", "short maps", "no maps at all"])
def test_results_that_do_not_fit_are_refused_and_leave_no_index(tmp_path, engine, damage):
    results = process(write_clip(tmp_path / "dive.mp4"), tmp_path / "out", engine, ProcessOptions()).folder
    write_track(results, tmp_path, engine.contract.labels)
    match damage:
        case "no table":
            (results / "frames.csv").unlink()
        case "other table":
            (results / "frames.csv").write_text("a,b\n1,2\n")
        case "short maps":
            np.save(results / "cams.npy", np.zeros((3, 2, 2), np.uint8))
        case _:
            (results / "cams.npy").write_bytes(b"no array")
    with pytest.raises(ResultsError):
        write_track(results, tmp_path, engine.contract.labels)
    assert read_index(tmp_path) is None
    assert not (tmp_path / f"{DATA}.partial").exists()


def test_an_index_of_another_version_is_none(tmp_path):
    (tmp_path / INDEX).write_text(json.dumps({"version": 99}))
    assert read_index(tmp_path) is None
