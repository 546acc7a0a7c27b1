"""A still: one frame as people look at it afterwards, plain and with the heat map over it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dives.partial import SUFFIX, PartialFile, writing
from realtime.errors import ResultsError
from realtime.overlay import draw_overlay

FOLDER = "stills"
SMALL_SIDE = 240  # pixels: what a list shows of a still, on screens of three pixels to a point
SMALL_QUALITY = 80
REDUCED_BYTES = 60_000  # a JPEG of more has pixels enough for the decoder to leave three in four out each way
KEPT = 2000  # small ones in memory, some 10 kB each
QUALITY = 90  # of the JPEGs: they are also what later training learns from


@dataclass(frozen=True, slots=True)
class Still:
    """The names of the two files of a still, relative to the folder it was saved in."""

    plain: str
    overlay: str


def still_names(stem: str) -> Still:
    """What ``save_still`` calls its files."""
    return Still(f"{stem}.jpg", f"{stem}-overlay.jpg")


def save_still(folder: Path, stem: str, rgb: NDArray[np.uint8], cam: NDArray[np.uint8]) -> Still:
    """Writes ``<stem>.jpg`` and ``<stem>-overlay.jpg`` into ``folder``, which is made when it is missing.

    rgb: uint8 [H, W, 3]. cam: uint8 [G, G], drawn as realtime.overlay draws it. Each appears complete or not at all,
    and replaces an earlier one. Raises ResultsError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(f"{folder}: cannot be made ({(error.strerror or str(error)).lower()})") from error
    still = still_names(stem)
    for name, picture in ((still.plain, rgb), (still.overlay, draw_overlay(rgb, cam))):
        done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if not done:
            raise ResultsError(f"{folder / name}: the picture cannot be encoded as JPEG")
        with PartialFile(folder / name, "wb") as file:
            file.write(data.tobytes())
            file.commit()
    return still


def small_still(path: Path) -> bytes:
    """A small JPEG of a still, for a list; quick, and quicker the second time. Any thread.

    Raises OSError when it cannot be read, ResultsError when it is no picture.
    """
    return _small(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=KEPT)
def _small(path: Path, changed_ns: int) -> bytes:
    data = np.frombuffer(path.read_bytes(), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_4 if data.size > REDUCED_BYTES else cv2.IMREAD_COLOR)
    if picture is None:
        raise ResultsError(f"{path}: not a picture that can be read")
    height, width = picture.shape[:2]
    scale = SMALL_SIDE / max(height, width)
    if scale < 1.0:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, SMALL_QUALITY])[1].tobytes()


def remove_stills(dive: Path, *, keep: Collection[str] = ()) -> None:
    """Removes the pictures in a dive's folder of stills, finished or not, but for the names in ``keep``.

    Raises ResultsError. What is no JPEG is not ours and stays.
    """
    folder = dive / FOLDER
    with writing(folder):
        for entry in list(folder.iterdir()) if folder.is_dir() else ():
            if entry.name not in keep and entry.name.removesuffix(SUFFIX).endswith(".jpg"):
                entry.unlink()
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
