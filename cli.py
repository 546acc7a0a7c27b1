"""The command `reeflens`: reads settings, wires the rooms together, turns errors into a sentence and an exit code.

Results go to stdout, progress and logs to stderr. Exit codes: 0 done, 1 the work failed, 2 wrong usage,
130 interrupted.
Settings come from flags, then REEFLENS_* variables (REEFLENS_SERVE_PORT), then a TOML file with one table per command.
Each command imports what it needs when it runs, so that `serve` starts without tensorflow.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import math
import os
import signal
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.table import Table

from realtime.addresses import redact
from realtime.errors import ReeflensError, SettingsError

if TYPE_CHECKING:
    from dives.process import DiveRun
    from dives.progress import Progress
    from training.progress import Reporter

SETTINGS_FILE = "reeflens.toml"
ENVIRONMENT_PREFIX = "REEFLENS"
PATH = click.Path(path_type=Path)

notes = Console(stderr=True)


class OnePerLine(click.ParamType[str]):
    """A text that may hold spaces: a variable gives several of them on a line each."""

    name = "text"
    envvar_list_splitter = "\n"


model_option = click.option("--model", type=PATH, help="The .onnx file; the bundled model when not given.")
provider_option = click.option(
    "--provider",
    type=click.Choice(["auto", "cpu", "cuda", "tensorrt"]),
    default="auto",
    help="What runs the model; auto takes a GPU where one works.",
)
gpu_option = click.option("--require-gpu", is_flag=True, help="Refuse to run on a CPU.")
json_flag = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


@click.group(
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": ENVIRONMENT_PREFIX,
        "show_default": True,
        "max_content_width": 100,
    }
)
@click.option("--config", type=PATH, help=f"Settings file; ./{SETTINGS_FILE} when there is one.")
@click.option("-v", "--verbose", is_flag=True, help="Log what happens to stderr.")
@click.version_option(package_name="reeflens", prog_name="reeflens", message="%(prog)s %(version)s")
@click.pass_context
def app(context: click.Context, config: Path | None, verbose: bool) -> None:
    """Says frame by frame what animal an underwater video shows, and shows where it looked."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    _check_environment()
    if config is not None or Path(SETTINGS_FILE).is_file():
        context.default_map = _read_settings(config or Path(SETTINGS_FILE))


