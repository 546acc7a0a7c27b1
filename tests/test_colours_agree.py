"""The page and the overlay video paint with the same colours; the page's other choices are the well-known tables."""

import base64
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.overlay import colour_map


def table_of_the_page(name: str) -> np.ndarray:
    script = (Path(__file__).parents[1] / "web" / "colourmap.js").read_text(encoding="utf-8")
    written = re.search(rf"{name}: `([\w+/=\s]+)`", script)[1]
    return np.frombuffer(base64.b64decode("".join(written.split()), validate=True), np.uint8).reshape(256, 3)


def test_the_pages_first_colour_map_is_the_one_of_the_overlay_video():
    assert np.array_equal(table_of_the_page("inferno"), colour_map())


@pytest.mark.parametrize("name", ["viridis", "cividis"])
def test_the_pages_other_colour_maps_are_those_of_opencv_and_matplotlib(name: str):
    values = np.arange(256, dtype=np.uint8)[:, None]
    rgb = cv2.applyColorMap(values, getattr(cv2, f"COLORMAP_{name.upper()}"))[:, 0, ::-1]
    assert np.array_equal(table_of_the_page(name), rgb)
    maps = pytest.importorskip("matplotlib", reason="comes with training").colormaps
    assert np.array_equal(table_of_the_page(name), np.rint(255 * maps[name](np.arange(256))[:, :3]))
