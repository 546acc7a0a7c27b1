"""`reeflens doctor`: what is installed, which provider really runs, what the model is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from cli.options import json_flag, model_option, provider_option
from realtime.errors import ReeflensError


@click.command()
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
