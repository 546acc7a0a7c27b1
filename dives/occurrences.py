"""occurrence.csv: the sightings as Darwin Core occurrences, for OBIS and GBIF.

Made from what lies in a dive's folder and nothing else, so that it can be made again when somebody has corrected a
sighting. Without a wall clock there is no event date, and so no file.
"""

from __future__ import annotations

import csv
import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dives.corrections import Correction, Verdict, read_corrections
from dives.matching import corrected, read_keys
from dives.missed import Stretch, stretches
from dives.partial import PartialFile, writing
from dives.run_record import COMPLETE, read_run
from dives.writers.base import measured
from realtime.errors import ResultsError
from realtime.frames import iso_utc
from realtime.labels import label_key

NAME = "occurrence.csv"
TERMS = (
    *("occurrenceID", "eventID", "basisOfRecord", "occurrenceStatus", "eventDate", "scientificName", "vernacularName"),
    *("verbatimIdentification", "identificationVerificationStatus", "identifiedBy", "dateIdentified"),
    *("identificationRemarks", "minimumDepthInMeters", "maximumDepthInMeters", "samplingProtocol", "samplingEffort"),
    *("occurrenceRemarks",),
)
# As zoologists write: "Aurelia aurita", "Aurelia sp.", "Octopus (Octopus) vulgaris Cuvier, 1797", "Carangidae".
SCIENTIFIC = re.compile(
    r"[A-Z][a-z]{2,}"
    r"(?:(?: \([A-Z][a-z]+\))?(?P<epithets>(?: (?:cf\.|aff\.|spp?\.|[a-z]{2,}(?:-[a-z]+)*))+)(?: \(?[A-Z].*\d{4}\)?)?"
    r"|(?<=idae)|(?<=inae)|(?<=oidea)|(?<=formes)|(?<=poda)|(?<=zoa))"
)
MACHINE, HUMAN = "PredictedByMachine", "ValidatedByHuman"
UNNAMED = "a person who gave no name"  # identifiedBy is of nobody only where nobody was asked
NAMESPACE = uuid.UUID("5d6c3f0a-8f0e-5b51-9a39-0f6d6f1a6f5e")  # ours, for ever: identifiers are made from it


def write_occurrences(folder: Path) -> bool:
    """Makes occurrence.csv in the dive's ``folder`` anew; False, and no file, when its time is not known.

    One line per sighting that nobody has called nothing, and after these one per animal that the model missed. Raises
    ResultsError when the folder does not hold a dive's results or cannot be written.
    """
    run = read_run(folder)
    if run is None:
        raise ResultsError(f"{folder}: there is no run.json of this version of Reeflens; process the dive again")
    path = folder / NAME
    if not run["time"]["start_utc"]:
        with writing(path):
            path.unlink(missing_ok=True)
        return False
    keys = read_keys(folder)
    said = corrected(keys, read_corrections(folder))
    try:
        with (folder / "sightings.csv").open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
    except OSError as error:
        raise ResultsError(f"{folder}: sightings.csv cannot be read ({error.strerror})") from error
    try:
        occurrences = [
            _occurrence(run, "/".join(map(str, key.identity)), line, word)
            for key, line, word in zip(keys, lines, said.words, strict=True)
            if word is None or word.verdict is not Verdict.NOTHING
        ]
        missed = [word.sighting for word in said.missed]
        for word, stretch in zip(said.missed, stretches(folder, missed) if missed else [], strict=True):
            occurrences.append(_missed(run, word, stretch))
    except KeyError as error:
        raise ResultsError(f"{folder}: made by an earlier version ({error}); process it again with --resume") from error
    with PartialFile(path, "w") as table:
        rows = csv.DictWriter(table, TERMS, lineterminator="\n")
        rows.writeheader()
        rows.writerows(occurrences)
        table.commit()
    return True


