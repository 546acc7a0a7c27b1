"""`reeflens calibrate`: new constants for an exported model, from what it makes of photographs."""

from __future__ import annotations

from pathlib import Path

import click

from cli.notes import notes, reporter_on_stderr
from cli.options import PATH, json_flag, need


@click.command()
@click.argument("model", metavar="MODEL", type=PATH)
@click.argument("data", metavar="DATA...", type=PATH, nargs=-1, required=True)
@click.option("--val", type=PATH, multiple=True, required=True, help="Photographs that it was not trained on.")
@click.option("--out", type=PATH, required=True, help="The .onnx file to write.")
@click.option("--seed", type=int, default=0, help="Of the clusters.")
@json_flag
def calibrate(model: Path, data: tuple[Path, ...], val: tuple[Path, ...], out: Path, seed: int, as_json: bool) -> None:
    """Fit temperature, thresholds and the unknown score of MODEL anew; its weights stay.

    DATA: the photographs it was trained on, or others of its classes. All figures that MODEL carried are dropped but
    for the new AUROC; `reeflens evaluate --record` measures them again.
    """
    need("train", "onnx", "sklearn")
    import json

    from export.observe import Opened
    from export.recalibrate import recalibrate
    from training.calibration import calibrate as fit
    from training.foreign import Observed
    from training.photographs import find_photographs, load_photographs

    network = Opened(model)
    contract = network.contract
    sides, skipped = [], 0
    with reporter_on_stderr() as reporter:
        for trees in (data, val):
            found = find_photographs(trees, contract.labels)
            photographs, unreadable = load_photographs(found.files, contract.input_size, reporter)
            skipped += len(unreadable) + len(found.skipped)
            reporter.begin("classifying", len(photographs))
            sides.append(Observed(*network(photographs.pixels, reporter.advance), photographs.labels))
        reporter.say("calibrating")
        fitted = fit(sides[0], sides[1], contract.labels, seed)
        recalibrate(
            model,
            out,
            temperature=fitted.temperature,
            thresholds=fitted.thresholds,
            unknown=fitted.unknown,
            metrics=fitted.metrics,
        )
    notes.print(f"-> {out}", highlight=False, markup=False, soft_wrap=True)
    constants = {
        "temperature": fitted.temperature,
        "show": fitted.thresholds.show,
        "unknown": fitted.thresholds.unknown,
        "energy_weight": fitted.unknown.energy_weight,
        "distance_weight": fitted.unknown.distance_weight,
        "offset": fitted.unknown.offset,
    }
    told = {"pictures": [len(side.labels) for side in sides], "skipped": skipped, **constants, **fitted.facts}
    print(json.dumps(told, indent=1) if as_json else "\n".join(f"{name:18} {_short(told[name])}" for name in told))


def _short(value: object) -> str:
    if isinstance(value, list):
        return " and ".join(f"{number:,}" for number in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
