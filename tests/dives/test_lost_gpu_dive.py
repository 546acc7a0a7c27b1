"""A recorded dive whose GPU is lost on the way."""

from __future__ import annotations

import json

import pytest
from clips import write_clip
from lost_gpu import REASON, lose_gpu
from result_files import results

from dives.journal import NAME as JOURNAL
from dives.process import ProcessOptions, process
from realtime.engine import Engine
from realtime.errors import ProviderError
from realtime.providers import CPU, CUDA


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "dive.mp4", frames=60)


@pytest.fixture
def truth(clip, toy_model, tmp_path):
    with Engine.open(toy_model, provider="cpu", threads=2, recorded=True) as engine:
        return tables(process(clip, tmp_path / "truth", engine, ProcessOptions()).folder)


def tables(folder):
    """All results but those that say where the model ran."""
    return {name: data for name, data in results(folder).items() if name not in (JOURNAL, "report.html")}


def told(folder):
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def test_goes_on_on_the_cpu_without_losing_a_frame_and_says_so(clip, toy_model, tmp_path, monkeypatch, truth):
    gpu = lose_gpu(monkeypatch)
    with Engine.open(toy_model, recorded=True) as engine:
        assert engine.at_once == 2
        gpu.fail(after=2)
        run = process(clip, tmp_path / "out", engine, ProcessOptions())
    assert tables(run.folder) == truth
    assert run.provider == CPU
    model = told(run.folder)["model"]
    assert (model["provider"], model["begun_on"]) == (CPU, CUDA)
    assert model["provider_note"].startswith("the GPU was lost while it ran")


def test_where_a_gpu_is_asked_for_it_ends_in_a_sentence_and_resume_goes_on(
    clip, toy_model, tmp_path, monkeypatch, truth
):
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        gpu = lose_gpu(patch)
        with Engine.open(toy_model, require_gpu=True, recorded=True) as engine:
            gpu.fail(after=2)
            with pytest.raises(ProviderError, match=REASON):
                process(clip, out, engine, ProcessOptions())
    assert told(out)["state"] != "complete"
    with Engine.open(toy_model, provider="cpu", threads=2, recorded=True) as engine:
        run = process(clip, out, engine, ProcessOptions(resume=True))
    assert run.continued_from >= 8
    assert tables(out) == truth
