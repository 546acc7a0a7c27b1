"""Spellings of one class meet, and the names for "no animal" are one class."""

from __future__ import annotations

from dataclasses import replace

import pytest
from toy_onnx import toy_contract

from realtime.contract import ModelContract
from realtime.errors import ContractError
from realtime.labels import class_key, label_key, means_no_animal


def test_case_spaces_and_dashes_do_not_count() -> None:
    assert label_key("Sea Turtle") == label_key("sea_turtle") == class_key("SEA-TURTLE")


def test_none_and_background_mean_no_animal() -> None:
    assert class_key("Background") == class_key("none") == class_key(" NONE ") == "none"
    assert not means_no_animal("nonesuch")


def test_a_contract_knows_its_class_without_an_animal_and_may_have_one_only() -> None:
    assert toy_contract().no_animal is None
    contract = toy_contract(["Fish", "none", "Turtle"])
    assert contract.no_animal == 1
    assert ModelContract.from_json(contract.to_json()) == contract
    with pytest.raises(ContractError, match="'none' and 'Background' both mean that there is no animal"):
        replace(contract, labels=("Fish", "none", "Background"))
