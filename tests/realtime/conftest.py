"""A real engine on the toy model, and someone who is told its results."""

from collections.abc import Iterator

import pytest
from live_sources import Collector
from toy_onnx import write_toy_model

from realtime.engine import Engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[Engine]:
    with Engine.open(write_toy_model(tmp_path_factory.mktemp("model") / "toy.onnx"), provider="cpu") as opened:
        yield opened


@pytest.fixture
def collector() -> Collector:
    return Collector()
