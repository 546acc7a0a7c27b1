"""What a GPU makes of the model: frames/s against its own matrix ceiling, and how many cameras it carries.

    python bench/gpu.py MODEL-fp16.onnx [--batch 64] [--clip CLIP] [--cameras 64] [--seconds 10] [--json]

Three figures, in one run, on the GPU that the engine finds (`--provider cpu` tries the script without one):

- the ceiling: large products of fp16 matrices by the same ONNX Runtime, in a chain, so that neither the way to the GPU
  nor the start of a kernel counts;
- the engine: label and map of `--batch` frames at a time, in frames/s, and in operations against that ceiling;
- cameras: CLIP (a rendered scene of 720p when not given) is played at 30 frames/s by as many sources as the engine
  keeps up with, through decoding, scaling, model and smoothing, as `reeflens serve` does without a viewer. A number
  is carried when every source gets 95 % of its frames classified, and 95 % of the results are younger than 200 ms.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper, shape_inference

from realtime.engine import Engine
from realtime.errors import ReeflensError
from realtime.frames import Frame, FrameResult
from realtime.live import LiveRunner, LiveStatus
from realtime.providers import CPU
from realtime.sources import Paced, VideoFile
from realtime.stages import write_scene
from realtime.ways import frames_of

RATE = 30.0
CARRIED, YOUNG_S = 0.95, 0.2
CHAIN = 16  # products in one run
CEILING_SIDE = 8192  # of the matrices on a GPU: 1.1 TFLOP each
CPU_SIDE = 256
WARM_S = 2.0  # of the cameras, not counted


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--provider", default="cuda", choices=["cuda", "tensorrt", "cpu"])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--cameras", type=int, default=64, help="try no more than these")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each figure and each number of cameras")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="reeflens-gpu-") as folder:
            clip = options.clip or write_scene(Path(folder) / "scene.mp4", 300)
            found = measure(options, clip)
    except ReeflensError as error:
        sys.exit(f"error: {error}")
    print(json.dumps(found, indent=1) if options.json else in_words(found))


def measure(options: argparse.Namespace, clip: Path) -> dict[str, Any]:
    """All figures, as JSON values."""
    with Engine.open(options.model, provider=options.provider) as engine:
        engine.warm_up(options.batch)
        size = engine.contract.input_size
        ceiling = ceiling_flops(engine.provider.name, options.seconds)
        frames = frames_of(size, options.batch)
        call_s = median_s(lambda: engine.run(frames), options.seconds)
        work = 2.0 * products_of(options.model)
        per_s = options.batch / call_s
        tried = cameras(engine, clip, options.cameras, options.seconds)
    return {
        "provider": engine.provider.name,
        "precision": engine.contract.precision,
        "input_size": size,
        "batch": options.batch,
        "frames_per_s": round(per_s, 1),
        "ms_per_batch": round(1e3 * call_s, 3),
        "gflop_per_frame": round(work / 1e9, 3),
        "tflops": round(per_s * work / 1e12, 3),
        "ceiling_tflops": round(ceiling / 1e12, 3),
        "of_the_ceiling": round(per_s * work / ceiling, 4),
        "cameras": max((one["cameras"] for one in tried if one["carried"]), default=0),
        "cameras_tried": tried,
    }


def ceiling_flops(provider: str, seconds: float) -> float:
    """Operations per second of a chain of square products that stays on the device, fp16 on a GPU, fp32 on a CPU."""
    side, kind, dtype = (
        (CPU_SIDE, TensorProto.FLOAT, np.float32)
        if provider == CPU
        else (CEILING_SIDE, TensorProto.FLOAT16, np.float16)
    )
    # Random signs over sqrt(side): values neither grow nor vanish, and power draw is that of real numbers.
    weights = (np.random.default_rng(0).standard_normal((side, side)) / side**0.5).astype(dtype)
    nodes = [helper.make_node("MatMul", [f"x{i}", "w"], [f"x{i + 1}"]) for i in range(CHAIN)]
    nodes.append(helper.make_node("ReduceMax", [f"x{CHAIN}"], ["y"], keepdims=0))  # the answer is one number
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "ceiling",
        [value("x0", kind, [side, side])],
        [value("y", kind, [])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=[provider, CPU])
    binding = session.io_binding()
    device = "cpu" if provider == CPU else "cuda"
    binding.bind_ortvalue_input("x0", ort.OrtValue.ortvalue_from_numpy(weights, device))
    binding.bind_output("y", "cpu")
    return 2.0 * side**3 * CHAIN / median_s(lambda: session.run_with_iobinding(binding), seconds)


def products_of(model: Path) -> float:
    """Multiplications of one frame: those of the convolutions and the dense layers, the map's among them."""
    graph = shape_inference.infer_shapes(onnx.load(model)).graph
    shapes = {
        value.name: [dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim]  # N is 1
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    weights_of = {node.output[0]: node.input[0] for node in graph.node if node.op_type in ("Cast", "DequantizeLinear")}
    total = 0.0
    for node in graph.node:
        if node.op_type == "Conv":
            kernel = shapes.get(node.input[1]) or shapes[weights_of[node.input[1]]]
            total += np.prod(shapes[node.output[0]], dtype=float) * np.prod(kernel[1:], dtype=float)
        elif node.op_type == "MatMul":
            total += np.prod(shapes[node.output[0]], dtype=float) * shapes[node.input[0]][-1]
    return total


def cameras(engine: Engine, clip: Path, most: int, seconds: float) -> list[dict[str, Any]]:
    """Twice as many sources each time until they are too many, then the largest number between that is carried."""
    tried: list[dict[str, Any]] = []
    good, bad, count = 0, most + 1, 1
    while good + 1 < bad:
        tried.append(carry(engine, clip, count, seconds))
        if tried[-1]["carried"]:
            good = count
        else:
            bad = count
        count = min(2 * good, most) if bad > most else (good + bad) // 2
        count = max(count, good + 1)
    return tried


def carry(engine: Engine, clip: Path, count: int, seconds: float) -> dict[str, Any]:
    """So many sources for so many seconds: the least that one of them got, and how old the results were."""
    lock, counting = threading.Lock(), threading.Event()
    got = {f"camera-{number}": 0 for number in range(count)}
    ages_s: list[float] = []

    def result(frame: Frame, result: FrameResult, status: LiveStatus) -> None:
        if counting.is_set() and frame.captured_s is not None:
            with lock:
                got[frame.source] += 1
                ages_s.append(time.monotonic() - frame.captured_s)

    runner = LiveRunner(engine, {name: partial(playing, clip, name) for name in got}, result)
    runner.start()
    try:
        time.sleep(WARM_S)
        counting.set()
        begun_s = time.monotonic()
        time.sleep(seconds)
        counting.clear()
        spent_s = time.monotonic() - begun_s
    finally:
        runner.stop()
    least = min(got.values()) / spent_s
    oldest_s = float(np.percentile(ages_s, 95)) if ages_s else float("inf")
    return {
        "cameras": count,
        "least_per_s": round(least, 2),
        "age_p95_ms": round(1e3 * oldest_s, 1) if ages_s else None,
        "carried": least >= CARRIED * RATE and oldest_s <= YOUNG_S,
    }


def playing(clip: Path, name: str) -> Paced:
    """The clip again and again at its own pace."""
    return Paced(lambda: VideoFile(clip, name=name), loop=True)


def median_s(job: Callable[[], object], seconds: float) -> float:
    """Seconds of a call, over as many as fit; two that are not counted go before."""
    job()
    job()
    calls: list[float] = []
    while sum(calls) < seconds:
        begun_s = time.perf_counter()
        job()
        calls.append(time.perf_counter() - begun_s)
    return statistics.median(calls)


def in_words(found: dict[str, Any]) -> str:
    """The figures as lines."""
    lines = [
        f"{found['provider']}, {found['precision']}, {found['input_size']} px, {found['batch']} at a time",
        f"{found['frames_per_s']:.1f} frames/s of {found['gflop_per_frame']:.2f} GFLOP: {found['tflops']:.2f} TFLOP/s",
        f"the ceiling: {found['ceiling_tflops']:.2f} TFLOP/s; reached: {found['of_the_ceiling']:.1%} (bar 30 %)",
        f"cameras of {RATE:g} frames/s carried: {found['cameras']}",
    ]
    tried = (
        f"  {one['cameras']:3d}: {one['least_per_s']:.1f}/s or more each, 95 % within {one['age_p95_ms']} ms"
        for one in found["cameras_tried"]
    )
    return "\n".join([*lines, *tried])


if __name__ == "__main__":
    main()
