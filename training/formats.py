"""What a picture file is, by its header: its true format beside its name, and what makes it unlike a plain photo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import ExifTags, Image

_MODES = {
    **dict.fromkeys(("1", "L", "I", "I;16", "I;16B", "I;16L", "I;16N", "F"), "grey"),
    **dict.fromkeys(("RGBA", "LA", "PA", "RGBa", "La"), "transparency"),
    "P": "palette",
    "CMYK": "CMYK colours",
    "YCCK": "CMYK colours",
}


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file. format: Pillow's name for what it is ("JPEG"). mode: Pillow's ("RGB"). width, height: stored pixels."""

    format: str
    mode: str
    width: int
    height: int
    bytes: int
    remarks: tuple[str, ...]


def inspect(path: Path) -> FileFacts | None:
    """The facts of the file, without decoding its pixels; None when its header cannot be read.

    remarks: words for each thing that is not plain, the same words for the same thing.
    """
    try:
        with Image.open(path) as picture:
            remarks = tuple(_remarks(path, picture))
            size = path.stat().st_size
            return FileFacts(picture.format or "", picture.mode, picture.width, picture.height, size, remarks)
    except Exception:  # decoders of damaged files raise anything; that the file cannot be read is said elsewhere
        return None


def _remarks(path: Path, picture: Image.Image) -> Iterator[str]:
    found, named = picture.format or "", _format_of(path.suffix.lower())
    several = getattr(picture, "n_frames", 1) > 1
    if found == "MPO":  # a JPEG to everyone, with further pictures behind it
        yield "MPO, several pictures in one: the first is taken"
    elif several:
        yield f"{found} with several pictures, such as an animation: the first is taken"
    if named not in (found, "") and {found, named} != {"MPO", "JPEG"}:
        yield f"{found} behind the ending {path.suffix.lower()}"
    if picture.mode in _MODES:
        yield _MODES[picture.mode]
    elif "transparency" in picture.info:
        yield "transparency"
    if _orientation(picture) not in (0, 1):
        yield "turned by its EXIF orientation"


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF beside a sound picture
        return 1


@cache
def _format_of(suffix: str) -> str:
    Image.init()
    return Image.registered_extensions().get(suffix, "")
