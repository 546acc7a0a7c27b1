"""A real engine on the toy model, and the facts of a dive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from toy_onnx import toy_contract

from dives.files import Files
from dives.writers.base import Dive
from realtime.engine import Engine
from realtime.sources import SourceInfo


@pytest.fixture(scope="session")
def engine(toy_model: Path) -> Iterator[Engine]:
    with Engine.open(toy_model, provider="cpu", threads=1) as opened:
        yield opened


@pytest.fixture
def dive(tmp_path: Path) -> Callable[..., Dive]:
    """A dive into tmp_path with so many frames."""

    def make(
        frames: int,
        *,
        rate: float | None = 25.0,
        merge_gap_s: float = 2.0,
        files: Files | None = None,
        kind: str = "video",
        **contract: object,
    ) -> Dive:
        info = SourceInfo(kind=kind, size_hw=(48, 64), rate=rate, frames=frames)
        files = files or Files.one(tmp_path / "dive.mp4")
        return Dive(tmp_path, "dive.mp4", toy_contract(**contract), info, frames, merge_gap_s, files)

    return make
