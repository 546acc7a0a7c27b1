"""What a process and its children use over time, and whether it grows: looks into /proc, and lines through them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. at_s: since the sampler's start. mb, threads, descriptors: of the process; children: all below it."""

    at_s: float
    mb: float
    threads: int
    descriptors: int
    children: int
    children_mb: float


def look(pid: int, at_s: float) -> Sample:
    """Raises OSError when the process is gone."""
    status = _status(pid)
    below = descendants(pid)
    return Sample(
        at_s,
        int(status["VmRSS"].split()[0]) / 1024,
        int(status["Threads"]),
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
        len(below),
        sum(_resident_mb(child) for child in below),
    )


def descendants(pid: int) -> list[int]:
    """Every process below this one, as far as they are still there."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        found += children + [further for child in children for further in descendants(child)]
    return found


class Sampler(threading.Thread):
    """Looks every ``every_s`` seconds until it is stopped or the process is gone."""

    def __init__(self, pid: int, every_s: float = 2.0) -> None:
        super().__init__(name="sampler", daemon=True)
        self.samples: list[Sample] = []
        self._pid, self._every_s = pid, every_s
        self._began_s = time.monotonic()
        self._over = threading.Event()

    @property
    def now_s(self) -> float:
        """On the samples' clock."""
        return time.monotonic() - self._began_s

    def run(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                self.samples.append(look(self._pid, self.now_s))
            except OSError:
                return

    def stop(self) -> list[Sample]:
        """What was seen."""
        self._over.set()
        self.join()
        return self.samples


def per_minute(samples: list[Sample], field: str, low: bool, from_s: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Minute by minute: its middle in hours, and its median; or its lowest, for what comes and goes with the load."""
    minutes: dict[int, list[float]] = {}
    for sample in samples:
        if sample.at_s >= from_s:
            minutes.setdefault(int(sample.at_s // 60), []).append(getattr(sample, field))
    pick = min if low else np.median
    return np.array([(m + 0.5) / 60 for m in minutes]), np.array([float(pick(v)) for v in minutes.values()])


def slope(hours: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Of the straight line through them: per hour, and its standard error; nan for fewer than three."""
    if len(hours) < 3:
        return float("nan"), float("nan")
    fitted, covariance = np.polyfit(hours, values, 1, cov="unscaled")
    rest = values - np.polyval(fitted, hours)
    variance = float(rest @ rest) / (len(hours) - 2)
    return float(fitted[0]), float(np.sqrt(covariance[0, 0] * variance))


def _status(pid: int) -> dict[str, str]:
    lines = (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: value for name, _, value in lines}


def _resident_mb(pid: int) -> float:
    try:
        return int(_status(pid).get("VmRSS", "0 kB").split()[0]) / 1024
    except OSError:
        return 0.0  # it has ended meanwhile
