"""Scientific names are found under any spelling and only where they are known."""

from __future__ import annotations

from training.photographs import label_key
from training.taxonomy import _TAXA, taxonomy_of


def test_known_classes_are_named_under_any_spelling() -> None:
    assert taxonomy_of(["Jelly Fish", "sea_rays", "My Boat"]) == {"Jelly Fish": "Medusozoa", "sea_rays": "Batoidea"}


def test_every_entry_can_be_found() -> None:
    assert all(label_key(key) == key for key in _TAXA)
    assert len(_TAXA) == 23
