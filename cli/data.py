"""`reeflens data check`: what is in trees of photographs, and what is wrong with it, before anything is learnt."""

from __future__ import annotations

from pathlib import Path

import click

from cli.files import write_text
from cli.notes import notes, reporter_on_stderr
from cli.options import PATH, json_flag


@click.group()
def data() -> None:
    """Look at photographs before learning from them."""


@data.command()
@click.argument("data", metavar="DATA...", type=PATH, nargs=-1, required=True)
@click.option(
    "--out", metavar="FOLDER", type=PATH, help="Write check.html, a page with thumbnails, and check.json here."
)
@json_flag
def check(data: tuple[Path, ...], out: Path | None, as_json: bool) -> None:
    """Count, and find what is broken, doubled, contradictory, uneven or odd; trees are merged by class name."""
    from training.check import check as check_photographs
    from training.check_report import to_html, to_json, to_text

    with reporter_on_stderr() as reporter:
        found = check_photographs(data, reporter)
        page = to_html(found, reporter) if out is not None else ""
    if out is not None:
        write_text(out / "check.json", to_json(found))
        write_text(out / "check.html", page)
        notes.print(f"-> {out / 'check.html'}", highlight=False, markup=False, soft_wrap=True)
    print(to_json(found) if as_json else to_text(found))
