"""What people said of a dive's sightings, in the files that tell of these: made anew whenever somebody has said more.

sightings-checked.csv is sightings.csv with the person's word beside the model's; occurrence.csv and report.html take it
in. All are made from what lies in the dive's folder and nothing else.
"""

from __future__ import annotations

import csv
from pathlib import Path

from dives.corrections import NAME as CORRECTIONS
from dives.corrections import Correction, Verdict, read_corrections
from dives.matching import Corrected, corrected, read_keys
from dives.missed import Stretch, stretches
from dives.occurrences import HUMAN, MACHINE, write_occurrences
from dives.partial import PartialFile, writing
from dives.report_marks import mark_report
from dives.writers.base import measured, seconds
from realtime.errors import ResultsError
from realtime.frames import iso_utc

NAME = "sightings-checked.csv"
TRIES = 5  # nobody says that much while a table is written, and who asks must not wait for ever
WORD = ("verdict", "name", "by", "note", "status")  # after the columns of sightings.csv


def take_in_corrections(folder: Path) -> None:
    """Brings what people said into every file of the dive in ``folder`` that tells it. Raises ResultsError."""
    for _ in range(TRIES):
        spoken = _spoken(folder)
        write_occurrences(folder)
        said = corrected(read_keys(folder), read_corrections(folder))
        mark_report(folder, said)
        write_checked(folder, said)  # last: by its time it is known whether all this was done
        if _spoken(folder) == spoken:
            return
        # Somebody said more meanwhile, and by their times these files would pass for younger than that.


def _spoken(folder: Path) -> tuple[int, int]:
    """What becomes another whenever somebody says something: when, and how many bytes there are."""
    try:
        facts = (folder / CORRECTIONS).stat()
    except OSError:
        return 0, 0
    return facts.st_mtime_ns, facts.st_size


def write_checked(folder: Path, said: Corrected) -> bool:
    """Makes sightings-checked.csv anew; False, and no file, when nobody has said anything.

    One line per sighting, what was called nothing too, and after these one per animal that the model missed. said: of
    the sightings in ``folder``, in their order. Raises ResultsError.
    """
    if not any(said.words) and not said.missed:
        with writing(folder / NAME):
            (folder / NAME).unlink(missing_ok=True)
        return False
    try:
        with (folder / "sightings.csv").open(encoding="utf-8", newline="") as file:
            lines = csv.DictReader(file)
            rows = [line | _word(line["label"], word) for line, word in zip(lines, said.words, strict=True)]
            columns = list(lines.fieldnames or ())
    except OSError as error:
        raise ResultsError(f"{folder}: sightings.csv cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ResultsError(f"{folder}: sightings.csv has changed meanwhile; try again") from error
    seen = stretches(folder, [word.sighting for word in said.missed]) if said.missed else []
    rows += [_missed(word, stretch) for word, stretch in zip(said.missed, seen, strict=True)]
    with PartialFile(folder / NAME, "w") as table:
        writer = csv.DictWriter(table, [*columns, *WORD], restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        table.commit()
    return True


def _word(label: str, word: Correction | None) -> dict[str, str]:
    """label: the model's."""
    if word is None:
        return dict(zip(WORD, ("", label, "", "", MACHINE), strict=True))
    return dict(zip(WORD, (word.verdict.value, word.truth or "", word.by, word.note, HUMAN), strict=True))


def _missed(word: Correction, stretch: Stretch) -> dict[str, str]:
    key = word.sighting
    return {
        "start_s": seconds(key.start_s),
        "end_s": seconds(key.end_s),
        "start_utc": iso_utc(stretch.start_utc),
        "end_utc": iso_utc(stretch.end_utc),
        "peak_s": seconds(key.peak_s),
        "peak_file": key.file,
        "peak_frame": str(key.peak_frame),
        "min_depth_m": measured(stretch.min_depth_m),
        "max_depth_m": measured(stretch.max_depth_m),
        **_word("", word),
        "verdict": Verdict.MISSED.value,
    }
