"""Which score tells animals never learnt from known ones, and which keeps quiet over empty water.

    python bench/unknown.py MODEL TRAIN HELD [--empty CLIP...]

MODEL: an exported file. TRAIN, HELD: class-per-folder trees, the photographs it was trained on and some it was not.
CLIP: footage without an animal. Whole classes are left out of a head refitted on the model's features, in five folds
(``training.foreign``), and each score is asked to tell them from the others: AUROC. "above" is the share of the held
photographs that are less foreign than a frame of a clip, on average: from 0.95 on a clip is mostly refused.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from export.observe import Opened
from realtime.errors import ReeflensError
from realtime.sources import VideoFile
from realtime.unknown import distance, energy, unit
from training.calibrate import softmax
from training.foreign import PROTOTYPES, Observed, Score, find_prototypes, leave_classes_out
from training.photographs import find_photographs, limited, load_photographs
from training.progress import PlainLines

EVERY = 3  # frames of a clip
SHRINK = 0.05  # of the covariance towards a multiple of the identity: 512 features, some hundred pictures a class


def observe_tree(network: Opened, tree: Path, limit: int | None) -> Observed:
    """What the network makes of a tree of photographs."""
    contract = network.contract
    found = find_photographs([tree], contract.labels)
    photographs, _ = load_photographs(limited(found.files, limit, 0), contract.input_size, PlainLines())
    return Observed(*network(photographs.pixels), photographs.labels)


def observe_clip(network: Opened, path: Path) -> Observed:
    """The same of a clip; its labels say nothing."""
    size = network.contract.input_size
    with VideoFile(path) as video:
        frames = np.stack([frame.picture.model_input(size) for frame in video if frame.index % EVERY == 0])
    return Observed(*network(frames), np.zeros(len(frames), np.int64))


def candidates(train: Observed, held: Observed, temperature: float) -> dict[str, Score]:
    """Scores by name, all fitted on what is known: those alone that others are made of, and sums of them.

    The terms of a sum are brought to one scale on ``held``; the one that ships is ``energy + prototypes``.
    """
    prototypes = find_prototypes(train.features, train.labels, PROTOTYPES, 0)
    points = unit(train.features)
    alone: dict[str, Score] = {
        "1 - max": lambda features, logits: 1.0 - softmax(logits, temperature).max(axis=1),
        "energy": lambda features, logits: energy(logits),
        "Mahalanobis": mahalanobis(train),
        "prototypes": lambda features, logits: distance(features, prototypes),
        "10 nearest": lambda features, logits: -np.sort(unit(features) @ points.T, axis=1)[:, -10:].mean(axis=1),
    }
    scale = {name: _scaled(score, held) for name, score in alone.items()}
    sums = (
        ("energy", "prototypes"),
        ("energy", "10 nearest"),
        ("energy", "Mahalanobis", "1 - max"),
        ("energy", "prototypes", "Mahalanobis", "1 - max"),
    )
    return alone | {" + ".join(names): _sum([scale[name] for name in names]) for names in sums}


def mahalanobis(train: Observed) -> Score:
    """The distance to the nearest class mean by the covariance within classes (Lee et al., NeurIPS 2018)."""
    classes, number = np.unique(train.labels, return_inverse=True)
    means = np.stack([train.features[number == i].mean(axis=0) for i in range(len(classes))]).astype(np.float64)
    covariance = np.cov((train.features - means[number]).T)
    covariance += SHRINK * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    root = np.linalg.cholesky(np.linalg.inv(covariance))

    def score(features: NDArray[np.floating], logits: NDArray[np.floating]) -> NDArray[np.floating]:
        near = [np.linalg.norm((features - mean) @ root, axis=1) for mean in means]
        return np.stack(near).min(axis=0)

    return score


def _scaled(score: Score, held: Observed) -> Score:
    values = score(held.features, held.logits)
    middle, spread = values.mean(), values.std()
    return lambda features, logits: (score(features, logits) - middle) / spread


def _sum(scores: list[Score]) -> Score:
    return lambda features, logits: sum(score(features, logits) for score in scores)  # type: ignore[return-value]


def compare(train: Observed, held: Observed, clips: Mapping[str, Observed], temperature: float) -> Table:
    """The table, best AUROC first."""
    figures = leave_classes_out(train, held, lambda known, own: candidates(known, own, temperature), 0)
    whole = candidates(train, held, temperature)
    out = Table(
        title=f"{len(train.labels)} and {len(held.labels)} photographs; above: share of the latter below a clip"
    )
    for heading in ("score", "AUROC", *(f"above: {name}" for name in clips)):
        out.add_column(heading, justify="left" if heading == "score" else "right")
    for name, auroc in sorted(figures.items(), key=lambda entry: -entry[1]):
        ours = whole[name](held.features, held.logits)
        above = [(ours[None] < whole[name](clip.features, clip.logits)[:, None]).mean() for clip in clips.values()]
        out.add_row(name, f"{auroc:.3f}", *(f"{share:.2f}" for share in above))
    return out


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("train", type=Path, metavar="TRAIN")
    parser.add_argument("held", type=Path, metavar="HELD")
    parser.add_argument("--empty", type=Path, nargs="+", default=[], metavar="CLIP")
    parser.add_argument("--limit", type=int, help="at most so many photographs per class of TRAIN")
    options = parser.parse_args()
    try:
        network = Opened(options.model)
        train = observe_tree(network, options.train, options.limit)
        held = observe_tree(network, options.held, None)
        clips = {path.stem: observe_clip(network, path) for path in options.empty}
    except ReeflensError as error:
        sys.exit(f"error: {error}")
    Console(width=160).print(compare(train, held, clips, network.contract.temperature))


if __name__ == "__main__":
    main()
