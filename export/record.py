"""Writes what was measured of a model into its file, so that the figures travel with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import onnx

from realtime.contract import METADATA_KEY, ModelContract
from realtime.engine import read_contract
from realtime.errors import ExportError


def record_metrics(path: Path, metrics: Mapping[str, float]) -> ModelContract:
    """Adds to ``provenance.metrics`` of the model at ``path`` and returns the new contract; the graph stays as it is.

    Figures of the same name are replaced. The file is replaced whole or not at all. Raises ContractError for a file
    that is not ours, ExportError when it cannot be written.
    """
    contract = read_contract(path)
    metrics = {**contract.provenance.metrics, **metrics}
    contract = replace(contract, provenance=replace(contract.provenance, metrics=metrics))
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {METADATA_KEY: contract.to_json()})
    beside = path.with_name(f".{path.name}.partial")
    try:
        beside.write_bytes(model.SerializeToString())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ExportError(f"{path}: cannot be written ({(error.strerror or str(error)).lower()})") from error
    return contract