@app.command()
@click.argument("sources", metavar="SOURCE...", type=PATH, nargs=-1, required=True)
@click.option("--out", type=PATH, required=True, help="Folder for the results; each source gets a folder in it.")
@model_option
@click.option("--every", type=float, metavar="SECONDS", help="Classify one frame per so many seconds.")
@click.option("--overlay", is_flag=True, help="Also write overlay.mp4, the video with its heat map.")
@click.option("--start", metavar="UTC", help="When the recording began, such as 2026-05-01T09:30:00Z.")
@click.option(
    "--divelog", type=PATH, metavar="FILE", help="Subsurface XML, UDDF, or CSV of time, depth_m, temperature_c."
)
@click.option("--divelog-offset", type=float, default=0.0, metavar="SECONDS", help="How far its clock is ahead.")
@click.option("--join", is_flag=True, help="Put the chapters of one recording end to end, as one dive.")
@click.option("--resume", is_flag=True, help="Continue what was interrupted.")
@provider_option
@gpu_option
@json_flag
def process(
    sources: tuple[Path, ...],
    out: Path,
    model: Path | None,
    every: float | None,
    overlay: bool,
    start: str | None,
    divelog: Path | None,
    divelog_offset: float,
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
    from dives.divelog import DiveLog
    from dives.find import find_recordings
    from dives.folders import dive_folders
    from dives.process import ProcessOptions
    from dives.process import process as process_dive
    from realtime.engine import Engine, bundled_model

    log = DiveLog.read(divelog, offset_s=divelog_offset) if divelog is not None else None
    options = ProcessOptions(every_s=every, overlay=overlay, start_utc=_utc(start), resume=resume, divelog=log)
    recordings = find_recordings(sources)
    dives = {paths[0]: paths for paths in (join_chapters(recordings) if join else [(path,) for path in recordings])}
    if options.start_utc is not None and len(dives) > 1:
        raise SettingsError(f"--start: says when one recording began, and {len(dives)} were given; process them singly")
    rows: list[dict[str, Any]] = []
    with Engine.open(model or bundled_model(), provider=provider, require_gpu=require_gpu) as engine, _reporter() as to:
        to.say(_where_it_runs(engine.provider.name, engine.provider.note))
        for source, folder in dive_folders(list(dives), out):
            if len(dives[source]) > 1:
                to.say(f"{source.name}: one dive of {len(dives[source])} files, up to {dives[source][-1].name}")
            try:
                run = process_dive(dives[source], folder, engine, options, _dive_progress(source.name, to))
                rows.append(_dive_row(source, run, engine.contract.labels))
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


@app.command()
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


@app.command()
@click.option(
    "--source",
    type=OnePerLine(),
    metavar="NAME=PLACE",
    multiple=True,
    help="A video, a folder of pictures, a camera (rtsp://, rtsps://, http://, https://, usb:0 or /dev/video0), or "
    "`scene` for the test scene; may be given again. Passwords belong into a settings file or REEFLENS_SERVE_SOURCE.",
)
@model_option
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, help="Port to listen on; 0 for any free one.")
@click.option(
    "--public-origin",
    metavar="URL",
    multiple=True,
    help="Where a proxy in front is reached, such as https://reef.example.org; may be given again.",
)
@click.option("--tls-cert", type=PATH, metavar="FILE", help="Speak https with this certificate (chain), PEM.")
@click.option("--tls-key", type=PATH, metavar="FILE", help="Its private key, PEM.")
@click.option("--max-viewers", type=click.IntRange(1), default=64, help="Most that may watch at a time.")
@click.option(
    "--max-webcams", type=click.IntRange(0), default=8, help="Most pages with a camera of their own; 0: none."
)
@click.option("--once", is_flag=True, help="Play recorded sources once instead of over and over.")
@click.option(
    "--library", type=PATH, help="Keep a library of recorded dives in this folder, with uploads and a player."
)
@click.option("--upload-limit-gb", type=float, default=64.0, help="Most that one uploaded file may have.")
@click.option("--library-quota-gb", type=float, default=0.0, help="Most that the library may hold; 0 for no limit.")
@click.option("--record", type=PATH, metavar="DIR", help="Write tables, sightings and stills here while sources run.")
@click.option(
    "--record-clips", type=float, metavar="SECONDS", help="Also record so much video before and after each sighting."
)
@provider_option
@gpu_option
def serve(
    source: tuple[str, ...],
    model: Path | None,
    host: str,
    port: int,
    public_origin: tuple[str, ...],
    tls_cert: Path | None,
    tls_key: Path | None,
    max_viewers: int,
    max_webcams: int,
    once: bool,
    library: Path | None,
    upload_limit_gb: float,
    library_quota_gb: float,
    record: Path | None,
    record_clips: float | None,
    provider: str,
    require_gpu: bool,
) -> None:
    """Show live sources, and a library of recorded dives, with label and heat map in the browser."""
    import server
    from realtime.engine import bundled_model

    settings = server.ServerSettings(
        model=model or bundled_model(),
        sources=_named_sources(source),
        host=host,
        port=port,
        public_origins=public_origin,
        tls_cert=tls_cert,
        tls_key=tls_key,
        max_viewers=max_viewers,
        max_webcams=max_webcams,
        provider=provider,
        require_gpu=require_gpu,
        loop=not once,
        library=library,
        upload_limit=_bytes(upload_limit_gb),
        quota=_bytes(library_quota_gb),
        record=record,
        clips_s=record_clips,
    )

    def ready(url: str) -> None:
        print(f"Reeflens is at {url}", flush=True)
        if library is not None:
            print(f"Your dives are at {url}dives", flush=True)
        notes.print("Press Ctrl-C to stop.", highlight=False)

    server.serve(settings, ready)


