"""The contract: what a model file must say of itself, and how it is told that it does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.contract import UNKNOWN_SCORE, ModelContract, Provenance, Thresholds
from realtime.errors import ContractError


def contract(**changes: object) -> ModelContract:
    facts: dict[str, object] = {
        "labels": ("Fish", "Octopus"),
        "input_size": 64,
        "thresholds": Thresholds(show=0.5, unknown=0.5),
        "provenance": Provenance(run_id="toy", data_hash="00", packages={"keras": "3"}, metrics={"accuracy": 0.5}),
        "taxonomy": {"Octopus": "Octopoda"},
    }
    return ModelContract(**{**facts, **changes})  # type: ignore[arg-type]


labels = st.lists(st.text(min_size=1).filter(str.strip), min_size=2, max_size=6, unique=True).map(tuple)


@given(
    labels=labels,
    cells=st.integers(2, 40),
    show=st.floats(0.01, 0.99),
    temperature=st.floats(0.05, 20.0),
    precision=st.sampled_from(["fp32", "fp16", "int8"]),
)
def test_what_is_written_is_read_back_unchanged(labels, cells, show, temperature, precision):
    original = contract(
        labels=labels,
        input_size=16 * cells,
        thresholds=Thresholds(show, 1 - show),
        temperature=temperature,
        precision=precision,
        taxonomy={labels[0]: "Animalia"},
    )
    assert ModelContract.from_json(original.to_json()) == original


def test_a_file_with_the_score_of_older_versions_still_loads():
    old = contract(unknown_score="one-minus-max-probability")
    assert ModelContract.from_json(old.to_json()) == old
    assert contract(unknown_score=UNKNOWN_SCORE).schema_version == old.schema_version


def test_the_grid_is_a_sixteenth_of_the_side():
    assert contract(input_size=224).cam_size == 14


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"labels": ("Fish",)}, "labels: expected at least 2"),
        ({"labels": ("Fish", "Fish")}, "labels: the same label"),
        ({"labels": ("Fish", " ")}, "labels: every label"),
        ({"input_size": 100}, "input_size"),
        ({"input_size": 0}, "input_size"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"cam_scale": -1.0}, "cam_scale"),
        ({"precision": "fp64"}, "precision"),
        ({"resize": "crop"}, "resize"),
        ({"unknown_score": "guess"}, "unknown_score"),
        ({"thresholds": Thresholds(1.5, 0.5)}, "thresholds.show"),
        ({"thresholds": Thresholds(0.5, float("inf"))}, "thresholds.unknown"),
        ({"thresholds": Thresholds(0.5, 1.0)}, r"thresholds.unknown: expected a number in \(0, 1\)"),
        ({"taxonomy": {"Whale": "Cetacea"}}, "taxonomy: 'Whale'"),
        ({"schema_version": 2}, "schema_version"),
    ],
)
def test_a_contradiction_is_refused_by_the_name_of_its_field(changes, named):
    with pytest.raises(ContractError, match=named):
        contract(**changes)


@pytest.mark.parametrize("field", sorted(json.loads(contract().to_json())))
def test_a_missing_field_is_named(field):
    raw = json.loads(contract().to_json())
    del raw[field]
    with pytest.raises(ContractError, match=field):
        ModelContract.from_json(json.dumps(raw))


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("thresholds",), None, "thresholds"),
        (("thresholds", "show"), "0.5", "thresholds.show"),
        (("provenance",), [], "provenance"),
        (("provenance", "metrics"), [], "provenance.metrics"),
        (("labels",), "Fish", "labels"),
        (("labels",), ["Fish", 3], "labels"),
        (("taxonomy",), [], "taxonomy"),
        (("temperature",), True, "temperature"),
        (("input_size",), 64.5, "input_size"),
        (("schema_version",), 99, "schema_version"),
        (("colour",), "red", "colour"),
    ],
)
def test_a_wrong_field_is_named(path, value, named):
    raw = json.loads(contract().to_json())
    place = raw
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ContractError, match=named):
        ModelContract.from_json(json.dumps(raw))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3"])
def test_anything_but_a_json_object_is_refused(text):
    with pytest.raises(ContractError):
        ModelContract.from_json(text)
