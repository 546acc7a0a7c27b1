"""serving/downloads.py: what people may have of a dive, also while it goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from serving.downloads import _files


def test_what_is_deleted_while_it_is_listed_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stills").mkdir()
    (tmp_path / "frames.csv").write_text("frame\n")
    (tmp_path / "dive.srt.partial").write_text("")
    (tmp_path / "elsewhere.csv").symlink_to(tmp_path / "frames.csv")
    real = os.scandir

    def scandir(path: str | os.PathLike[str]) -> object:
        if Path(path) == tmp_path / "stills":
            (tmp_path / "stills").rmdir()
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert _files(tmp_path) == {"frames.csv": tmp_path / "frames.csv"}
    assert _files(tmp_path / "gone") == {}
