"""How closely the exported model follows the trained one, on pictures of your own.

    python bench/parity.py RUN DATA [--count 64] [--int8 320]
    python bench/parity.py FP32.onnx DATA --file INT8.onnx --file FP16.onnx [--json]

RUN is a folder made by `reeflens train`; DATA a folder of pictures or a tree with a folder per class. RUN is exported
to a temporary folder; the table says how far apart ONNX Runtime, Keras and a GradientTape are, and with --int8 also how
far fp16 and int8 are from float32, how large the files are and how long a frame takes here.

With a file in place of RUN, other files of the same model are compared with it on every picture of DATA: labels that
agree, probabilities, unknown score and maps, and how many are right where DATA's folders are classes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from export.convert import export
from export.parity import compare_with_fp32, compare_with_keras
from export.pictures import read_labelled, read_pictures
from export.report import lossy_figures
from export.run_folder import open_run
from realtime.engine import Engine
from realtime.errors import ReeflensError

ROUNDS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN|FP32.onnx")
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--count", type=int, default=64, help="pictures for the comparison with Keras")
    parser.add_argument("--int8", type=int, default=0, metavar="COUNT", help="pictures for fp16 and int8; 0 for none")
    parser.add_argument("--file", type=Path, action="append", default=[], help="a file to compare with FP32.onnx")
    parser.add_argument("--json", action="store_true", help="for files")
    options = parser.parse_args()
    try:
        if options.run.is_file():
            of_files(options.run, options.file, options.data, as_json=options.json)
            return
        measure(options.run, options.data, options.count, options.int8)
    except ReeflensError as error:
        sys.exit(f"error: {error}")


def of_files(truth: Path, files: list[Path], data: Path, *, as_json: bool) -> None:
    """Every file against ``truth`` on every picture of DATA."""
    found = {}
    with Engine.open(truth, provider="cpu") as fp32:
        frames, classes = read_labelled(data, fp32.contract.input_size, sys.maxsize, fp32.contract.labels)
        for file in files:
            with Engine.open(file, provider="cpu") as engine:
                found[str(file)] = compare_with_fp32(engine, fp32, frames, classes)
                tell(f"{file}: {engine.contract.precision}")
    if as_json:
        print(json.dumps({file: asdict(parity) for file, parity in found.items()}, indent=1))
        return
    for file, parity in found.items():
        print(f"{file}\n  {lossy_figures(parity)}")


def measure(run: Path, data: Path, count: int, lossy_count: int) -> None:
    """Prints the table; count: pictures compared with Keras, lossy_count: pictures for fp16 and int8."""
    with tempfile.TemporaryDirectory(prefix="reeflens-parity-") as folder:
        paths = {"fp32": Path(folder) / "fp32.onnx"}
        export(run, paths["fp32"], progress=tell)
        with Engine.open(paths["fp32"], provider="cpu") as fp32:
            against_keras(run, fp32, data, count)
            if lossy_count:
                fewer_bits(run, fp32, data, lossy_count, Path(folder))


def against_keras(run: Path, engine: Engine, data: Path, count: int) -> None:
    """The largest differences between the exported graph, Keras and a GradientTape."""
    source = open_run(run)
    from export.graph import deployed, take_apart
    from export.oracle import Oracle

    function = deployed(take_apart(source.model, engine.contract), engine.contract, source.unknown)
    frames = read_pictures(data, engine.contract.input_size, count)
    parity = compare_with_keras(engine, function, Oracle(source.model, engine.contract, source.unknown), frames)
    print(f"float32, {parity.pictures} pictures of {data}; maps left out at a corner of a ReLU: {parity.kinks}")
    print(f"  {'probabilities, ONNX and Keras':36}{parity.probability:10.1e}")
    print(f"  {'unknown score, ONNX and Keras':36}{parity.unknown:10.1e}")
    print(f"  {'map, ONNX and Keras, of its maximum':36}{parity.cam:10.1e}")
    print(f"  {'map, ONNX and GradientTape, likewise':36}{parity.cam_tape:10.1e}", flush=True)


def fewer_bits(run: Path, fp32: Engine, data: Path, count: int, folder: Path) -> None:
    """Agreement with float32, size and time of every precision."""
    frames = read_pictures(data, fp32.contract.input_size, count)
    engines = {"fp32": fp32}
    with ExitStack() as stack:
        for precision in ("fp16", "int8"):
            export(run, folder / f"{precision}.onnx", precision=precision, progress=tell)
            engines[precision] = stack.enter_context(Engine.open(folder / f"{precision}.onnx", provider="cpu"))
        times: dict[str, list[float]] = {name: [] for name in engines}
        for i in range(ROUNDS):  # in turn, so that a busy moment of the machine hits all alike
            for name, engine in engines.items():
                before = time.perf_counter()
                engine.run(frames[i % len(frames)][None])
                times[name].append(1000 * (time.perf_counter() - before))
        print(f"against float32, {len(frames)} pictures of {data}; time of one frame on this CPU, median and best")
        print(f"  {'':6}{'same label':>12}{'mean dp':>10}{'max dp':>10}{'map corr.':>11}{'MB':>8}{'ms':>8}{'best':>8}")
        for name, engine in engines.items():
            parity = compare_with_fp32(engine, fp32, frames)
            print(
                f"  {name:6}{parity.label_agreement:12.1%}{parity.probability_mean:10.5f}{parity.probability_max:10.4f}"
                f"{parity.cam_correlation:11.4f}{engine.path.stat().st_size / 1e6:8.1f}"
                f"{statistics.median(times[name]):8.1f}{min(times[name]):8.1f}"
            )


def tell(line: str) -> None:
    """Progress goes to stderr, the table to stdout."""
    print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
