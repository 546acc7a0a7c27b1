"""Fits the score for "none of my classes", and measures it by leaving whole classes out.

What is computed, and from whom it is, stands in ``realtime.unknown``. The two terms are brought to one scale on the
validation pictures and added; the sum runs through a logistic that is 0.5 at the validation pictures' 95th percentile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from realtime.unknown import UnknownScore, distance, energy, unit

PROTOTYPES = 8  # per class: one animal in several poses and surroundings; 184 products a frame for 23 classes
REFUSED_SHARE = 0.05  # of validation, which holds only known classes: the price of every refusal
UNKNOWN_THRESHOLD = 0.5  # where the logistic puts that share
FOLDS = 5
_REGULARISATION = 0.01  # of the heads refitted below: strong, since 512 features meet some hundred pictures a class


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What the network makes of N pictures.

    features: float32 [N, K], the averages of the last block. logits: float32 [N, C]. labels: int64 [N].
    """

    features: NDArray[np.float32]
    logits: NDArray[np.float32]
    labels: NDArray[np.int64]


Score = Callable[[NDArray[np.floating], NDArray[np.floating]], NDArray[np.floating]]
Fit = Callable[[Observed, Observed], Mapping[str, Score]]


def fit_unknown(train: Observed, validation: Observed, seed: int) -> UnknownScore:
    """The constants, from pictures of known classes only; the logits of ``train`` are not used."""
    prototypes = find_prototypes(train.features, train.labels, PROTOTYPES, seed)
    terms = (energy(validation.logits), distance(validation.features, prototypes))
    (energy_mean, energy_spread), (distance_mean, distance_spread) = (_mean_and_spread(term) for term in terms)
    total = (terms[0] - energy_mean) / energy_spread + (terms[1] - distance_mean) / distance_spread
    scale = _mean_and_spread(total)[1]
    middle = float(np.quantile(total, 1.0 - REFUSED_SHARE))
    return UnknownScore(
        prototypes.astype(np.float32),
        energy_weight=1.0 / (energy_spread * scale),
        distance_weight=1.0 / (distance_spread * scale),
        offset=-(energy_mean / energy_spread + distance_mean / distance_spread + middle) / scale,
    )


def find_prototypes(
    features: NDArray[np.floating], labels: NDArray[np.int64], per_class: int, seed: int
) -> NDArray[np.float64]:
    """Unit vectors [P, K], class after class: centres of k-means over the features at length 1.

    Of a class with fewer different pictures than ``per_class`` every one is a prototype.
    """
    found = []
    for label in np.unique(labels):
        rows = np.unique(unit(features[labels == label]), axis=0)
        if len(rows) > per_class:
            rows = KMeans(per_class, n_init=2, random_state=seed).fit(rows).cluster_centers_
        found.append(unit(rows))
    prototypes: NDArray[np.float64] = np.concatenate(found)
    seen: NDArray[np.bool_] = (prototypes**2).sum(axis=1) > 0.5  # a picture without any feature is like nothing
    return prototypes[seen]


def leave_classes_out(train: Observed, held: Observed, fit: Fit, seed: int) -> dict[str, float]:
    """How well scores tell classes never learnt from known ones: mean AUROC over FOLDS folds of the classes, by name.

    In each fold a linear head over the same features learns the other classes and gives the logits; ``fit`` gets what
    is known there (training and held pictures) and returns the scores; then all held pictures are scored. The
    convolutions have seen every class, so a wholly new animal may be told apart a little worse. Empty for fewer than
    3 classes, of which nothing could be left out.
    """
    classes = np.unique(train.labels)
    if len(classes) < 3:
        return {}
    order = np.random.default_rng([seed, 7]).permutation(classes)
    found: dict[str, list[float]] = {}
    for left_out in np.array_split(order, min(FOLDS, len(classes))):
        kept, foreign = ~np.isin(train.labels, left_out), np.isin(held.labels, left_out)
        if not 0 < foreign.sum() < len(foreign) or len(np.unique(train.labels[kept])) < 2:
            continue
        head = make_pipeline(StandardScaler(), LogisticRegression(C=_REGULARISATION, max_iter=100, tol=1e-3))
        head.fit(train.features[kept], train.labels[kept])
        inside = Observed(train.features[kept], _logits(head, train.features[kept]), train.labels[kept])
        logits = _logits(head, held.features)
        known = Observed(held.features[~foreign], logits[~foreign], held.labels[~foreign])
        for name, score in fit(inside, known).items():
            found.setdefault(name, []).append(float(roc_auc_score(foreign, score(held.features, logits))))
    return {name: float(np.mean(figures)) for name, figures in found.items()}


def _logits(head: object, features: NDArray[np.floating]) -> NDArray[np.float32]:
    decision = head.decision_function(features).astype(np.float32)  # type: ignore[attr-defined]
    # Of two classes scikit-learn gives the difference of their logits only.
    return decision if decision.ndim == 2 else np.stack([-decision / 2, decision / 2], axis=1)


def _mean_and_spread(values: NDArray[np.floating]) -> tuple[float, float]:
    return float(values.mean()), float(max(values.std(), 1e-6))