def _occurrence(
    run: Mapping[str, Any], identity: str, line: Mapping[str, str], word: Correction | None
) -> dict[str, str]:
    model, source, options = run["model"], run["source"], run["options"]
    label = line["label"] if word is None else word.truth or ""
    machine = f"{model['name']} (sha256 {model['sha256']})"
    said = f"{line['label']} with probability {line['peak_probability']} at best, {line['mean_probability']} on average"
    remarks = f"{machine} said {said} over {line['frames']} frames"
    every = f"one frame classified per {options['every_s']:g} s" if options["every_s"] else "every frame classified"
    read_s = _read_s(run)
    length = f"{read_s / 60.0:.1f} min of video, " if read_s is not None else ""
    return {
        # The model's label and frame name a sighting for ever; what it turned out to be may change.
        "occurrenceID": f"urn:uuid:{uuid.uuid5(NAMESPACE, source['fingerprint'] + '/' + identity)}",
        "eventID": f"urn:uuid:{uuid.uuid5(NAMESPACE, source['fingerprint'])}",
        "basisOfRecord": "MachineObservation",
        "occurrenceStatus": "present",
        "eventDate": "/".join(filter(None, (line["start_utc"], line["end_utc"]))),  # after a gap nobody may know
        **_names(label, model),
        "verbatimIdentification": label,
        "identificationVerificationStatus": MACHINE if word is None else HUMAN,
        "identifiedBy": machine if word is None else word.by or UNNAMED,
        "dateIdentified": "" if word is None else iso_utc(word.at),
        "identificationRemarks": remarks,
        "minimumDepthInMeters": line["min_depth_m"],
        "maximumDepthInMeters": line["max_depth_m"],
        "samplingProtocol": f"video, classified by Reeflens {run['versions'].get('reeflens', '')}".strip(),
        "samplingEffort": f"{length}{every}",
        "occurrenceRemarks": "" if word is None else word.note,
    }


def _read_s(run: Mapping[str, Any]) -> float | None:
    """Seconds of the recording that were really read; None when nobody knows."""
    if (read_s := run["counts"].get("read_s")) is not None:
        return float(read_s)
    announced_s = run["source"]["duration_s"]  # by a run of an earlier version
    return float(announced_s) if announced_s and run["state"] == COMPLETE else None


def _missed(run: Mapping[str, Any], word: Correction, stretch: Stretch) -> dict[str, str]:
    """An animal that a person saw, and the model did not."""
    times, depths = (stretch.start_utc, stretch.end_utc), (stretch.min_depth_m, stretch.max_depth_m)
    line = {
        **dict.fromkeys(("peak_probability", "mean_probability", "frames"), ""),
        "label": word.sighting.label,
        **dict(zip(("start_utc", "end_utc"), map(iso_utc, times), strict=True)),
        **dict(zip(("min_depth_m", "max_depth_m"), map(measured, depths), strict=True)),
    }
    model = run["model"]
    return {
        **_occurrence(run, "/".join(("missed", *map(str, word.sighting.identity))), line, word),
        "basisOfRecord": "HumanObservation",
        "identificationRemarks": f"seen in the video; {model['name']} (sha256 {model['sha256']}) did not see it",
    }


def _names(label: str, model: Mapping[str, Any]) -> dict[str, str]:
    """Both names of an animal. A person may spell a class of the model in another way, or name it scientifically."""
    by_key = {label_key(known): name for known, name in model["taxonomy"].items()}
    if label in by_key.values() or is_scientific(label, model["labels"]):
        return {"scientificName": label, "vernacularName": ""}
    return {"scientificName": by_key.get(label_key(label), ""), "vernacularName": label.replace("_", " ")}


def is_scientific(name: str, labels: Sequence[str]) -> bool:
    """Whether a name is written as a scientific one. labels: of the model, whose words make a name a common one.

    "Aurelia aurita" and "Carangidae" are, "moon jelly" and "Moon Jelly" are not; nor is "Moon jelly" where one of the
    labels has "Jelly" in it.
    """
    found = SCIENTIFIC.fullmatch(name)
    if found is None or label_key(name) in map(label_key, labels):
        return False
    genus, epithets = name.split()[0].casefold(), (found["epithets"] or "").split()
    common = {word.casefold().rstrip("s") for label in labels for word in re.split(r"[\s_-]+", label)}
    return not any(epithet.rstrip("s") in common and epithet != genus for epithet in epithets)
