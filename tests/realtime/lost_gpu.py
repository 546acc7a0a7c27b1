"""A GPU that is lost between runs: real sessions on the CPU, those of the "GPU" failing when told to."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from realtime import engine as engine_module
from realtime.providers import CPU, CUDA

REASON = "CUDA failure 999: unknown error"


class LostGpu:
    """What is true of the "GPU" now. runs, opened: on it, and what sessions run on, since ``fail``."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.runs = 0
        self._well = self._left = 0
        self._lock = threading.Lock()

    def fail(self, times: int | None = None, *, after: int = 0) -> None:
        """So many runs, by default all, when ``after`` more have gone well."""
        with self._lock:
            self.runs, self._well, self._left = 0, after, 10**9 if times is None else times
            self.opened.clear()

    def check(self) -> None:
        """Raises as onnxruntime does when the next run has to fail."""
        with self._lock:
            self.runs += 1
            failing = self._left > 0 and self.runs > self._well
            self._left -= failing
        if failing:
            raise RuntimeError(f"{REASON}\nnode: conv1\n")


class _Session:
    def __init__(self, real: Any, gpu: LostGpu) -> None:
        self._real = real
        self._gpu = gpu

    def run(self, names: Sequence[str], feed: Any) -> Any:
        self._gpu.check()
        return self._real.run(names, feed)

    def io_binding(self) -> Any:
        raise RuntimeError("there is no memory of a GPU here")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def lose_gpu(monkeypatch: pytest.MonkeyPatch) -> LostGpu:
    """From now on ``Engine.open`` finds a "GPU"; it works until it is told to ``fail``."""
    gpu = LostGpu()
    real_session, real_probe = engine_module._session, engine_module._probe

    def session(path: Any, options: Any, providers: Sequence[Any]) -> Any:
        on_gpu = providers[0] != CPU
        gpu.opened.append(CUDA if on_gpu else CPU)
        real = real_session(path, options, [CPU])
        return _Session(real, gpu) if on_gpu else real

    def probe(session: Any, *facts: Any) -> Any:
        report = real_probe(session, *facts)
        return replace(report, name=CUDA, note="") if isinstance(session, _Session) else report

    monkeypatch.setattr(engine_module, "usable", lambda wanted: ([CUDA] if CUDA in wanted else [], ""))
    monkeypatch.setattr(engine_module, "_session", session)
    monkeypatch.setattr(engine_module, "_probe", probe)
    return gpu
