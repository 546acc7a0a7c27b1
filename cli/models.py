"""`reeflens train`, `export` and `evaluate`: photographs in, a model file and its figures out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cli.files import write_text
from cli.notes import reporter_on_stderr
from cli.options import PATH, json_flag, need, provider_option


@click.command()
@click.argument("data", metavar="DATA...", type=PATH, nargs=-1)
@click.option("--out", type=PATH, required=True, help="The run folder to make.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out; its options need not be given again.")
@click.option("--options", "options_file", type=PATH, help="Take what is not given here from a best.json of `tune`.")
@click.option("--val", type=PATH, multiple=True, help="Validate on this tree, not on a share of DATA.")
@click.option("--weights", default="imagenet", help="Start from imagenet, none, or a VGG16 notop .h5 file.")
@click.option(
    "--teacher", metavar="MODEL.onnx", type=PATH, help="Learn half from what this model of the same classes answers."
)
@click.option("--image-size", type=int, default=224, help="Side of the model's input in pixels.")
@click.option("--head-epochs", type=int, default=40, help="Most epochs for the new head.")
@click.option("--epochs", type=int, default=20, help="Most epochs for the fine-tuning in all; 0 for none.")
@click.option("--batch-size", type=int, default=32, help="Pictures per step.")
@click.option("--optimizer", type=click.Choice(["adam", "adamw", "sgd"]), default="adam", help="What takes the steps.")
@click.option("--learning-rate", type=float, default=1e-3, help="Of the head.")
@click.option("--fine-tune-rate", type=float, default=1e-4, help="Of the fine-tuning.")
@click.option("--dense-units", type=int, default=256, help="Width of the hidden layer.")
@click.option("--dropout", type=float, default=0.5, help="Share of hidden units dropped while training.")
@click.option(
    "--unfreeze",
    type=click.Choice(["none", "block5", "block4", "block3", "block2", "block1"]),
    default="block5",
    help="First block that is fine-tuned; the last block begins, and one more joins it at a time.",
)
@click.option("--views", type=int, default=4, help="Views per picture: the plain one and augmented ones.")
@click.option("--augment", type=float, default=0.75, help="Share of an epoch's pictures shown in an augmented view.")
@click.option("--water", type=float, default=0.0, help="Share of the augmented views seen through murky water.")
@click.option(
    "--fresh-views/--cached-views",
    default=False,
    help="Fine-tune on views made anew for every epoch: slow without a GPU.",
)
@click.option("--mixed-precision", is_flag=True, help="Compute in bfloat16 where it trains.")
@click.option(
    "--contradictions",
    type=click.Choice(["photograph", "pixels"]),
    default="photograph",
    help="Left out under two labels: one photograph however often saved, or identical pixels only.",
)
@click.option("--limit", type=int, help="At most so many pictures per class.")
@click.option("--val-share", type=float, default=0.15, help="Share of DATA to validate on without --val.")
@click.option("--label-smoothing", type=float, default=0.1, help="Probability given to all classes alike.")
@click.option("--mixup", type=float, default=0.0, help="Blend pictures by shares from Beta(MIXUP, MIXUP); 0 does not.")
@click.option("--balance", type=float, default=0.0, help="0 counts every picture alike, 1 every class.")
@click.option("--ema", type=float, default=0.0, help="Average the weights over the steps, say 0.99; 0 does not.")
@click.option("--patience", type=int, default=6, help="Epochs without progress until a stage stops.")
@click.option("--seed", type=int, default=0, help="Of the split and the training.")
@click.pass_context
def train(context: click.Context, /, resume: bool, options_file: Path | None, **options: Any) -> None:
    """Fine-tune VGG16 on photographs: trees with a folder per class in, a run folder out."""
    from training.options import TrainOptions, begun_options, read_options

    if options_file is not None:
        found = read_options(options_file)
        options |= {n: v for n, v in found.items() if context.get_parameter_source(n) is ParameterSource.DEFAULT}
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
@click.option("--report", metavar="FILE.html", type=PATH, help="Also write a page with plots and the worst mistakes.")
@click.option("--against", metavar="OTHER.onnx", type=PATH, help="Also measure this model, and compare the two.")
@click.option("--card", metavar="FILE", type=PATH, help="Also write a model card here, as Markdown.")
@click.option("--record", is_flag=True, help="Write the figures into the model file; for the test split only.")
@click.option(
    "--empty", type=PATH, multiple=True, help="Also count false alarms on this clip or folder without an animal."
)
@click.option("--foreign", metavar="DIR", type=PATH, multiple=True, help="Also pictures that show none of its classes.")
@click.option("--water/--no-water", default=None, help="Also in haze, colour cast and blur; by default for --report.")
@provider_option
def evaluate(
    model: Path,
    data: Path,
    json_file: Path | None,
    report: Path | None,
    against: Path | None,
    card: Path | None,
    record: bool,
    empty: tuple[Path, ...],
    foreign: tuple[Path, ...],
    water: bool | None,
    provider: str,
) -> None:
    """Measure a model on photographs, through the engine that ships."""
    need("train", "keras", "onnx", "matplotlib")
    from dataclasses import replace
    from functools import partial

    from export.record import record_metrics
    from realtime.engine import Engine, read_contract
    from training.card import model_card
    from training.compare import compare
    from training.evaluate import measure
    from training.evaluate_report import to_html, to_json

    wet = report is not None if water is None else water
    with reporter_on_stderr() as reporter:
        measured = partial(
            measure, data=data, empty=empty, foreign=foreign, water=wet, provider=provider, reporter=reporter
        )
        found = measured(model)
        other = measured(against) if against is not None else None
        versus = None
        if against is not None and other is not None:
            # Two files of one name, such as run-1/model.onnx and run-2/model.onnx, are told apart by their folders.
            names = [str(path) if model.name == against.name else path.name for path in (model, against)]
            versus = compare(names[0], found.by_picture(), names[1], other.by_picture())
        if record:
            record_metrics(model, found.report.metrics())
            with Engine.open(model, provider=provider) as engine:
                found = replace(found, report=replace(found.report, model_sha256=engine.sha256))
        page = to_html(model, found, other, versus, provider=provider, reporter=reporter) if report is not None else ""
    if json_file is not None:
        write_text(json_file, to_json(found.report, other.report if other is not None else None, versus))
    if report is not None:
        write_text(report, page)
    if card is not None:
        write_text(card, model_card(read_contract(model), found.report))
    print(found.report.to_text())
    if versus is not None:
        print(f"\n{versus.to_text()}")
