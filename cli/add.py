"""`reeflens add`: what was processed on the command line, into a library that the browser shows."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cli.notes import notes
from cli.options import PATH, json_flag
from realtime.errors import ReeflensError


@click.command()
@click.argument("results", metavar="RESULTS...", type=PATH, nargs=-1, required=True)
@click.option(
    "--library", type=PATH, required=True, help="The library, as `serve --library` names it; made if missing."
)
@json_flag
def add(results: tuple[Path, ...], library: Path, as_json: bool) -> None:
    """Add dives to a library, to see and correct them in the browser; RESULTS holds what `process` made."""
    from dives.adding import add_results, result_folders

    rows = []
    for folder in result_folders(results):
        try:
            added = add_results(folder, library, say=lambda text: notes.print(text, highlight=False, markup=False))
        except ReeflensError as error:  # one that cannot be added does not stop the rest
            notes.print(f"error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
            rows.append({"results": str(folder), "dive": "", "state": "failed", "reason": str(error)})
            continue
        state = "known" if added.known else "added"
        rows.append({"results": str(folder), "dive": added.dive_id, "state": state, "reason": ""})
        if as_json:
            continue
        if added.known:
            print(f"{added.title}: is in the library already; corrections taken over: {added.corrections}")
        else:
            print(f"{added.title} -> {library}")
    if as_json:
        print(json.dumps(rows, indent=1))
    if any(row["reason"] for row in rows):
        raise SystemExit(1)
