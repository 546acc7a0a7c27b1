"""Sightings as Darwin Core: what a person said outranks the machine, and identifiers stay."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clips import write_clip
from toy_onnx import toy_contract, write_toy_model

from dives.corrections import Verdict, add_correction, undo_correction
from dives.divelog import DiveLog
from dives.matching import read_keys
from dives.occurrences import NAME, TERMS, is_scientific, write_occurrences
from dives.process import ProcessOptions, process
from realtime.engine import Engine
from realtime.errors import ResultsError

LOG = "time,depth_m\n2026-05-01T09:30:00Z,5\n2026-05-01T09:31:00Z,35\n"
# Terms of the standard (https://dwc.tdwg.org/terms/) that a table of occurrences may have, by class: those that one who
# watches a video could ever say something of. A column that is not among them is published nowhere.
RECORD = """basisOfRecord datasetID datasetName dynamicProperties institutionCode informationWithheld language license
    modified references rightsHolder type"""
OCCURRENCE = """associatedMedia behavior degreeOfEstablishment establishmentMeans individualCount lifeStage occurrenceID
    occurrenceRemarks occurrenceStatus organismQuantity organismQuantityType recordNumber recordedBy recordedByID
    reproductiveCondition sex vitality"""
EVENT = """day eventDate eventID eventRemarks eventTime eventType fieldNotes fieldNumber habitat month parentEventID
    sampleSizeUnit sampleSizeValue samplingEffort samplingProtocol verbatimEventDate year"""
LOCATION = """coordinatePrecision coordinateUncertaintyInMeters country countryCode decimalLatitude decimalLongitude
    footprintWKT geodeticDatum island locality locationID locationRemarks maximumDepthInMeters minimumDepthInMeters
    verbatimDepth verbatimLocality waterBody"""
IDENTIFICATION = """dateIdentified identificationID identificationQualifier identificationReferences
    identificationRemarks identificationVerificationStatus identifiedBy identifiedByID verbatimIdentification"""
TAXON = """class family genus kingdom order phylum scientificName scientificNameAuthorship scientificNameID
    specificEpithet taxonID taxonRank taxonRemarks vernacularName"""
ALLOWED = frozenset(" ".join((RECORD, OCCURRENCE, EVENT, LOCATION, IDENTIFICATION, TAXON)).split())
# What OBIS takes no occurrence without (https://manual.obis.org/checklist.html); a video does not know where it was.
REQUIRED = {"occurrenceID", "eventDate", "scientificName", "occurrenceStatus", "basisOfRecord"}
ONLY_PEOPLE_KNOW = {"decimalLatitude", "decimalLongitude", "scientificNameID"}


@pytest.fixture(scope="module")
def naming(tmp_path_factory):
    """A model that knows a scientific name."""
    contract = toy_contract(taxonomy={"Octopus": "Octopoda"})
    path = write_toy_model(tmp_path_factory.mktemp("model") / "toy.onnx", contract=contract)
    with Engine.open(path, provider="cpu", threads=1) as opened:
        yield opened


@pytest.fixture
def dive(tmp_path, naming):
    """Fish, Octopus, Turtle, a second each."""
    clip = write_clip(tmp_path / "a.mp4", frames=30, rate=10, metadata={"creation_time": "2026-05-01T09:30:00Z"})
    (tmp_path / "log.csv").write_text(LOG)
    options = ProcessOptions(divelog=DiveLog.read(tmp_path / "log.csv"), every_s=0.1)
    return process(clip, tmp_path / "out", naming, options).folder


def rows(folder):
    with (folder / NAME).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_one_line_per_sighting_in_the_words_of_darwin_core(dive):
    fish, octopus, turtle = rows(dive)
    assert tuple(octopus) == TERMS
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", octopus["occurrenceID"])
    assert octopus["eventID"] == fish["eventID"] != fish["occurrenceID"]
    assert (octopus["basisOfRecord"], octopus["occurrenceStatus"]) == ("MachineObservation", "present")
    assert octopus["identificationVerificationStatus"] == "PredictedByMachine"
    assert (octopus["scientificName"], octopus["vernacularName"]) == ("Octopoda", "Octopus")
    assert turtle["scientificName"] == ""
    start, end = (datetime.fromisoformat(moment) for moment in octopus["eventDate"].split("/"))
    assert datetime(2026, 5, 1, 9, 30, 1, tzinfo=UTC) <= start < end < datetime(2026, 5, 1, 9, 30, 3, tzinfo=UTC)
    assert 5.5 <= float(octopus["minimumDepthInMeters"]) < float(octopus["maximumDepthInMeters"]) <= 6.5
    assert octopus["samplingEffort"] == "0.1 min of video, one frame classified per 0.1 s"
    assert "probability 0.9" in octopus["identificationRemarks"]
    assert "toy.onnx" in octopus["identifiedBy"]


def test_every_column_is_a_term_of_the_standard_and_none_that_obis_requires_goes_unsaid():
    assert len(set(TERMS)) == len(TERMS)
    assert set(TERMS) <= ALLOWED
    assert set(TERMS) >= REQUIRED
    told = (Path(__file__).parents[2] / "docs" / "divelog.md").read_text(encoding="utf-8")
    assert [term for term in (*TERMS, *sorted(ONLY_PEOPLE_KNOW)) if f"`{term}`" not in told] == []


def test_the_effort_is_the_time_that_was_read_and_not_what_the_recording_announces(dive):
    record = json.loads((dive / "run.json").read_text())
    assert record["counts"]["read_s"] == pytest.approx(3.0)

    def effort(**changes):
        (dive / "run.json").write_text(json.dumps(record | changes))
        assert write_occurrences(dive)
        return rows(dive)[0]["samplingEffort"]

    announced = record["source"] | {"duration_s": 600.0}
    read = record["counts"] | {"read_s": 120.0}
    assert effort(source=announced, counts=read).startswith("2.0 min of video")
    before = {name: count for name, count in record["counts"].items() if name != "read_s"}  # of an earlier version
    assert effort(source=announced, counts=before).startswith("10.0 min of video")
    assert effort(source=announced, counts=before, state="incomplete") == "one frame classified per 0.1 s"


def test_whoever_gave_no_name_is_still_somebody(dive):
    add_correction(dive, read_keys(dive)[0], Verdict.RIGHT)
    assert write_occurrences(dive)
    assert rows(dive)[0]["identifiedBy"] == "a person who gave no name"


def test_a_correction_is_validated_by_a_human_and_keeps_the_identifier(dive):
    before = rows(dive)
    fish, octopus, turtle = read_keys(dive)
    said_at = datetime(2026, 5, 2, tzinfo=UTC)
    add_correction(dive, fish, Verdict.WRONG, "octopus", by="Ada", note="hiding", at=said_at)
    add_correction(dive, octopus, Verdict.RIGHT, by="Ada")
    add_correction(dive, turtle, Verdict.NOTHING)
    assert write_occurrences(dive)
    first, second = rows(dive)
    assert [first["occurrenceID"], second["occurrenceID"]] == [row["occurrenceID"] for row in before[:2]]
    assert first["scientificName"] == "Octopoda"
    assert (first["identifiedBy"], first["dateIdentified"]) == ("Ada", "2026-05-02T00:00:00.000Z")
    assert (first["occurrenceRemarks"], first["verbatimIdentification"]) == ("hiding", "octopus")
    assert "said Fish" in first["identificationRemarks"]
    assert {row["identificationVerificationStatus"] for row in (first, second)} == {"ValidatedByHuman"}
    for key in (fish, octopus, turtle):
        undo_correction(dive, key)
    assert write_occurrences(dive)
    assert rows(dive) == before


@pytest.mark.parametrize(
    ("name", "scientific"),
    [
        *((name, True) for name in ("Aurelia aurita", "Aurelia sp.", "Epinephelus cf. marginatus", "Carangidae")),
        *((name, True) for name in ("Octopus vulgaris", "Mola mola", "Octopus (Octopus) vulgaris Cuvier, 1797")),
        *((name, True) for name in ("Caretta caretta (Linnaeus, 1758)", "Lamniformes", "Carcharhinus plumbeus")),
        *((name, False) for name in ("moon jelly", "Moon Jelly", "Moon jelly", "Blue shark", "Grouper", "Sea_Rays")),
        *((name, False) for name in ("Jelly fish", "two of them?", "", "Sea urchin", "Nudibranchs")),
    ],
)
def test_a_name_is_scientific_when_it_is_written_like_one(name, scientific):
    labels = ["Fish", "Jelly Fish", "Moon Jelly", "Octopus", "Sea Rays", "Sea Urchins", "Sharks", "Nudibranchs"]
    assert is_scientific(name, labels) is scientific


def test_an_animal_that_the_model_does_not_know_has_the_name_that_a_person_gave_it(dive):
    fish, octopus, turtle = read_keys(dive)
    add_correction(dive, fish, Verdict.WRONG, "Aurelia aurita", by="Ada")
    add_correction(dive, octopus, Verdict.WRONG, "moon jelly")
    add_correction(dive, turtle, Verdict.WRONG, "Octopoda")  # what the model calls Octopus
    assert write_occurrences(dive)
    names = [(row["scientificName"], row["vernacularName"], row["verbatimIdentification"]) for row in rows(dive)]
    assert names == [
        ("Aurelia aurita", "", "Aurelia aurita"),
        ("", "moon jelly", "moon jelly"),
        ("Octopoda", "", "Octopoda"),
    ]


def test_processing_the_dive_again_keeps_identifiers_and_corrections(dive, naming, tmp_path):
    before = rows(dive)
    add_correction(dive, read_keys(dive)[2], Verdict.NOTHING)
    process(tmp_path / "a.mp4", dive, naming, ProcessOptions(every_s=0.1))
    after = rows(dive)
    assert [row["occurrenceID"] for row in after] == [row["occurrenceID"] for row in before[:2]]
    assert {row["minimumDepthInMeters"] for row in after} == {""}


def test_without_a_wall_clock_there_is_no_file(tmp_path, naming):
    run = process(write_clip(tmp_path / "a.mp4", frames=30, rate=10), tmp_path / "out", naming, ProcessOptions())
    assert not (run.folder / NAME).exists()
    assert not write_occurrences(run.folder)


def test_results_of_an_earlier_version_are_named(dive):
    (dive / "run.json").write_text((dive / "run.json").read_text().replace('"taxonomy"', '"names"'))
    with pytest.raises(ResultsError, match="earlier version"):
        write_occurrences(dive)


def test_a_folder_that_holds_no_dive_is_named(tmp_path):
    with pytest.raises(ResultsError, match=r"no run\.json"):
        write_occurrences(tmp_path)
