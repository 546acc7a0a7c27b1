"""How each provider is set up; none of them runs here, as CI has no GPU."""

import pytest
from toy_onnx import toy_contract

from realtime import providers
from realtime.providers import CUDA, TENSORRT, cache_folder, provider_options, usable


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(providers.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "reeflens"


def test_tensorrt_keeps_what_it_compiled_by_model_and_says_that_compiling_takes_long(cache, caplog):
    options = provider_options(TENSORRT, toy_contract(), "ab" * 32)
    folder = cache / "tensorrt" / "abababababababab"
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == str(folder)
    assert str(folder) in caplog.text
    caplog.clear()
    (folder / "toy_sm90.engine").touch()
    assert provider_options(TENSORRT, toy_contract(), "ab" * 32) == options
    assert caplog.text == ""


def test_tensorrt_takes_every_batch_without_compiling_anew():
    options = provider_options(TENSORRT, toy_contract(size=64), "0" * 64)
    assert options["trt_profile_min_shapes"] == "frames:1x64x64x3,explain:1"
    assert options["trt_profile_max_shapes"] == "frames:64x64x64x3,explain:64"


@pytest.mark.parametrize(("precision", "half"), [("fp32", "0"), ("fp16", "1"), ("int8", "0")])
def test_tensorrt_computes_in_half_precision_only_where_the_file_says_so(precision, half):
    assert provider_options(TENSORRT, toy_contract(precision=precision), "0" * 64)["trt_fp16_enable"] == half


def test_cuda_does_not_search_at_each_batch_size(cache):
    assert provider_options(CUDA, toy_contract(), "0" * 64) == {"cudnn_conv_algo_search": "HEURISTIC"}
    assert not cache.exists()


def test_a_provider_that_is_not_built_in_is_said_to_be_missing(monkeypatch):
    monkeypatch.setattr(providers.ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    found, note = usable((CUDA,))
    assert found == []
    assert "onnxruntime-gpu" in note


@pytest.mark.parametrize(
    ("platform", "variable", "below"),
    [
        ("win32", "LOCALAPPDATA", "reeflens"),
        ("linux", "XDG_CACHE_HOME", "reeflens"),
        ("linux", "HOME", ".cache/reeflens"),
    ],
)
def test_the_cache_is_where_the_system_has_it(tmp_path, monkeypatch, platform, variable, below):
    monkeypatch.setattr(providers.sys, "platform", platform)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv(variable, str(tmp_path))
    assert cache_folder() == tmp_path / below
