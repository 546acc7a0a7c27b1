"""One model in several precisions: which of its files is meant, and which suits the machine."""

from pathlib import Path

import pytest
from toy_onnx import LABELS, toy_contract

from realtime.contract import Provenance
from realtime.errors import ContractError
from realtime.precisions import model_files, suited


def contracts(*precisions: str):
    return {Path(f"m-{precision}.onnx"): toy_contract(precision=precision) for precision in precisions}


@pytest.mark.parametrize(
    ("there", "on_gpu", "on_cpu"),
    [
        (("fp32", "fp16", "int8"), "fp16", "int8"),
        (("fp32", "int8"), "fp32", "int8"),
        (("fp32", "fp16"), "fp16", "fp32"),
        (("int8",), "int8", "int8"),
    ],
)
def test_half_precision_is_for_a_gpu_and_int8_for_a_cpu(there, on_gpu, on_cpu):
    assert suited(contracts(*there), gpu=True) == Path(f"m-{on_gpu}.onnx")
    assert suited(contracts(*there), gpu=False) == Path(f"m-{on_cpu}.onnx")


@pytest.mark.parametrize(
    "other",
    [
        toy_contract((*LABELS, "Whale"), precision="int8"),
        toy_contract(size=64, precision="int8"),
        toy_contract(precision="int8", provenance=Provenance(run_id="another", data_hash="0" * 64)),
    ],
)
def test_two_models_in_one_folder_are_not_chosen_between(other):
    with pytest.raises(ContractError, match=r"m-fp32\.onnx and m-int8\.onnx are two models"):
        suited({**contracts("fp32"), Path("m-int8.onnx"): other}, gpu=False)


def test_two_files_of_one_precision_are_not_chosen_between():
    with pytest.raises(ContractError, match="are both int8"):
        suited({**contracts("int8"), Path("older.onnx"): toy_contract(precision="int8")}, gpu=False)


def test_a_path_stands_for_a_file_a_folder_or_the_files_of_a_name(tmp_path):
    assert model_files(tmp_path / "gone.onnx") == [tmp_path / "gone.onnx"]
    with pytest.raises(ContractError, match="without any"):
        model_files(tmp_path)
    names = ["reef.v2-fp32.onnx", "reef.v2-int8.onnx", "reef.onnx"]
    for name in names:
        (tmp_path / name).touch()
    assert model_files(tmp_path / "reef.onnx") == [tmp_path / "reef.onnx"]
    assert (
        model_files(tmp_path / "reef.v2")
        == model_files(tmp_path / "reef.v2.onnx")
        == [tmp_path / name for name in names[:2]]
    )
    assert model_files(tmp_path) == [tmp_path / name for name in sorted(names)]
