"""What a stage learns with is what its options ask for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras")

from training.dataset import prepare
from training.learning import learning_part
from training.model import build_model
from training.options import TrainOptions
from training.progress import Silent
from training.stages import Stage


@pytest.mark.parametrize("fresh_views", [False, True])
def test_mixup_is_of_the_training_alone_whether_views_are_cached_or_fresh(
    toy_photographs: Path, tmp_path: Path, fresh_views: bool
) -> None:
    options = TrainOptions(
        data=(toy_photographs,),
        out=tmp_path,
        weights="none",
        image_size=32,
        views=2,
        label_smoothing=0.0,
        mixup=0.5,
        fresh_views=fresh_views,
    )
    data = prepare(options, Silent())
    shape = (2, 2, 512)
    cache: Any = {
        ("block4_pool", "train"): np.zeros((len(data.train), 2, *shape), np.float16),
        ("block4_pool", "validation"): np.zeros((len(data.validation), 1, *shape), np.float16),
    }
    with ThreadPoolExecutor(2) as pool:
        stage, model = Stage("block5", 0, 1, 0.01), build_model(3, 32, dense_units=8)
        _, train, validation = learning_part(stage, model, cache, data, options, pool)
        learnt = np.concatenate([train[number][1] for number in range(len(train))])
        held = np.concatenate([validation[number][1] for number in range(len(validation))])
    assert (np.count_nonzero(learnt, axis=1) == 2).mean() > 0.3, "rows of two classes"
    assert (np.count_nonzero(held, axis=1) == 1).all()
