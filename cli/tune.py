"""`reeflens tune`: searches for the options that train best, and trains with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.table import Table

from cli.notes import reporter_on_stderr
from cli.options import PATH, need

if TYPE_CHECKING:
    from training.trials import TrialRow

_SHOWN = 10
_SHORT = {"learning_rate": "rate", "fine_tune_rate": "fine rate", "dense_units": "units", "label_smoothing": "smooth"}


@click.command()
@click.argument("data", metavar="DATA...", type=PATH, nargs=-1)
@click.option("--out", type=PATH, required=True, help="The run folder to make; its folder tuning/ keeps the search.")
@click.option("--trials", type=int, default=30, help="Most trials; one that goes on counts again.")
@click.option("--algorithm", type=click.Choice(["hyperband", "bayesian", "random"]), default="hyperband")
@click.option("--resume", is_flag=True, help="Go on with the search in --out; its options need not be given again.")
@click.option("--val", type=PATH, multiple=True, help="Validate on this tree, not on a share of DATA.")
@click.option("--weights", default="imagenet", help="Start from imagenet, none, or a VGG16 notop .h5 file.")
@click.option("--image-size", type=int, default=224, help="Side of the model's input in pixels.")
@click.option(
    "--unfreeze",
    type=click.Choice(["none", "block5", "block4", "block3", "block2", "block1"]),
    default="block4",
    help="The furthest block from the head that a trial may fine-tune.",
)
@click.option("--head-epochs", type=int, default=40, help="Most epochs for the new head.")
@click.option("--epochs", type=int, default=20, help="Most epochs for the fine-tuning in all.")
@click.option("--batch-size", type=int, default=32, help="Pictures per step.")
@click.option("--views", type=int, default=4, help="Views per picture: the plain one and augmented ones.")
@click.option("--water", type=float, default=0.0, help="Share of the augmented views seen through murky water.")
@click.option("--mixed-precision", is_flag=True, help="Compute in bfloat16 where it trains.")
@click.option(
    "--contradictions",
    type=click.Choice(["photograph", "pixels"]),
    default="photograph",
    help="Left out under two labels: one photograph however often saved, or identical pixels only.",
)
@click.option("--limit", type=int, help="At most so many pictures per class.")
@click.option("--val-share", type=float, default=0.15, help="Share of DATA to validate on without --val.")
@click.option("--ema", type=float, default=0.0, help="Average the weights over the steps, say 0.99; 0 does not.")
@click.option("--patience", type=int, default=6, help="Epochs without progress until a stage stops.")
@click.option("--seed", type=int, default=0, help="Of the split, the search and the training.")
@click.pass_context
def tune(context: click.Context, /, resume: bool, trials: int, algorithm: str, **options: Any) -> None:
    """Search for the options that train best, and train with them.

    Varied are the optimizer, both learning rates, the hidden layer, dropout, the blocks that learn, label smoothing,
    class balance and the share of augmented views. Several machines share a search by KERASTUNER_TUNER_ID,
    KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT.
    """
    need("train", "keras", "keras_tuner", "sklearn")
    from training.backend import load_backend

    load_backend()
    from training.options import TrainOptions
    from training.space import SearchOptions
    from training.tune import begun_search
    from training.tune import tune as tune_run

    search: dict[str, Any] = {"trials": trials, "algorithm": algorithm}
    begun = begun_search(options["out"]) if resume else None
    if begun is not None:
        given = {**options, **search}
        said = {n: given[n] for n in given if context.get_parameter_source(n) is ParameterSource.COMMANDLINE}
        # What the search was begun with stands in for what is not said; what is said must be the same: it is checked.
        checked = TrainOptions.from_dict({**begun[0], **{n: said[n] for n in said.keys() - search.keys()}})
        searched = SearchOptions(**{**begun[1], **{n: said[n] for n in said.keys() & search.keys()}})
    elif options["data"]:
        checked, searched = TrainOptions(**options), SearchOptions(**search)
    else:
        raise click.UsageError("Missing argument 'DATA...'.")
    with reporter_on_stderr() as reporter:
        found = tune_run(checked, searched, reporter, resume=resume)
    if found.rows:
        Console(width=None if Console().is_terminal else 132).print(_table(found.rows))
    print(found.run)


def _table(rows: tuple[TrialRow, ...]) -> Table:
    from training.space import VARIED
    from training.trials import ranked

    order = ranked(rows)
    failed = sum(row.status == "failed" for row in rows)
    table = Table(title=f"the best of {len(rows)} trials, {failed} of them failed", title_justify="left", box=None)
    for name in ("trial", "accuracy", "epochs", *(_SHORT.get(name, name.replace("_", " ")) for name in VARIED)):
        table.add_column(name, justify="right")
    for row in order[:_SHOWN]:
        values = [row.values[name] for name in VARIED]
        cells = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in values]
        table.add_row(
            row.trial, f"{row.accuracy:.1%}", str(row.epochs), *cells, style="bold" if row is order[0] else ""
        )
    return table
