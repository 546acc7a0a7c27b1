"""Which of several files of one model suits this machine: half precision on a GPU, int8 on a CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from realtime.contract import PRECISIONS, ModelContract
from realtime.errors import ContractError

# The first that is there. A CPU computes fp16 in float32 after casting; a GPU without tensor cores for int8 likewise.
ON_GPU, ON_CPU = ("fp16", "fp32", "int8"), ("int8", "fp32", "fp16")


def model_files(path: Path) -> list[Path]:
    """The files that ``path`` stands for: itself, all .onnx in a folder, or NAME-fp16.onnx and its like beside NAME.

    A file that is there is never another one. A path that stands for nothing is returned as it is. Raises ContractError
    for a folder without a model.
    """
    if path.is_dir():
        files = sorted(path.glob("*.onnx"))
        if not files:
            raise ContractError(f"{path}: no such model file; this is a folder without any .onnx in it")
        return files
    if path.exists():
        return [path]
    name = path.name.removesuffix(".onnx")
    beside = [path.with_name(f"{name}-{precision}.onnx") for precision in PRECISIONS]
    return [file for file in beside if file.is_file()] or [path]


def suited(files: Mapping[Path, ModelContract], *, gpu: bool) -> Path:
    """The one to run. Raises ContractError when they are not one model in several precisions, a file for each."""
    first, *others = files
    for other in others:
        one, two = files[first], files[other]
        same = (one.labels, one.input_size, one.provenance.run_id) == (
            two.labels,
            two.input_size,
            two.provenance.run_id,
        )
        if not same:
            raise ContractError(f"{first} and {other.name} are two models; name the file that is meant")
    by_precision: dict[str, Path] = {}
    for file, contract in files.items():
        if (twin := by_precision.setdefault(contract.precision, file)) != file:
            raise ContractError(f"{twin} and {file.name} are both {contract.precision}; name the file that is meant")
    return next(by_precision[precision] for precision in (ON_GPU if gpu else ON_CPU) if precision in by_precision)
