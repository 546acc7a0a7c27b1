"""When two spellings name the same class, and which class means that there is no animal."""

from __future__ import annotations

import re
import unicodedata

NO_ANIMAL = "none"  # the class of pictures without an animal; a folder of either name in NO_ANIMAL_KEYS teaches it
NO_ANIMAL_KEYS = frozenset({NO_ANIMAL, "background"})


def label_key(name: str) -> str:
    """What two spellings of a class have in common: case, ``_``, ``-`` and spaces do not count."""
    # macOS stores accents as separate characters (NFD), everyone else as one (NFC)
    plain = unicodedata.normalize("NFC", name).casefold()
    joined = re.sub(r"[\s_-]+", "", plain) or plain
    return unicodedata.normalize("NFC", joined)  # an accent may have stood behind what was taken out


def class_key(name: str) -> str:
    """What two folders of one class have in common: ``label_key``, and one key for the names that mean no animal."""
    return NO_ANIMAL if means_no_animal(name) else label_key(name)


def means_no_animal(name: str) -> bool:
    """Whether a class of this name is that of pictures without an animal."""
    return label_key(name) in NO_ANIMAL_KEYS
