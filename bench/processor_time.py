"""Where the processor's time goes when `process` classifies every frame of a video, in milliseconds a frame.

    python bench/processor_time.py CLIP [--model MODEL] [--threads 2] [--times 3] [--json]

What is counted is the time that threads spend on a processor, not the clock's: other work on the machine hardly changes
it, where it changes frames per second a lot. Model and scaling are counted on the threads that run them, writing on the
main thread; decoding is the rest of what the process takes until the last frame. The clip is processed once uncounted,
then --times times; the median of each is printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from dives.process import ProcessOptions, process
from dives.progress import Progress
from realtime import pictures
from realtime.engine import Engine, bundled_model
from realtime.errors import ReeflensError

PARTS = ("model", "decoding", "scaling", "writing on the way", "after the last frame")


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, metavar="CLIP")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--threads", type=int, help="as many as there are cores when not given")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    spent: dict[str, list[float]] = defaultdict(list)  # appended to by several threads
    run, resize = Engine.run, pictures.resize_av
    Engine.run = counted(run, spent["model"])  # type: ignore[method-assign]
    pictures.resize_av = counted(resize, spent["scaling"])
    try:
        with Engine.open(
            options.model or bundled_model(), provider="cpu", threads=options.threads, recorded=True
        ) as engine:
            once(options.clip, engine, spent)
            times = [once(options.clip, engine, spent) for _ in range(options.times)]
    except ReeflensError as error:
        sys.exit(f"error: {error}")
    median = {part: statistics.median(one[part] for one in times) for part in PARTS}
    if options.json:
        print(json.dumps({part: round(value, 3) for part, value in median.items()}, indent=1))
        return
    total = sum(median.values())
    for part, value in median.items():
        print(f"{part:22}{value:8.2f} ms a frame{value / total:8.1%}")


def counted(function: Callable[..., Any], into: list[float]) -> Callable[..., Any]:
    """The same function, which leaves there the seconds of processor time that each call took on its thread."""

    def call(*arguments: Any, **named: Any) -> Any:
        began_s = time.thread_time()
        try:
            return function(*arguments, **named)
        finally:
            into.append(time.thread_time() - began_s)

    return call


def once(clip: Path, engine: Engine, spent: dict[str, list[float]]) -> dict[str, float]:
    """Milliseconds a frame of each of PARTS."""
    for calls in spent.values():
        calls.clear()
    last_frame = [0.0, 0.0]

    def hear(progress: Progress) -> None:
        if progress.phase == "classify":
            last_frame[:] = time.thread_time(), time.process_time()

    began = time.thread_time(), time.process_time()
    with tempfile.TemporaryDirectory(prefix="reeflens-bench-") as folder:
        dive = process(clip, Path(folder) / "dive", engine, ProcessOptions(), hear)
        ended_s = time.process_time()
    main_s, all_s = last_frame[0] - began[0], last_frame[1] - began[1]
    model_s, scaling_s = sum(spent["model"]), sum(spent["scaling"])
    parts_s = (model_s, all_s - main_s - model_s - scaling_s, scaling_s, main_s, ended_s - last_frame[1])
    return {part: 1e3 * seconds / dive.classified for part, seconds in zip(PARTS, parts_s, strict=True)}


if __name__ == "__main__":
    main()
