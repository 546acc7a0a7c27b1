"""What the smoothing's constants cost and bring: flicker, false alarms, delay and right labels, side by side.

    python bench/smoothing.py CLIPS [--photographs TREE] [--model M]

CLIPS: a folder of clips; what may be said of each is in TRUE_OF. TREE: class-per-folder photographs that the model was
not trained on; each becomes a shot of three seconds over which a window wanders as a hand-held camera does, and shots
of different classes follow each other: so there is a right answer for every frame, and a cut to react to.

Every frame is classified once; then every setting runs over the same rows.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from realtime.contract import ModelContract  # noqa: E402
from realtime.decode import decode  # noqa: E402
from realtime.engine import Engine, bundled_model  # noqa: E402
from realtime.pipeline import infer  # noqa: E402
from realtime.smoothing import RELEASE, TAKEOVER, TIME_CONSTANT_S, Smoother  # noqa: E402
from realtime.sources import VideoFile  # noqa: E402

# What one may say of each clip; an empty set: nothing, as no animal is there.
TRUE_OF = {
    "sea-turtle": {"Turtle_Tortoise", "Corals"},
    "shark": {"Sharks"},
    "hazy-reef": {"Fish", "Corals"},
    "river-fish-tank": {"Fish"},
    "salmon-counter-1": {"Fish"},
    "salmon-counter-2": {"Fish"},
    "phone-portrait-hevc": {"Fish"},
    "empty-tunnel-1": set(),
    "empty-tunnel-2": set(),
}
TIMES_S = (0.05, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
RELEASES = (1.0, 0.85, 0.7)
TAKEOVERS = (0.0, 0.1, 0.2)
SHOT_S, SHOT_RATE = 3.0, 10.0


@dataclass(frozen=True)
class Rows:
    """The answers for one film. right: per frame, the class numbers that may be shown. cuts: first frames of shots."""

    media_s: NDArray[np.float64]
    probabilities: NDArray[np.float32]
    unknown: NDArray[np.float32]
    right: list[frozenset[int]]
    cuts: list[int]


@dataclass(frozen=True)
class Score:
    """What one setting gives.

    changes: of the label per minute. right, wrong: shares of the time. delay_s: from a cut until a label that is true
    of the new shot, median over the shots that get one at all; found: the share of these.
    """

    changes: float
    right: float
    wrong: float
    delay_s: float
    found: float


def classify_clip(path: Path, engine: Engine) -> Rows:
    """Every frame of a clip."""
    rows = []
    with VideoFile(path) as video:
        for batch in _batched(video, 8):
            rows += infer(engine, batch)
    right = frozenset(i for i, label in enumerate(engine.contract.labels) if label in TRUE_OF[path.stem])
    return Rows(
        np.array([row.media_s for row in rows]),
        np.stack([row.probabilities for row in rows]),
        np.array([row.unknown for row in rows], np.float32),
        [right] * len(rows),
        [0],
    )


def _batched(items, size: int) -> Iterator[list]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def shot(rgb: NDArray[np.uint8], size: int, rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """A window of 70 to 100 % wanders and breathes over a photograph; its light changes a little, and it shakes."""
    steps = round(SHOT_S * SHOT_RATE)
    path = np.cumsum(rng.normal(0.0, 0.04, (steps, 4)), axis=0) + rng.uniform(0.0, 1.0, 4)
    path = np.abs((path + 1.0) % 2.0 - 1.0)  # reflected into 0..1
    height, width = rgb.shape[:2]
    for x, y, zoom, light in path:
        share = 0.7 + 0.3 * zoom
        high, wide = max(8, round(height * share)), max(8, round(width * share))
        top, left = round((height - high) * y), round((width - wide) * x)
        window = cv2.resize(rgb[top : top + high, left : left + wide], (size, size), interpolation=cv2.INTER_AREA)
        noisy = window * (0.8 + 0.4 * light) + rng.normal(0.0, 4.0, window.shape)
        yield np.clip(noisy, 0, 255).astype(np.uint8)


def classify_photographs(tree: Path, engine: Engine, shots: int, seed: int = 0) -> Rows:
    """One long film of shots, no two neighbours of one class."""
    rng = np.random.default_rng(seed)
    labels = list(engine.contract.labels)
    classes = [sorted((tree / label).iterdir()) for label in labels]
    chosen: list[int] = []
    while len(chosen) < shots:
        order = [int(i) for i in rng.permutation(len(labels))]
        if not chosen or order[0] != chosen[-1]:
            chosen += order
    probabilities, unknown, right, cuts = [], [], [], []
    for label in chosen[:shots]:
        path = classes[label][int(rng.integers(len(classes[label])))]
        frames = np.stack(list(shot(decode(path.read_bytes()), engine.contract.input_size, rng)))
        predicted = engine.run(frames)
        cuts.append(len(right))
        right += [frozenset([label])] * len(frames)
        probabilities.append(predicted.probabilities)
        unknown.append(predicted.unknown)
    media_s = np.arange(len(right)) / SHOT_RATE
    return Rows(media_s, np.concatenate(probabilities), np.concatenate(unknown), right, cuts)


def measure(films: list[Rows], contract: ModelContract, time_s: float, release: float, takeover: float) -> Score:
    """One setting over all films, each with a fresh memory."""
    changes, right_s, wrong_s, total_s, shots = 0, 0.0, 0.0, 0.0, 0
    delays: list[float] = []
    for rows in films:
        smoother = Smoother(contract, time_constant_s=time_s, release=release, takeover=takeover)
        shown = [
            smoother.step(float(t), p, float(u)).index
            for t, p, u in zip(rows.media_s, rows.probabilities, rows.unknown, strict=True)
        ]
        lasts = np.diff(rows.media_s, append=rows.media_s[-1])
        changes += sum(a != b for a, b in itertools.pairwise(shown))
        total_s += float(lasts.sum())
        right_s += sum(s for s, label, true in zip(lasts, shown, rows.right, strict=True) if label in true)
        wrong_s += sum(
            s
            for s, label, true in zip(lasts, shown, rows.right, strict=True)
            if label is not None and label not in true
        )
        for start, end in itertools.pairwise([*rows.cuts, len(shown)]):
            shots += 1
            hits = [i for i in range(start, end) if shown[i] in rows.right[i]]
            if hits:
                delays.append(float(rows.media_s[hits[0]] - rows.media_s[start]))
    return Score(
        60.0 * changes / total_s,
        right_s / total_s,
        wrong_s / total_s,
        float(np.median(delays)) if delays else float("nan"),
        len(delays) / shots,
    )


def table(title: str, films: list[Rows], contract: ModelContract) -> Table:
    """Every setting with its scores, ours marked."""
    out = Table(title=title)
    for name in ("time constant s", "release", "takeover", "changes/min", "right", "wrong", "delay s", "found"):
        out.add_column(name, justify="right")
    for time_s, release, takeover in itertools.product(TIMES_S, RELEASES, TAKEOVERS):
        score = measure(films, contract, time_s, release, takeover)
        ours = (time_s, release, takeover) == (TIME_CONSTANT_S, RELEASE, TAKEOVER)
        out.add_row(
            f"{time_s:g}",
            f"{release:g}",
            f"{takeover:g}",
            f"{score.changes:.1f}",
            f"{score.right:.1%}",
            f"{score.wrong:.1%}",
            f"{score.delay_s:.2f}",
            f"{score.found:.0%}",
            style="bold" if ours else "",
        )
    return out


def main() -> None:
    """Prints a table for the clips and one for the photographs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--shots", type=int, default=460)
    parser.add_argument("--model", type=Path, default=bundled_model())
    options = parser.parse_args()
    console = Console(width=120)
    with Engine.open(options.model) as engine:
        clips = [classify_clip(path, engine) for path in sorted(options.clips.glob("*.mp4")) if path.stem in TRUE_OF]
        console.print(table(f"{len(clips)} clips", clips, engine.contract))
        if options.photographs is not None:
            film = classify_photographs(options.photographs, engine, options.shots)
            console.print(table(f"{len(film.cuts)} shots over photographs", [film], engine.contract))


if __name__ == "__main__":
    main()
