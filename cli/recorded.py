"""`reeflens process` and `reeflens collect`: recorded dives in, results and photographs out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli import logs
from cli.notes import notes, reporter_on_stderr
from cli.options import PATH, gpu_option, json_flag, model_option, provider_option
from realtime.errors import ReeflensError, SettingsError

if TYPE_CHECKING:
    from dives.process import DiveRun
    from dives.progress import Progress
    from training.progress import Reporter


@click.command()
@click.argument("sources", metavar="SOURCE...", type=PATH, nargs=-1, required=True)
@click.option("--out", type=PATH, required=True, help="Folder for the results; each source gets a folder in it.")
@model_option
@click.option("--every", type=float, metavar="SECONDS", help="Classify one frame per so many seconds.")
@click.option("--overlay", is_flag=True, help="Also write overlay.mp4, the video with its heat map.")
@click.option("--start", metavar="UTC", help="When the recording began, such as 2026-05-01T09:30:00Z.")
@click.option("--no-start", is_flag=True, help="With --resume: believe the recording instead of an earlier --start.")
@click.option(
    "--divelog", type=PATH, metavar="FILE", help="Subsurface XML, UDDF, or CSV of time, depth_m, temperature_c."
)
@click.option("--divelog-offset", type=float, metavar="SECONDS", help="How far its clock is ahead of the camera's.")
@click.option("--no-divelog", is_flag=True, help="With --resume: leave out the dive log that was joined before.")
@click.option("--join", is_flag=True, help="Put the chapters of one recording end to end, as one dive.")
@click.option("--resume", is_flag=True, help="Continue what was interrupted.")
@provider_option
@gpu_option
@json_flag
@logs.log_options
def process(
    sources: tuple[Path, ...],
    out: Path,
    model: Path | None,
    every: float | None,
    overlay: bool,
    start: str | None,
    no_start: bool,
    divelog: Path | None,
    divelog_offset: float | None,
    no_divelog: bool,
    join: bool,
    resume: bool,
    provider: str,
    require_gpu: bool,
    as_json: bool,
) -> None:
    """Classify recorded dives (videos, folders of videos or of pictures, "quoted*patterns"); write tables, subtitles
    and heat maps.
    """
    from dives.chapters import join_chapters
    from dives.divelog import DiveLog, in_words
    from dives.find import find_recordings
    from dives.folders import dive_folders
    from dives.process import ProcessOptions
    from dives.process import process as process_dive
    from realtime.engine import Engine, bundled_model

    if divelog is None and divelog_offset is not None:
        raise SettingsError("--divelog-offset: is of a dive log; name it with --divelog")
    for name, given, without in (("--start", start, no_start), ("--divelog", divelog, no_divelog)):
        if given is not None and without:
            raise SettingsError(f"{name}, --no-{name[2:]}: expected one of the two")
    log = DiveLog.read(divelog, offset_s=divelog_offset) if divelog is not None else None
    options = ProcessOptions(
        every_s=every,
        overlay=overlay,
        start_utc=_utc(start),
        resume=resume,
        divelog=log,
        keep_start=not no_start,
        keep_divelog=not no_divelog,
    )
    recordings = find_recordings(sources)
    dives = {paths[0]: paths for paths in (join_chapters(recordings) if join else [(path,) for path in recordings])}
    if options.start_utc is not None and len(dives) > 1:
        raise SettingsError(f"--start: says when one recording began, and {len(dives)} were given; process them singly")
    rows: list[dict[str, Any]] = []
    with (
        Engine.open(model or bundled_model(), provider=provider, require_gpu=require_gpu, recorded=True) as engine,
        reporter_on_stderr() as to,
    ):
        to.say(_where_it_runs(engine.provider.name, engine.provider.note))
        for source, folder in dive_folders(list(dives), out):
            if len(dives[source]) > 1:
                to.say(f"{source.name}: one dive of {len(dives[source])} files, up to {dives[source][-1].name}")
            try:
                run = process_dive(dives[source], folder, engine, options, _dive_progress(source.name, to))
                rows.append(_dive_row(source, run, engine.contract.labels))
                if run.divelog:
                    to.say(f"{source.name}: {in_words(run.divelog, run.classified)}")
            except ReeflensError as error:  # one bad file does not stop the rest
                rows.append({"source": str(source), "state": "failed", "reason": str(error)})
            if rows[-1]["reason"]:
                to.say(f"error: {rows[-1]['reason']}")
            if not as_json:
                _print_dive(rows[-1])
    if as_json:
        print(json.dumps(rows, indent=1))
    if any(row["reason"] for row in rows):
        raise SystemExit(1)


@click.command()
@click.argument("sources", metavar="SOURCE...", type=PATH, nargs=-1, required=True)
@click.option("--out", metavar="TREE", type=PATH, required=True, help="The class-per-folder tree to add to.")
@click.option(
    "--frames", type=click.IntRange(0, 100), default=4, help="At most so many frames beside a sighting's best."
)
@json_flag
def collect(sources: tuple[Path, ...], out: Path, frames: int, as_json: bool) -> None:
    """Turn corrected sightings into photographs for `train`; SOURCE holds results of `process` or `serve --record`."""
    from dives.collect import collect as collect_pictures

    done = collect_pictures(sources, out, frames=frames, say=lambda folder: notes.print(folder, highlight=False))
    for problem in done.problems:
        notes.print(f"left out: {problem}", highlight=False, markup=False, soft_wrap=True)
    if as_json:
        counts = {"added": done.added, "moved": done.moved, "removed": done.removed, "left_out": done.problems}
        print(json.dumps({"pictures": dict(sorted(done.pictures.items())), **counts}, indent=1))
        return
    for name, count in sorted(done.pictures.items()):
        print(f"{name}: {count}")
    if not done.pictures:
        print("nobody has corrected or confirmed a sighting here yet")
    print(f"{done.added} added, {done.moved} moved, {done.removed} removed -> {out}")


def _utc(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"--start: expected a time such as 2026-05-01T09:30:00Z, received {text!r}") from error
    if moment.tzinfo is None:
        raise SettingsError(f"--start: {text!r} does not say its zone; add Z for UTC, or an offset such as +03:00")
    return moment.astimezone(UTC)


def _dive_progress(name: str, reporter: Reporter) -> Callable[[Progress], None]:
    """Passes how far a dive is on to the reporter."""
    words = {"classify": "classifying", "write": "writing", "stills": "making stills", "overlay": "drawing"}
    phase, done = "", 0

    def show(progress: Progress) -> None:
        nonlocal phase, done
        if progress.phase != phase:
            phase, done = progress.phase, 0
            reporter.begin(f"{name}: {words.get(phase, phase)}", progress.total or 0)
        reporter.advance(progress.done - done, f"{progress.rate:.1f}/s")
        done = progress.done

    return show


def _where_it_runs(name: str, note: str) -> str:
    where = "the CPU" if name == "CPUExecutionProvider" else name.removesuffix("ExecutionProvider")
    return f"running on {where}{f' ({note})' if note else ''}"


def _dive_row(source: Path, run: DiveRun, labels: Sequence[str]) -> dict[str, Any]:
    """What --json tells of one dive."""
    return {
        "source": str(source),
        "folder": str(run.folder),
        "state": run.state,
        "reason": str(run.error or ""),
        "decoded": run.decoded,
        "classified": run.classified,
        "continued_from": run.continued_from,
        "sightings": [
            {
                "label": labels[sighting.label_index],
                "start_s": round(sighting.start_s, 3),
                "end_s": round(sighting.end_s, 3),
                "peak_probability": round(sighting.peak_probability, 4),
            }
            for sighting in run.sightings
        ],
        "divelog": dict(run.divelog),
        "corrections": sum(word is not None for word in run.corrections.words),
        "missed": len(run.corrections.missed),
        "corrections_left_over": [
            {
                "file": word.sighting.file,
                "label": word.sighting.label,
                "peak_s": round(word.sighting.peak_s, 3),
                "verdict": word.verdict.value,
                "truth": word.truth or "",
            }
            for word in run.corrections.left_over
        ],
        "wall_s": round(run.wall_s, 2),
        "frames_per_s": round(run.frames_per_s, 2),
        "provider": run.provider,
    }


def _print_dive(row: dict[str, Any]) -> None:
    if row["state"] == "failed":
        return  # said on stderr
    name = Path(row["source"]).name
    fresh = row["classified"] - row["continued_from"]
    how = f"{row['classified']} frames classified at {row['frames_per_s']:.1f}/s"
    print(f"{name}: {how if fresh else 'all frames were classified before'} -> {row['folder']}")
    if row["state"] != "complete":
        print(f"  {row['state']}: {row['reason']}")
    if row["corrections"]:
        print(f"  sightings that somebody confirmed or corrected: {row['corrections']}")
    if row["missed"]:
        print(f"  animals that somebody saw and the model did not: {row['missed']}")
    for sighting in row["sightings"]:
        span = f"{_clock(sighting['start_s'])} - {_clock(sighting['end_s'])}"
        print(f"  {span}  {sighting['label']} ({sighting['peak_probability']:.0%})")
    if not row["sightings"]:
        print("  nothing it knows was seen")
    for word in row["corrections_left_over"]:
        said = f"{word['verdict']}, {word['truth']}" if word["verdict"] == "wrong" else word["verdict"]
        where = f"{word['label']} at {_clock(word['peak_s'])} of {word['file']} ({said})"
        print(f"  a correction is of no sighting of this run, and is kept: {where}")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0.0, seconds), 60.0)
    return f"{int(minutes):02d}:{rest:04.1f}"
