"""serving/said.py: words on recorded sightings, in memory and on the disk."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from seen import LABELS

from dives.corrections import NAME, Verdict, add_correction, read_corrections
from dives.matching import corrected, read_keys
from dives.recording import Recording
from dives.sighting_rows import SightingRow
from realtime.sightings import Sighting
from serving.said import NotSayableError, Said, live_key

BEGAN = datetime(2026, 5, 17, 9, 30, 0, 123456, tzinfo=UTC)


def row(label: int = 0, *, peak: int = 3, end_s: float = 1.0, start_s: float = 0.1234567) -> SightingRow:
    sighting = Sighting(
        label_index=label,
        start_s=start_s,
        end_s=end_s,
        start_utc=BEGAN,
        end_utc=BEGAN,
        peak_utc=BEGAN,
        peak_s=peak / 10,
        peak_frame=peak,
        peak_probability=0.9,
        mean_probability=0.8,
        frames=4,
    )
    return SightingRow.of(sighting, LABELS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A source's, with one sighting that has ended and one under way."""
    with Recording.open(tmp_path / "rec", ["reef"], LABELS) as recording:
        recording.sources["reef"].ended(row(0))
        recording.sources["reef"].ongoing(row(1))
    return tmp_path / "rec" / "reef"


def test_a_live_sighting_is_called_as_its_table_calls_it(folder: Path) -> None:
    assert [live_key(row(0))] == read_keys(folder)


def test_the_last_word_stands_and_an_undo_brings_back_the_one_before(folder: Path) -> None:
    said = Said({"reef": folder})
    assert said.of("reef", row()) is None
    said.say("reef", row(), Verdict.RIGHT, by="Ada")
    said.say("reef", row(), Verdict.WRONG, "Moray  eel")
    standing = said.of("reef", row())
    assert standing is not None
    assert (standing.verdict, standing.label) == (Verdict.WRONG, "Moray eel")
    said.say("reef", row(), None)
    assert (standing := said.of("reef", row())) is not None
    assert (standing.verdict, standing.by) == (Verdict.RIGHT, "Ada")
    said.say("reef", row(), None)
    said.say("reef", row(), None)  # there is none: nothing is written
    assert said.of("reef", row()) is None
    assert len((folder / NAME).read_bytes().splitlines()) == 4


def test_a_word_on_a_sighting_under_way_stays_with_it_when_its_peak_moves_and_can_be_taken_back(folder: Path) -> None:
    said = Said({"reef": folder})
    said.say("reef", row(1, peak=3), Verdict.NOTHING)
    later = row(1, peak=17, end_s=4.0)
    with Recording.open(folder.parent, ["reef"], LABELS) as recording:
        recording.sources["reef"].ended(later)
    (word,) = [word for word in corrected(read_keys(folder), read_corrections(folder)).words if word is not None]
    assert said.of("reef", later) == word
    said.say("reef", later, None)
    assert said.of("reef", later) is None
    assert read_corrections(folder) == []


def test_what_another_program_said_is_known_after_a_look(folder: Path) -> None:
    said = Said({"reef": folder})
    said.look()
    add_correction(folder, live_key(row()), Verdict.RIGHT)
    assert said.of("reef", row()) is None
    said.look()
    assert said.of("reef", row()) is not None
    assert said.of("reef", row(2)) is None


def test_where_there_is_nothing_to_say_it_of_the_cause_says_why(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    said = Said({"reef": folder})
    with pytest.raises(NotSayableError, match="--record") as refused:
        Said({}).say("reef", row(), Verdict.RIGHT)
    assert refused.value.cause == "off"
    with pytest.raises(NotSayableError, match="not in the recording") as refused:
        said.say("reef", row(2), Verdict.RIGHT)
    assert refused.value.cause == "gone"
    (folder / NAME).write_text("no correction\n", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        said.look()
        said.look()
    assert caplog.text.count("line 1 is no correction") == 1
    with pytest.raises(NotSayableError, match="cannot be read") as refused:
        said.say("reef", row(), Verdict.RIGHT)
    assert refused.value.cause == "unreadable"
    assert (folder / NAME).read_text(encoding="utf-8") == "no correction\n"
    (folder / NAME).unlink()
    said.say("reef", row(), Verdict.RIGHT)
    assert said.of("reef", row()) is not None
