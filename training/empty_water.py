"""Counts false alarms: the time for which a label is shown over water in which there is no animal."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from realtime.decode import EXTENSIONS
from realtime.engine import Engine
from realtime.frames import Frame
from realtime.pipeline import RawResult, infer
from realtime.smoothing import Smoother
from realtime.sources import PictureFolder, VideoFile
from training.progress import Reporter

INTERVAL_S = 0.1  # between classified frames: a label takes longer than that to appear
BATCH = 8


@dataclass(frozen=True, slots=True)
class EmptyScene:
    """One clip, or one folder of pictures, in which there is no animal.

    kind: "video" or "pictures". frames: classified. seconds: of the clip; 0 for pictures. alarm: the share of the
    clip's time, or of the pictures, with a label shown. labels: of what was shown, each with its share.
    """

    name: str
    kind: str
    frames: int
    seconds: float
    alarm: float
    labels: Mapping[str, float] = field(default_factory=dict)

    def to_text(self) -> str:
        """One line for a person."""
        much = f"{self.seconds:.1f} s" if self.kind == "video" else f"{self.frames} pictures"
        shown = ", ".join(f"{label} {share:.0%}" for label, share in self.labels.items())
        return f"{self.name}: a label for {self.alarm:.1%} of {much}{f' ({shown})' if shown else ''}"


def false_alarms(engine: Engine, paths: Sequence[Path], reporter: Reporter) -> tuple[EmptyScene, ...]:
    """What is shown over each clip, smoothed as everywhere, and over each picture of a folder by itself.

    paths: videos, folders of pictures, and folders of videos alone. Raises SourceError for what is none of them.
    """
    found: list[EmptyScene] = []
    for source in _opened(paths):
        reporter.begin(f"empty water, {source.name}", source.info.frames or 0)
        with source:
            if isinstance(source, PictureFolder):
                found.append(_pictures(engine, source, reporter))
            else:
                found.append(_clip(engine, source, reporter))
    return tuple(found)


def overall(scenes: Sequence[EmptyScene]) -> float:
    """The share of the time of all clips with a label shown; of all pictures when there is no clip."""
    clips = [scene for scene in scenes if scene.kind == "video"]
    weighed = [(scene.alarm, scene.seconds) for scene in clips] or [(scene.alarm, scene.frames) for scene in scenes]
    return sum(alarm * weight for alarm, weight in weighed) / max(sum(weight for _, weight in weighed), 1e-9)


def _opened(paths: Sequence[Path]) -> Iterator[VideoFile | PictureFolder]:
    for path in paths:
        inside = sorted(entry for entry in path.iterdir() if not entry.name.startswith(".")) if path.is_dir() else []
        if path.is_dir() and (not inside or any(entry.suffix.lower() in EXTENSIONS for entry in inside)):
            yield PictureFolder(path)
        else:
            yield from map(VideoFile, inside or [path])


def _clip(engine: Engine, source: VideoFile, reporter: Reporter) -> EmptyScene:
    rows = list(_rows(engine, _every(source, INTERVAL_S, reporter)))
    smoother = Smoother(engine.contract)
    shown = [smoother.step(row.media_s, row.probabilities, row.unknown).index for row in rows]
    # What is shown stays until the next classified frame, behind the last one for the usual interval.
    ends = [row.media_s for row in rows[1:]] + [rows[-1].media_s + INTERVAL_S]
    lasts = [end - row.media_s for row, end in zip(rows, ends, strict=True)]
    return _scene(source.name, "video", engine.contract.labels, shown, lasts, sum(lasts))


def _pictures(engine: Engine, source: PictureFolder, reporter: Reporter) -> EmptyScene:
    """Each with a fresh memory: pictures of a folder need not follow each other."""
    rows = list(_rows(engine, _every(source, 0.0, reporter)))
    shown = [Smoother(engine.contract).step(0.0, row.probabilities, row.unknown).index for row in rows]
    return _scene(source.name, "pictures", engine.contract.labels, shown, [1.0] * len(rows), 0.0)


def _scene(
    name: str, kind: str, labels: Sequence[str], shown: Sequence[int | None], weights: Sequence[float], seconds: float
) -> EmptyScene:
    total = sum(weights)
    by_label: Counter[str] = Counter()
    for index, weight in zip(shown, weights, strict=True):
        if index is not None:
            by_label[labels[index]] += weight / total  # type: ignore[assignment]  # a Counter holds any number
    return EmptyScene(name, kind, len(shown), seconds, sum(by_label.values()), dict(by_label.most_common()))


def _every(source: VideoFile | PictureFolder, interval_s: float, reporter: Reporter) -> Iterator[Frame]:
    due_s = 0.0
    for frame in source:
        reporter.advance()
        if frame.media_s + 1e-6 >= due_s:
            due_s = frame.media_s + interval_s
            yield frame


def _rows(engine: Engine, frames: Iterator[Frame]) -> Iterator[RawResult]:
    while batch := list(itertools.islice(frames, BATCH)):
        yield from infer(engine, batch)
