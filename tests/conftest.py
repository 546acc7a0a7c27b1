"""What several rooms' tests share: a toy model file, a finished training run at toy size, and its photographs."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from toy_onnx import write_toy_model

# Examples run beside other work on shared machines; a slow one is no fault of the code.
hypothesis.settings.register_profile("reeflens", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("reeflens")

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before anything imports tensorflow

TOY_COLOURS = {"Fish": (200, 60, 40), "Octopus": (40, 170, 60), "Sea Turtle": (50, 70, 210)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a slow test come first: what begins last and takes a minute would keep one worker, and no other."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="module", autouse=True)
def _memory_given_back(request: pytest.FixtureRequest) -> Iterator[None]:
    """A file of tests that trains or exports leaves gigabytes of graphs behind, and a run has many such files.

    Only behind those: going through a million objects takes most of a second.
    """
    yield
    if "tensorflow" in sys.modules and request.path.parent.name in ("training", "export"):
        import keras

        keras.utils.clear_session(free_memory=True)
        gc.collect()
        with suppress(AttributeError):  # no glibc
            ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that keeps the whole contract: three classes, 32 pixels, a map of 2 x 2 (tests/toy_onnx.py)."""
    return write_toy_model(tmp_path_factory.mktemp("toy-model") / "toy.onnx")


@pytest.fixture(scope="session")
def toy_photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class-per-folder tree: 3 classes of 14 blotchy pictures, each class in its colour."""
    from PIL import Image

    tree = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(7)
    for name, colour in TOY_COLOURS.items():
        (tree / name).mkdir()
        for i in range(14):
            coarse = rng.normal(0, 45, (9, 9, 1)) + rng.normal(0, 12, (9, 9, 3))  # texture: no two are near duplicates
            blotches = np.clip(np.array(colour) + coarse, 0, 255).astype(np.uint8)
            Image.fromarray(blotches).resize((60, 44), Image.Resampling.BICUBIC).save(tree / name / f"{i:02}.png")
    return tree


@pytest.fixture(scope="session")
def toy_run(toy_photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run folder: the real network at 32 px from random weights, both stages, some epochs each."""
    pytest.importorskip("keras")
    from training.options import TrainOptions
    from training.run import train

    return train(
        TrainOptions(
            data=(toy_photographs,),
            out=tmp_path_factory.mktemp("runs") / "toy",
            weights="none",
            image_size=32,
            head_epochs=8,
            epochs=2,
            batch_size=8,
            dense_units=16,
            dropout=0.2,
            views=2,
            val_share=0.3,
            seed=3,
        )
    )
