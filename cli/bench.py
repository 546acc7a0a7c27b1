"""`reeflens bench`: how fast this machine is, side by side with what one would do otherwise."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from cli.notes import notes
from cli.options import PATH, json_flag, need, provider_option
from realtime.errors import ReeflensError

if TYPE_CHECKING:
    from realtime.timing import Timed, Way

ROUNDS = 5
PROCESS_ROUNDS = 3
SCENE_FRAMES = 600
PROCESS_BATCH = 8  # what `process` classifies at a time, and what it is therefore compared with


@click.command()
@click.option("--model", "models", type=PATH, multiple=True, help="A .onnx file; may be given again. [the bundled one]")
@click.option(
    "--clip", type=PATH, metavar="FILE", help="A video for the stages; a rendered scene of 720p when not given."
)
@click.option("--seconds", type=click.FloatRange(0.05), default=6.0, help="For each row of the table.")
@click.option("--figure", type=PATH, metavar="FILE", help="Also draw the table, as .png or .svg.")
@provider_option
@json_flag
def bench(
    models: tuple[Path, ...],
    clip: Path | None,
    seconds: float,
    figure: Path | None,
    provider: str,
    as_json: bool,
) -> None:
    """Time the engine, its rivals and the stages of the pipeline, side by side on this machine."""
    from realtime.engine import Engine, bundled_model
    from realtime.stages import stages_ms, write_scene
    from realtime.timing import take_turns
    from realtime.ways import cold_start_s
    from training.rivals import rival_ways

    if figure is not None:
        need("train", "matplotlib")
    files = list(models) or [bundled_model()]

    def say(line: str) -> None:
        notes.print(line, highlight=False, markup=False, soft_wrap=True)

    with (
        Engine.open(files[0], provider=provider) as engine,
        tempfile.TemporaryDirectory(prefix="reeflens-bench-") as at,
    ):
        contract, ran_on = engine.contract, engine.provider
        if clip is None:
            say("encoding a scene")
            clip = write_scene(Path(at) / "scene.mp4", SCENE_FRAMES)
        say("stages of the pipeline")
        stages = stages_ms(clip, engine)
        ways = [
            *_engine_ways(files, provider, ran_on.is_gpu),
            *rival_ways(contract.input_size, len(contract.labels)),
        ]
        rows = take_turns(ways, rounds=ROUNDS, turn_s=seconds / ROUNDS, say=say)
        say("processing the clip")
        dive = take_turns(_dive_ways(files[0], provider, clip), rounds=PROCESS_ROUNDS, turn_s=seconds / 2, say=say)
    say("cold starts")
    report = {
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "platform": platform.platform()},
        "load_at_the_end": _load(),
        "provider": {"name": ran_on.name, "share": round(ran_on.share, 4), "note": ran_on.note},
        "input_size": contract.input_size,
        "compared_with": rows[0].way.name,
        "rows": _rows(rows),
        "cam_share": _cam_share(files[0]),
        "stages_ms": {stage: round(value, 3) for stage, value in stages.items()},
        "process": _process_row(dive),
        "cold_start_s": [round(value, 3) for value in cold_start_s(files[0], provider)],
    }
    if figure is not None:
        from training.bench_figure import draw

        try:
            draw(report, figure)
        except (OSError, ValueError) as error:
            raise ReeflensError(f"{figure}: cannot be drawn ({error})") from error
    if as_json:
        print(json.dumps(report, indent=1))
    else:
        _print(report)


def _engine_ways(files: Sequence[Path], provider: str, gpu: bool) -> list[Way]:
    """The first one is what all others are compared with; of the other files a frame at a time is enough."""
    from realtime.ways import CPU_BATCHES, GPU_BATCHES, engine_way, openvino_way

    batches = GPU_BATCHES if gpu else CPU_BATCHES
    ways = [engine_way(files[0], provider, batch) for batch in batches]
    ways += [engine_way(file, provider, 1) for file in files[1:]]
    if importlib.util.find_spec("onnx") is not None:
        from export.label_only import label_way

        ways += [label_way(file) for file in files]
    return ways + [openvino_way(file) for file in files]


def _cam_share(model: Path) -> float | None:
    """None where the package is missing that reads the graph."""
    if importlib.util.find_spec("onnx") is None:
        return None
    from export.label_only import cam_share

    return round(cam_share(model), 4)


def _dive_ways(model: Path, provider: str, clip: Path) -> list[Way]:
    from realtime.engine import Engine
    from realtime.stages import frames_in
    from realtime.timing import Way
    from realtime.ways import engine_way, recorded_way

    with Engine.open(model, provider=provider, recorded=True) as engine:
        at_once = engine.at_once
    return [
        engine_way(model, provider, PROCESS_BATCH),
        recorded_way(model, provider, PROCESS_BATCH, at_once),
        Way("process", _process, (model, provider, clip), frames_in(clip)),
    ]


def _process(model: Path, provider: str, clip: Path) -> Callable[[], object]:
    """In a process of its own: every frame of the clip, with all tables, as `reeflens process` does."""
    from dives.process import ProcessOptions, process
    from realtime.engine import Engine

    engine = Engine.open(model, provider=provider, recorded=True)

    def job() -> object:
        with tempfile.TemporaryDirectory(prefix="reeflens-bench-") as folder:
            return process(clip, Path(folder) / "dive", engine, ProcessOptions())

    return job


def _rows(rows: Sequence[Timed]) -> list[dict[str, Any]]:
    ours = rows[0]
    if ours.problem:
        raise ReeflensError(f"{ours.way.name}: {ours.problem}")
    told: list[dict[str, Any]] = []
    for row in rows:
        if row.problem:
            told.append({"way": row.way.name, "problem": row.problem})
            continue
        told.append(
            {
                "way": row.way.name,
                "frames_at_a_time": row.way.frames,
                "ours_is_times_faster": round(ours.times_faster_than(row), 3),
                "frames_per_s": round(row.frames_per_s, 2),
                "p50_ms": round(row.percentile_ms(50), 2),
                "p95_ms": round(row.percentile_ms(95), 2),
                "calls": len(row.calls_ms),
                "memory_mb": round(row.memory_mb),
            }
        )
    return told


def _process_row(dive: Sequence[Timed]) -> dict[str, Any]:
    engine, together, process = dive
    if problem := next((row.problem for row in dive if row.problem), ""):
        return {"problem": problem}
    return {
        "of_the_engine": round(process.times_faster_than(engine), 3),
        "of_the_engine_at_its_best": round(process.times_faster_than(together), 3),
        "frames": process.way.frames,
        "frames_per_s": round(process.frames_per_s, 2),
        "engine_frames_per_s": round(engine.frames_per_s, 2),
        "engine_at_its_best_frames_per_s": round(together.frames_per_s, 2),
        "memory_mb": round(process.memory_mb),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _load() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _print(report: dict[str, Any]) -> None:
    console = Console()
    machine = report["machine"]
    console.print(f"{machine['processor']}, {machine['cores']} cores, {report['provider']['name']}", highlight=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("label and map of a frame", no_wrap=True)
    for name in ("we are faster by", "frames/s", "p50 ms", "p95 ms", "MB"):
        table.add_column(name, justify="right")
    for row in report["rows"]:
        if "problem" not in row:
            table.add_row(
                row["way"],
                f"{row['ours_is_times_faster']:.2f}",
                *(f"{row[name]:.1f}" for name in ("frames_per_s", "p50_ms", "p95_ms")),
                f"{row['memory_mb']}",
            )
    console.print(table)
    for row in report["rows"]:
        if "problem" in row:
            console.print(f"{row['way']}: {row['problem']}", highlight=False, markup=False, soft_wrap=True)
    share = report["cam_share"]
    console.print(
        "\nthe map's share of the run: " + ("needs the package onnx" if share is None else f"{share:.1%}"),
        highlight=False,
    )
    total = sum(report["stages_ms"].values()) or 1.0
    shares = ", ".join(f"{stage} {value / total:.0%} ({value:.1f} ms)" for stage, value in report["stages_ms"].items())
    console.print(f"stages of a frame: {shares}", highlight=False, soft_wrap=True)
    process = report["process"]
    if "problem" in process:
        console.print(f"process: {process['problem']}", highlight=False)
    else:
        console.print(
            f"process, every frame, all files written: {process['of_the_engine']:.0%} of the engine alone "
            f"({process['frames_per_s']:.1f} of {process['engine_frames_per_s']:.1f} frames/s; "
            f"{process['of_the_engine_at_its_best']:.0%} of several runs of it side by side), "
            f"{process['memory_mb']} MB",
            highlight=False,
            soft_wrap=True,
        )
    cold = sorted(report["cold_start_s"])
    console.print(f"cold start to the first label: {cold[len(cold) // 2]:.2f} s", highlight=False)
