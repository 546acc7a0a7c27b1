"""Trains the stages of a toy network from weights that no backend has drawn, and prints what came of them as JSON.

python neutral.py FOLDER      under the backend of KERAS_BACKEND
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parents[2]))

import keras
import numpy as np

from training.features import FeatureCache
from training.fitting import fit_stage
from training.learning import cuts_of, learning_part
from training.model import build_model, copy_weights, predict
from training.options import TrainOptions
from training.progress import Silent
from training.stages import plan

SIDE, CLASSES = 32, 3


def pictures(rng: np.random.Generator, count: int, side: int) -> SimpleNamespace:
    """Each class in its colour."""
    labels = np.arange(count) % CLASSES
    pixels = rng.integers(0, 90, (count, side, side, 3))
    pixels[np.arange(count), ..., labels] += 150
    return SimpleNamespace(pixels=pixels.astype(np.uint8), labels=labels)


def main(folder: Path) -> None:
    rng = np.random.default_rng(11)
    options = TrainOptions(
        data=(folder,),
        out=folder,
        weights="none",
        image_size=SIDE,
        head_epochs=2,
        epochs=2,
        unfreeze="block4",
        batch_size=8,
        dense_units=8,
        dropout=0.0,
        views=2,
        fine_tune_rate=1e-5,
        ema=0.5,
    )
    data = SimpleNamespace(labels=("a", "b", "c"), train=pictures(rng, 24, 40), validation=pictures(rng, 9, SIDE))
    model = build_model(CLASSES, SIDE, dense_units=8, dropout=0.0)
    # He by numpy: every backend draws its own numbers from the same seed. The first kernel as `build_model` scales it.
    drawn = [
        rng.normal(0, np.sqrt(2 / np.prod(w.shape[:-1])), w.shape) if len(w.shape) > 1 else np.zeros(w.shape)
        for w in model.get_weights()
    ]
    model.set_weights([drawn[0] / 32, *drawn[1:]])
    rows = []
    stages = plan(options)
    with FeatureCache(folder, model, cuts_of(stages, options), SIDE) as cache, ThreadPoolExecutor() as pool:
        cache.fill("train", data.train.pixels, options.views, 0, 8, Silent())
        cache.fill("validation", data.validation.pixels, 1, 0, 8, Silent())
        for stage in stages:
            tail, batches, validation = learning_part(stage, model, cache, data, options, pool)
            rows += fit_stage(stage, tail, batches, validation, options, Silent())
            copy_weights(tail, model)
    logits = predict(model, data.validation.pixels, 9)
    print(
        json.dumps(
            {
                "backend": keras.backend.backend(),
                "history": [{**asdict(row), "seconds": 0.0} for row in rows],
                "logits": logits.tolist(),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
