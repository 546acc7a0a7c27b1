"""Every word for why has its sentence in every language of the page, and none is left without a word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dives.causes import RECORDING, JobCause, Unplayable

WEB = Path(__file__).parents[2] / "web"


@pytest.mark.parametrize("language", ["en", "tr"])
def test_the_page_has_a_sentence_for_every_cause(language):
    catalogue = json.loads((WEB / f"dives-{language}.json").read_text(encoding="utf-8"))
    said = {key.removeprefix("why.") for key in catalogue if key.startswith("why.")}
    assert said == {*RECORDING, *JobCause, *Unplayable}
