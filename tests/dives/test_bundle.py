"""A zip that is made on the way holds every file as it is, and nothing waits in memory for the end."""

from __future__ import annotations

import io
import os
import tracemalloc
import zipfile

import numpy as np

from dives import bundle
from dives.bundle import PIECE_BYTES, zipped


def test_what_is_unpacked_is_what_was_packed(tmp_path):
    content = {"frames.csv": b"frame\n" + b"1\n" * 5000, "stills/ä 1.jpg": os.urandom(3000), "empty.vtt": b""}
    files = {}
    for name, data in content.items():
        files[name] = tmp_path / name
        files[name].parent.mkdir(exist_ok=True)
        files[name].write_bytes(data)
    os.utime(files["empty.vtt"], (0, 0))  # a camera whose clock was never set
    files["gone.csv"] = tmp_path / "gone.csv"
    data = b"".join(zipped(files, "Çakıl reef"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(f"Çakıl reef/{name}") for name in content} == content
        assert len(archive.namelist()) == 3
        assert archive.getinfo("Çakıl reef/frames.csv").compress_size < 500
        assert archive.getinfo("Çakıl reef/stills/ä 1.jpg").compress_type == zipfile.ZIP_STORED


def test_files_beyond_what_a_plain_zip_can_tell_are_packed(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "LONG_BYTES", 1000)
    (tmp_path / "overlay.mp4").write_bytes(bytes(5000))
    with zipfile.ZipFile(io.BytesIO(b"".join(zipped({"overlay.mp4": tmp_path / "overlay.mp4"}, "dive")))) as archive:
        assert archive.read("dive/overlay.mp4") == bytes(5000)


def test_it_holds_some_pieces_at_a_time(tmp_path):
    path = tmp_path / "overlay.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(40 * PIECE_BYTES))
    tracemalloc.start()
    try:
        longest = max(len(piece) for piece in zipped({"overlay.mp4": path}, "dive"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert longest < 2 * PIECE_BYTES
    assert peak < 8 * PIECE_BYTES
