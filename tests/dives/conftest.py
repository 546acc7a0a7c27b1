"""A real engine on the toy model, recordings of a few seconds, and the facts of a dive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clips import write_clip
from toy_onnx import toy_contract

from dives.files import Files
from dives.writers.base import Dive
from realtime.engine import Engine
from realtime.sources import SourceInfo


@pytest.fixture(scope="session")
def engine(toy_model: Path) -> Iterator[Engine]:
    with Engine.open(toy_model, provider="cpu", threads=1) as opened:
        yield opened


class Counting(Engine):
    """Counts the frames it is given; at run ``fail_at`` somebody presses Ctrl-C."""

    frames = 0
    runs = 0
    fail_at: int | None = None

    def run(self, frames, explain=None):
        self.runs += 1
        if self.runs == self.fail_at:
            raise KeyboardInterrupt
        self.frames += len(frames)
        return super().run(frames, explain)


@pytest.fixture
def counting(toy_model: Path) -> Iterator[Counting]:
    with Counting.open(toy_model, provider="cpu", threads=1) as opened:
        yield opened


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """60 frames, 2.4 s: red, green, blue, red, green, blue."""
    return write_clip(tmp_path / "dive.mp4", frames=60, metadata={"creation_time": "2026-05-01T09:30:00Z"})


@pytest.fixture
def two_chapters(tmp_path: Path) -> list[Path]:
    """25 and 30 frames at 10 a second; each begins red, and changes colour every ten frames."""
    return [
        write_clip(tmp_path / f"GX0{number}0042.MP4", frames=frames, rate=10, metadata={"creation_time": began})
        for number, frames, began in [(1, 25, "2026-05-01T09:30:00Z"), (2, 30, "2026-05-01T09:30:02.5Z")]
    ]


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
