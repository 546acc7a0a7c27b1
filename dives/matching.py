"""Which sighting of a dive a word is of, also where the dive was processed again and the sightings are others."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dives import run_record
from dives.corrections import Correction, SightingKey, Verdict
from dives.recorded import parts_of
from realtime.errors import ResultsError
from realtime.labels import label_key


@dataclass(frozen=True, slots=True)
class Corrected:
    """Corrections laid over the sightings of a dive.

    words: one per sighting, in their order; None where nobody has said anything. left_over: corrections of none of
    these sightings (any more), or outvoted by a later one of the same sighting; they still say what somebody saw.
    missed: animals that somebody saw and that none of these sightings is of.
    """

    words: tuple[Correction | None, ...]
    left_over: tuple[Correction, ...]
    missed: tuple[Correction, ...] = ()


def read_keys(folder: Path) -> list[SightingKey]:
    """The keys of a folder's sightings.csv, line by line. Raises ResultsError.

    A live source counts frames anew whenever the server starts; there the start of a sighting stands for the file.
    """
    path = folder / "sightings.csv"
    live = not (folder / run_record.NAME).exists()
    parts = parts_of(run_record.read_run(folder))
    prints = {part.name: part.fingerprint for part in parts}
    if len(parts) == 1:
        prints[""] = parts[0].fingerprint  # a table made before files were named
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                SightingKey(
                    file=(line["start_utc"] if live else line.get("peak_file")) or "",
                    label=line["label"],
                    peak_frame=int(line["peak_frame"]),
                    start_s=float(line["start_s"]),
                    end_s=float(line["end_s"]),
                    peak_s=float(line["peak_s"]),
                    recording=prints.get(line.get("peak_file") or "", ""),
                )
                for line in csv.DictReader(file)
            ]
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from error
    except (KeyError, ValueError, TypeError) as error:
        raise ResultsError(f"{path}: not a table of sightings ({error}); process the dive again") from error


def corrected(sightings: Sequence[SightingKey], corrections: Sequence[Correction]) -> Corrected:
    """Finds for every sighting the correction that is of it.

    The same recording, label and peak frame make the same sighting. A correction without such a one goes to the
    sighting of its label in its recording that overlaps it longest, unless that has one of its own; of several the last
    said stands. Another recording of the same name is another one. A sighting of an animal that was said to be missed,
    as another processing may give, is right.
    """
    words: list[Correction | None] = [None] * len(sightings)
    # What was said before recordings were told apart names the file alone.
    row_of = {(sighting.file, *sighting.identity[1:]): row for row, sighting in enumerate(sightings)}
    row_of |= {sighting.identity: row for row, sighting in enumerate(sightings)}
    exact: set[int] = set()
    homeless: list[Correction] = []
    left_over: list[Correction] = []
    for correction in corrections:
        row = row_of.get(correction.sighting.identity)
        if row is None:
            homeless.append(correction)
        else:
            words[row] = _of_sighting(correction)
            exact.add(row)
    for correction in homeless:
        row = _longest_overlap(correction.sighting, sightings)
        if row is None or row in exact:
            left_over.append(correction)
            continue
        if (outvoted := words[row]) is not None:
            left_over.append(outvoted)
        words[row] = _of_sighting(correction)
    missed = tuple(word for word in left_over if word.verdict is Verdict.MISSED)
    return Corrected(tuple(words), tuple(word for word in left_over if word.verdict is not Verdict.MISSED), missed)


def _of_sighting(word: Correction) -> Correction:
    return replace(word, verdict=Verdict.RIGHT, label="") if word.verdict is Verdict.MISSED else word


def _longest_overlap(key: SightingKey, sightings: Sequence[SightingKey]) -> int | None:
    best, best_s = None, -1.0
    for row, other in enumerate(sightings):
        overlap_s = min(key.end_s, other.end_s) - max(key.start_s, other.start_s)
        same = label_key(other.label) == label_key(key.label) and other.is_of_recording(key)
        if same and overlap_s >= 0.0 and overlap_s > best_s:
            best, best_s = row, overlap_s
    return best
