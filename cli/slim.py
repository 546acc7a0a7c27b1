"""`reeflens slim`: a run folder in, the run folder of a smaller network out."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from cli.notes import reporter_on_stderr
from cli.options import PATH, need


@click.command()
@click.argument("run", metavar="RUN", type=PATH)
@click.option("--out", type=PATH, required=True, help="The run folder to make.")
@click.option("--ratio", type=float, default=0.33, help="Share of the multiply-adds to keep at most.")
@click.option("--image-size", type=int, help="Input of the new network, pixels, if smaller than RUN's.")
@click.option("--resume", is_flag=True, help="Go on with the slimming in --out; its options need not be given again.")
@click.option("--data", type=PATH, multiple=True, help="Photographs instead of those that RUN was trained on.")
@click.option("--val", type=PATH, multiple=True, help="Validate on this tree, not on a share of --data.")
@click.option(
    "--unfreeze",
    type=click.Choice(["block5", "block4", "block3", "block2", "block1"]),
    default="block4",
    help="First block that the recovery trains.",
)
@click.option("--epochs", type=int, default=10, help="Most epochs of recovery; 0 for none.")
@click.option("--rate", type=float, default=1e-4, help="Learning rate of the recovery.")
@click.option("--views", type=int, default=2, help="Views per picture: the plain one and augmented ones.")
@click.option("--batch-size", type=int, default=32, help="Pictures per step.")
@click.option("--patience", type=int, default=4, help="Epochs without progress until the recovery stops.")
@click.option("--seed", type=int, default=0, help="Of the sample and the recovery.")
@click.pass_context
def slim(context: click.Context, /, resume: bool, **options: Any) -> None:
    """Make a trained network smaller: RUN in, a run folder out that costs a share of its operations."""
    from training.slim_options import SlimOptions, begun_slimming

    begun = begun_slimming(options["out"]) if resume else None
    if begun is not None:
        said = {name for name in options if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
        # What it was begun with stands in for what is not said; what is said must be the same, which is checked.
        checked = SlimOptions.from_dict({**begun, **{name: options[name] for name in said}})
    else:
        checked = SlimOptions(**options)
    need("train", "keras", "sklearn")
    from training.backend import load_backend

    load_backend()
    from training.slim import slim as slim_run

    with reporter_on_stderr() as reporter:
        run = slim_run(checked, reporter, resume=resume)
    print(run)
