"""When two spellings name the same class."""

from __future__ import annotations

import re
import unicodedata


def label_key(name: str) -> str:
    """What two spellings of a class have in common: case, ``_``, ``-`` and spaces do not count."""
    # macOS stores accents as separate characters (NFD), everyone else as one (NFC)
    plain = unicodedata.normalize("NFC", name).casefold()
    return re.sub(r"[\s_-]+", "", plain) or plain
