"""The page and the overlay video paint with the same colours."""

import re
from pathlib import Path

import numpy as np

from realtime.overlay import colour_map


def test_the_pages_colour_map_is_the_one_of_the_overlay_video():
    script = (Path(__file__).parents[1] / "web" / "colourmap.js").read_text(encoding="utf-8")
    digits = re.search(r"INFERNO_HEX = `([0-9a-f\s]+)`", script)[1]
    table = np.frombuffer(bytes.fromhex(digits), np.uint8).reshape(256, 3)
    assert np.array_equal(table, colour_map())
