"""What our documents promise names the test that holds it, and `make` names what it runs: all of these are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("*.md")), ROOT / "Makefile"]
NAMED = re.compile(r"(?<![\w./-])(?:(?:bench|tests)/[\w/.-]+\.py|(?:[\w.-]+/)*(?:test_\w+\.py|[\w-]+\.test\.mjs))")
ELSEWHERE = re.compile(r"\]\((?!\w+:)([^)#]+)")  # a link to a file of ours


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    tests = {path.name for path in (ROOT / "tests").rglob("*") if path.name.endswith((".py", ".test.mjs"))}
    gone = {name for name in NAMED.findall(text) if not ((ROOT / name).is_file() or name in tests)}
    if document.suffix == ".md":
        gone |= {name for name in ELSEWHERE.findall(text) if not (document.parent / name).exists()}
    assert gone == set()
