"""serving/downloads.py: what people may have of a dive, also while it goes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import httpx
import pytest

from serving.downloads import _files
from serving.files import SentFile


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


@pytest.mark.parametrize("then", ["longer", "shorter", "gone"])
@pytest.mark.parametrize(("headers", "part"), [({}, slice(0, 9)), ({"range": "bytes=2-5"}, slice(2, 6))])
def test_what_is_sent_is_the_file_that_was_announced_whatever_takes_its_place(
    tmp_path: Path, then: str, headers: dict[str, str], part: slice
) -> None:
    """A table is made anew, and a dive deleted, whoever is reading."""
    path, other = tmp_path / "frames.csv", tmp_path / "other.csv"
    path.write_bytes(b"before it")
    answer = SentFile(path, "text/csv")
    other.write_bytes(b"after it, and longer" if then == "longer" else b"after")
    other.replace(path)
    if then == "gone":
        path.unlink()

    async def sent() -> bytes:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(answer), base_url="http://library") as client:
            return (await client.get("/", headers=headers)).content

    assert asyncio.run(sent()) == b"before it"[part]
