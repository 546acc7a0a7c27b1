"""What people said, on the cards of a finished report.html and at its head, put in without making the page anew.

The template leaves a place for it in a pair of comments, ``<!--said 12-->…<!--/said-->`` on the card of sighting 12 and
``<!--said all-->…<!--/said-->`` above the charts. Every text on the page is escaped, so that nothing else is a
comment.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from dives.corrections import Correction, Verdict
from dives.matching import Corrected
from dives.partial import PartialFile
from dives.writers.report_html import ReportHtml, clock
from realtime.errors import ResultsError

PLACE = re.compile(r"(<!--said (all|\d+)-->).*?(<!--/said-->)", re.DOTALL)


def mark_report(folder: Path, said: Corrected) -> None:
    """Writes what people said into the report in ``folder``, if it has one with places for it. Raises ResultsError."""
    path = folder / ReportHtml.name
    if not path.exists():
        return

    def words(found: re.Match[str]) -> str:
        number = found[2]
        told = _all(said) if number == "all" else ""
        if number != "all" and 0 < int(number) <= len(said.words):
            told = _one(said.words[int(number) - 1])
        return found[1] + told + found[3]

    with PartialFile(path, "w") as file:  # whoever makes the page anew has his turn before it is read, or after
        try:
            page = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ResultsError(f"{path}: cannot be read; process the dive again") from error
        marked = PLACE.sub(words, page)
        if marked != page:
            file.write(marked)
            file.commit()


def _one(word: Correction | None) -> str:
    if word is None:
        return ""
    told = "right"
    if word.verdict is not Verdict.RIGHT:
        told = f"wrong, it is {word.truth}" if word.truth else "wrong, there is nothing"
    return f'<span class="said"><b>{escape(told)}</b>{escape(_details(word))}</span>'


def _all(said: Corrected) -> str:
    checked = sum(word is not None for word in said.words)
    if not checked and not said.missed:
        return ""
    told = f"Checked by people: {checked} of {len(said.words)} sightings. Charts and counts are the model's."
    missed = "".join(
        f"<li>{escape(word.label)} at {clock(word.sighting.peak_s)}{escape(_details(word))}</li>"
        for word in sorted(said.missed, key=lambda word: word.sighting.peak_s)
    )
    listed = (
        f'<p class="said">Seen by people and not by the model:</p><ul class="plain">{missed}</ul>' if missed else ""
    )
    return f'<p class="said">{told}</p>{listed}'


def _details(word: Correction) -> str:
    by = f" ({word.by})" if word.by else ""
    return f"{by} · {word.note}" if word.note else by
