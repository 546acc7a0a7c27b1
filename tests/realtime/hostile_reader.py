"""Reads what tests/realtime/hostile.py makes, in a process of its own with little memory, and says what came of it.

    python hostile_reader.py TABLE MODEL     TABLE: JSON, a list of [name, path]; a line of JSON to stdout for each

A crash of a decoder ends this process; the line that was begun last names the case.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import time
from pathlib import Path

from dives.process import ProcessOptions, process
from realtime.engine import Engine
from realtime.errors import ReeflensError
from realtime.sources import open_recorded
from training.photographs import PhotoFile, load_photographs

MEMORY_BYTES = 3 << 30  # of addresses, with the libraries and a dozen threads' stacks
CASE_S = 20  # a guard against what never ends
MOST_FRAMES = 300
PROCESSED_EVERY = 12  # of the table's cases also become a dive, as all pictures are read as training reads them


def read(path: Path) -> dict[str, object]:
    """Every frame, looked at as the model and the page do; an error that is not ours goes on to the caller."""
    found: dict[str, object] = {"frames": 0, "sizes": [], "error": None}
    sizes, frames = set(), 0
    try:
        with open_recorded(path) as source:
            for frame in source:
                frames += 1
                sizes.add(frame.picture.size_hw)
                assert frame.picture.model_input(32).shape == (32, 32, 3)
                assert max(frame.picture.rgb(64).shape) <= 64
                if frames == MOST_FRAMES:
                    break
    except ReeflensError as error:
        found["error"] = str(error)
    return {**found, "frames": frames, "sizes": sorted(sizes)}


def photographs(folder: Path) -> list[str]:
    """Why training leaves them out; empty when it takes them."""
    files = [PhotoFile(folder, path.name, 0) for path in sorted(folder.iterdir())]
    _, skipped = load_photographs(files, 32)
    return [each.reason for each in skipped]


def dive(path: Path, engine: Engine) -> str | None:
    """The sentence that it ends with, if it does."""
    try:
        process(path, path.parent / f"{path.name}-dive", engine, ProcessOptions())
    except ReeflensError as error:
        return str(error)
    return None


def main() -> None:
    table = json.loads(Path(sys.argv[1]).read_text())
    with Engine.open(Path(sys.argv[2]), provider="cpu", threads=1) as engine:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        for number, (name, place) in enumerate(table):
            path = Path(place)
            print(json.dumps({"begun": name}), flush=True)
            signal.alarm(CASE_S)
            began_s = time.process_time()
            said: dict[str, object]
            try:
                said = read(path)
                if path.is_dir() and name.startswith("pictures/"):
                    said["photographs"] = photographs(path)
                if number % PROCESSED_EVERY == 0:
                    said["dive"] = dive(path, engine)
            except Exception as error:
                said = {"unexpected": f"{type(error).__name__}: {error}"}
            signal.alarm(0)
            said["cpu_s"] = round(time.process_time() - began_s, 2)
            print(json.dumps({"name": name, **said}), flush=True)
        print(json.dumps({"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}), flush=True)


if __name__ == "__main__":
    main()
