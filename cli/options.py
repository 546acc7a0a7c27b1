"""Options that several commands share, and what they need before they run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from realtime.errors import ReeflensError

PATH = click.Path(path_type=Path)

model_option = click.option("--model", type=PATH, help="The .onnx file; the bundled model when not given.")
provider_option = click.option(
    "--provider",
    type=click.Choice(["auto", "cpu", "cuda", "tensorrt"]),
    default="auto",
    help="What runs the model; auto takes a GPU where one works.",
)
gpu_option = click.option("--require-gpu", is_flag=True, help="Refuse to run on a CPU.")
json_flag = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def need(extra: str, *packages: str) -> None:
    """Says which extra to install when a package of it is missing; raises ReeflensError."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ReeflensError(f"{package} is not installed; `pip install reeflens[{extra}]` brings what this needs")
