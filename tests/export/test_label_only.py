"""What the map costs is told by leaving out what only the map needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from narrow import narrow_contract, narrow_model, narrow_unknown

pytest.importorskip("tensorflow")

from export.graph import deployed, take_apart
from export.label_only import _label_only, cam_share
from export.onnx_file import convert, save
from realtime.engine import Engine
from realtime.ways import frames_of


def test_the_label_alone_is_the_same_label_and_the_map_is_a_small_part(tmp_path: Path) -> None:
    contract: Any = narrow_contract()
    path = tmp_path / "m.onnx"
    save(convert(deployed(take_apart(narrow_model(), contract), contract, narrow_unknown())), contract, path)
    probabilities, unknown = _label_only(path)()  # type: ignore[misc]
    with Engine.open(path, provider="cpu") as engine:
        whole = engine.run(frames_of(contract.input_size, 1))
    assert probabilities == pytest.approx(whole.probabilities)
    assert unknown == pytest.approx(whole.unknown)
    assert 0.0 < cam_share(path, runs=3) < 0.5
