"""When a picture was taken, and by which camera, as its EXIF says."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime

from PIL import ExifTags, Image

from realtime.decode import FORMATS


@dataclass(frozen=True, slots=True)
class Taken:
    """camera: make and model, "" when it says neither. second: of the camera's own clock, whatever that shows; only
    differences mean something.
    """

    camera: str
    second: float


def taken(data: bytes) -> Taken | None:
    """What the picture in ``data`` says of itself; None where it says no time, or no possible one."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            exif = picture.getexif()
            said = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
            moment = datetime.strptime(str(said).strip("\0 "), "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
            names = (str(exif.get(tag, "")).strip("\0 ") for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
            return Taken(" ".join(filter(None, names)), moment.timestamp())
    except Exception:  # damaged EXIF beside a sound picture, a date of zeros, or none
        return None
