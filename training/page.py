"""What our HTML reports share: one self-contained file, its pictures inside, its looks in ``report_style.css``."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path

import cv2
import jinja2
import numpy as np
from numpy.typing import NDArray

from realtime.decode import UndecodableError, decode, strict_decoding

QUALITY = 72


def render(template: str, **facts: object) -> str:
    """The page of a template of this folder; whatever is put in is escaped, and a missing fact is an error."""
    return _environment().get_template(template).render(**facts)


def picture_address(rgb: NDArray[np.uint8], side: int) -> str:
    """uint8 [H, W, 3] RGB as a data address: a JPEG whose longer side is at most ``side`` pixels."""
    height, width = rgb.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"


def read_picture(path: Path) -> NDArray[np.uint8] | None:
    """The picture as uint8 [H, W, 3] RGB; None when it can no longer be read."""
    try:
        with strict_decoding():
            return decode(path.read_bytes())
    except (OSError, UndecodableError):
        return None


def percent(share: float, digits: int = 0) -> str:
    """0..1 as a percentage that rounds neither something to nothing nor most to all."""
    least = 0.5 * 10.0 ** -(digits + 2)
    if 0.0 < share < least:
        return f"under {10.0**-digits:g}\u00a0%"
    if 1.0 - least <= share < 1.0:
        return f"over {100 - 10.0**-digits:g}\u00a0%"
    return f"{100 * share:.{digits}f}\u00a0%"


def count(number: int, word: str, plural: str = "") -> str:
    """1 picture, 2 pictures, 1,000 pictures."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "counted": count}
    return environment