@app.command()
@click.argument("data", metavar="DATA...", type=PATH, nargs=-1)
@click.option("--out", type=PATH, required=True, help="The run folder to make.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out; its options need not be given again.")
@click.option("--val", type=PATH, multiple=True, help="Validate on this tree, not on a share of DATA.")
@click.option("--weights", default="imagenet", help="Start from imagenet, none, or a VGG16 notop .h5 file.")
@click.option("--image-size", type=int, default=224, help="Side of the model's input in pixels.")
@click.option("--head-epochs", type=int, default=40, help="Most epochs for the new head.")
@click.option("--epochs", type=int, default=20, help="Most epochs for the fine-tuning; 0 for none.")
@click.option("--batch-size", type=int, default=32, help="Pictures per step.")
@click.option("--learning-rate", type=float, default=1e-3, help="Of the head.")
@click.option("--fine-tune-rate", type=float, default=1e-4, help="Of the fine-tuning.")
@click.option("--dense-units", type=int, default=256, help="Width of the hidden layer.")
@click.option("--dropout", type=float, default=0.5, help="Share of hidden units dropped while training.")
@click.option(
    "--unfreeze",
    type=click.Choice(["none", "block5", "block4", "block3", "block2", "block1"]),
    default="block5",
    help="First block that is fine-tuned.",
)
@click.option("--views", type=int, default=4, help="Views per picture: the plain one and augmented ones.")
@click.option("--limit", type=int, help="At most so many pictures per class.")
@click.option("--val-share", type=float, default=0.15, help="Share of DATA to validate on without --val.")
@click.option("--label-smoothing", type=float, default=0.1, help="Probability given to all classes alike.")
@click.option("--balance", type=float, default=0.0, help="0 counts every picture alike, 1 every class.")
@click.option("--patience", type=int, default=6, help="Epochs without progress until a stage stops.")
@click.option("--seed", type=int, default=0, help="Of the split and the training.")
@click.pass_context
def train(context: click.Context, /, resume: bool, **options: Any) -> None:
    """Fine-tune VGG16 on photographs: trees with a folder per class in, a run folder out."""
    from training.options import TrainOptions, begun_options

    begun = begun_options(options["out"]) if resume else None
    if begun is not None:
        said = {name for name in options if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
        # What the run was begun with stands in for what is not said; what is said must be the same, which is checked.
        checked = TrainOptions.from_dict({**begun, **{name: options[name] for name in said}})
    elif options["data"]:
        checked = TrainOptions(**options)
    else:
        raise click.UsageError("Missing argument 'DATA...'.")
    _need("train", "keras", "sklearn")
    from training.backend import load_backend

    load_backend()
    from training.run import train as train_run

    with _reporter() as reporter:
        run = train_run(checked, reporter, resume=resume)
    print(run)


@app.command()
@click.argument("run", metavar="RUN", type=PATH)
@click.option("--out", type=PATH, required=True, help="The .onnx file to write.")
@click.option("--precision", type=click.Choice(["fp32", "fp16", "int8"]), default="fp32", help="Of the arithmetic.")
@click.option("--calibration", metavar="DATA", type=PATH, help="Pictures for int8 instead of the run's own.")
@json_flag
def export(run: Path, out: Path, precision: Any, calibration: Path | None, as_json: bool) -> None:
    """Turn a run into one ONNX file that classifies and explains."""
    _need("train", "tensorflow", "tf2onnx", "onnx")
    from training.backend import load_backend

    load_backend()
    from export.convert import export as export_run

    with _reporter() as reporter:
        report = export_run(run, out, precision=precision, calibration=calibration, progress=reporter.say)
    if as_json:
        print(report.to_json())
    else:
        print(report.to_text())


@app.command()
@click.argument("model", metavar="MODEL", type=PATH)
@click.argument("data", metavar="DATA", type=PATH)
@click.option("--json", "json_file", metavar="FILE", type=PATH, help="Also write the report here.")
@click.option("--card", metavar="FILE", type=PATH, help="Also write a model card here, as Markdown.")
@click.option("--record", is_flag=True, help="Write the figures into the model file; for the test split only.")
@click.option(
    "--empty", type=PATH, multiple=True, help="Also count false alarms on this clip or folder without an animal."
)
@provider_option
def evaluate(
    model: Path,
    data: Path,
    json_file: Path | None,
    card: Path | None,
    record: bool,
    empty: tuple[Path, ...],
    provider: str,
) -> None:
    """Measure a model on photographs, through the engine that ships."""
    _need("train", "keras", "onnx")
    from dataclasses import replace

    from export.record import record_metrics
    from realtime.engine import Engine, read_contract
    from training.card import model_card
    from training.evaluate import evaluate as evaluate_model

    with _reporter() as reporter:
        report = evaluate_model(model, data, empty=empty, provider=provider, reporter=reporter)
    if record:
        record_metrics(model, report.metrics())
        with Engine.open(model, provider=provider) as engine:
            report = replace(report, model_sha256=engine.sha256)
    for path, text in ((json_file, report.to_json()), (card, model_card(read_contract(model), report))):
        if path is not None:
            _write(path, text.rstrip() + "\n")
    print(report.to_text())


@app.command()
@model_option
@provider_option
@json_flag
def doctor(model: Path | None, provider: str, as_json: bool) -> None:
    """Say what is installed, which provider really runs, and what the model is."""
    from realtime.doctor import examine, system
    from realtime.engine import bundled_model

    report: dict[str, Any] = {"system": system()}
    if not as_json:
        _print_system(report["system"])
    try:
        report |= examine(model or bundled_model(), provider)
    except ReeflensError as error:  # what is installed is wanted most when the model does not run
        if as_json:
            print(json.dumps(report | {"error": str(error)}, indent=1))
        raise
    if as_json:
        print(json.dumps(report, indent=1))
    else:
        _print_model(report)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits with its code."""
    signal.signal(signal.SIGTERM, _interrupt)  # a stop by a service manager leaves what Ctrl-C leaves
    try:
        code = app.main(
            prog_name="reeflens", args=list(sys.argv[1:] if arguments is None else arguments), standalone_mode=False
        )
    except ReeflensError as error:
        notes.print(f"error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        code = 2 if isinstance(error, SettingsError) else 1
    except (KeyboardInterrupt, click.Abort):
        notes.print("interrupted", highlight=False)
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except BrokenPipeError:  # `reeflens process … | head`: nobody reads on, which is no failure
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code or 0)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _known_settings() -> dict[str, set[str]]:
    """Command name -> its settings, as they are spelt in a settings file."""
    return {name: {str(option.name) for option in command.params} for name, command in app.commands.items()}


def _check_environment() -> None:
    allowed = {f"{ENVIRONMENT_PREFIX}_{option.name}".upper() for option in app.params}
    allowed |= {f"{ENVIRONMENT_PREFIX}_{c}_{key}".upper() for c, keys in _known_settings().items() for key in keys}
    for name in sorted(os.environ):
        if name.startswith(f"{ENVIRONMENT_PREFIX}_") and name not in allowed:
            raise SettingsError(f"{name}: no such setting; the variables are REEFLENS_<COMMAND>_<OPTION>")


def _read_settings(path: Path) -> dict[str, Any]:
    known = _known_settings()
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML ({error})") from error
    for command, table in tables.items():
        if command not in known or not isinstance(table, dict):
            raise SettingsError(f"{path}: [{command}] is no table of settings; there are {', '.join(sorted(known))}")
        if unknown := sorted(table.keys() - known[command]):
            raise SettingsError(
                f"{path}: {unknown[0]!r} is no setting of [{command}]; there are {', '.join(sorted(known[command]))}"
            )
        for option in app.commands[command].params:
            several = option.multiple if isinstance(option, click.Option) else option.nargs == -1
            if option.name in table and isinstance(table[option.name], list) != several:
                wanted = 'a list such as ["..."]' if several else "one value, not a list"
                raise SettingsError(f"{path}: [{command}] {option.name}: expected {wanted}")
    return tables


def _need(extra: str, *packages: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ReeflensError(f"{package} is not installed; `pip install reeflens[{extra}]` brings what this needs")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReeflensError(f"{path}: cannot be written ({(error.strerror or str(error)).lower()})") from error


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


def _bytes(gigabytes: float) -> int:
    return round(gigabytes * 1e9) if math.isfinite(gigabytes) else -1


def _named_sources(given: Sequence[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for text in given:
        name, equals, target = text.partition("=")
        if not equals or not name or not target:
            raise SettingsError(f"--source: expected NAME=PLACE, received {redact(text)!r}")
        if name in named:
            raise SettingsError(f"--source: two sources are called {redact(name)!r}")
        named[name] = target
    return named


@contextmanager
def _reporter() -> Iterator[Reporter]:
    """Progress on stderr: a live display on a terminal, plain lines elsewhere."""
    from training.progress import PlainLines, TerminalDisplay

    if not sys.stderr.isatty():
        yield PlainLines()
        return
    with TerminalDisplay(notes) as display:
        yield display


def _dive_progress(name: str, reporter: Reporter) -> Callable[[Progress], None]:
    """Passes how far a dive is on to the reporter."""
    words = {"classify": "classifying", "write": "writing", "overlay": "drawing"}
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
        "wall_s": round(run.wall_s, 2),
        "frames_per_s": round(run.frames_per_s, 2),
        "provider": run.provider,
    }


def _print_dive(row: dict[str, Any]) -> None:
    if row["state"] == "failed":
        return  # said on stderr
    name = Path(row["source"]).name
    print(f"{name}: {row['classified']} frames classified at {row['frames_per_s']:.1f}/s -> {row['folder']}")
    if row["state"] != "complete":
        print(f"  {row['state']}: {row['reason']}")
    for sighting in row["sightings"]:
        span = f"{_clock(sighting['start_s'])} - {_clock(sighting['end_s'])}"
        print(f"  {span}  {sighting['label']} ({sighting['peak_probability']:.0%})")
    if not row["sightings"]:
        print("  nothing it knows was seen")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0.0, seconds), 60.0)
    return f"{int(minutes):02d}:{rest:04.1f}"


def _print_system(system: dict[str, Any]) -> None:
    console = Console()
    console.print(f"Python {system['python']} on {system['platform']}", highlight=False, soft_wrap=True)
    packages = Table(box=None, show_header=False, pad_edge=False)
    for name, version in system["packages"].items():
        packages.add_row(name, version)
    console.print(packages)
    console.print()


def _print_model(report: dict[str, Any]) -> None:
    console = Console()
    provider, model = report["provider"], report["model"]
    contract = model["contract"]
    console.print(
        f"Runs on {provider['name']} ({provider['share']:.0%} of the time, as profiled with one frame)", highlight=False
    )
    if provider["note"]:
        console.print(f"  {provider['note']}", highlight=False, soft_wrap=True)
    console.print(
        f"Ready after {report['seconds_to_ready']:.2f} s; one frame, label and Grad-CAM: "
        f"{report['milliseconds_per_frame']:.1f} ms",
        highlight=False,
    )
    console.print()
    provenance = contract["provenance"]
    card = Table(box=None, show_header=False, pad_edge=False)
    card.add_row("model", f"{model['file']} (sha256 {model['sha256'][:12]}…)")
    card.add_row("trained as", provenance["run_id"])
    card.add_row("input", f"{contract['input_size']} x {contract['input_size']}, {contract['precision']}")
    card.add_row("labels", f"{len(contract['labels'])}: {', '.join(contract['labels'])}")
    for name, value in sorted(provenance["metrics"].items()):
        card.add_row(name.replace("_", " "), f"{value:.4g}")
    card.add_row("shows from", f"{contract['thresholds']['show']:.2f} probability")
    console.print(card)


if __name__ == "__main__":
    main()
