"""`reeflens train`, `export` and `evaluate`: photographs in, a model file and its figures out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cli.notes import reporter_on_stderr
from cli.options import PATH, json_flag, need, provider_option
from realtime.errors import ReeflensError


@click.command()
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
    need("train", "keras", "sklearn")
    from training.backend import load_backend

    load_backend()
    from training.run import train as train_run

    with reporter_on_stderr() as reporter:
        run = train_run(checked, reporter, resume=resume)
    print(run)


@click.command()
@click.argument("run", metavar="RUN", type=PATH)
@click.option("--out", type=PATH, required=True, help="The .onnx file to write.")
@click.option("--precision", type=click.Choice(["fp32", "fp16", "int8"]), default="fp32", help="Of the arithmetic.")
@click.option("--calibration", metavar="DATA", type=PATH, help="Pictures for int8 instead of the run's own.")
@click.option(
    "--held-out", metavar="DATA", type=PATH, help="Also compare fp16 or int8 with fp32 on this tree, and its accuracy."
)
@json_flag
def export(
    run: Path, out: Path, precision: Any, calibration: Path | None, held_out: Path | None, as_json: bool
) -> None:
    """Turn a run into one ONNX file that classifies and explains."""
    need("train", "tensorflow", "tf2onnx", "onnx")
    from training.backend import load_backend

    load_backend()
    from export.convert import export as export_run

    with reporter_on_stderr() as reporter:
        report = export_run(
            run, out, precision=precision, calibration=calibration, held_out=held_out, progress=reporter.say
        )
    if as_json:
        print(report.to_json())
    else:
        print(report.to_text())


@click.command()
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
    need("train", "keras", "onnx")
    from dataclasses import replace

    from export.record import record_metrics
    from realtime.engine import Engine, read_contract
    from training.card import model_card
    from training.evaluate import evaluate as evaluate_model

    with reporter_on_stderr() as reporter:
        report = evaluate_model(model, data, empty=empty, provider=provider, reporter=reporter)
    if record:
        record_metrics(model, report.metrics())
        with Engine.open(model, provider=provider) as engine:
            report = replace(report, model_sha256=engine.sha256)
    for path, text in ((json_file, report.to_json()), (card, model_card(read_contract(model), report))):
        if path is not None:
            _write(path, text.rstrip() + "\n")
    print(report.to_text())


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReeflensError(f"{path}: cannot be written ({(error.strerror or str(error)).lower()})") from error
