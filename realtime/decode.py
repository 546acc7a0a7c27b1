"""Turns the bytes of a picture into RGB or says briefly why not, the same way in training and when running."""

from __future__ import annotations

import io
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

EXTENSIONS = frozenset({".jpg", ".jpeg", ".jpe", ".mpo", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
MIN_SIDE = 16  # pixels; one cell of the Grad-CAM grid. A smaller picture shows nothing that could be recognised.
MAX_PIXELS = 89_478_485  # where Pillow would warn of a decompression bomb: 268 MB of RGB
MAX_FILE_BYTES = 256 * 2**20  # read whole into memory, in training by several threads at once
# Of what Pillow opens, as which an MPO is a JPEG: it goes by what a file holds, not by its name, and for EPS it would
# start Ghostscript.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
Image.init()  # it knows a format that it is asked for by name only after this
_DEEP_GREY = ("I;16", "I;16L", "I;16B", "I;16N", "I")


class UndecodableError(ValueError):
    """These bytes give no usable picture; the message says why."""


@contextmanager
def strict_decoding() -> Iterator[None]:
    """While it lasts, Pillow's decompression-bomb warning is an error and its other remarks are silent.

    Warning filters belong to the whole process, so this stands around a pool of decoding threads, not inside them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def picture_bytes(path: Path) -> bytes:
    """What is in a file, for ``decode``. Raises UndecodableError for a pipe, device or enormous file, and OSError."""
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise UndecodableError("not a regular file")  # reading a pipe would wait for ever
    if facts.st_size > MAX_FILE_BYTES:
        raise UndecodableError(f"{facts.st_size / 2**20:.0f} MiB; at most {MAX_FILE_BYTES // 2**20} MiB are read")
    return path.read_bytes()


def decode(data: bytes) -> NDArray[np.uint8]:
    """The picture in ``data`` as displayed: uint8 [H, W, 3] RGB, turned by its EXIF orientation.

    Palettes, grey of 8 or 16 bits and CMYK are converted, transparency is laid on white, of several pictures (MPO,
    animations) the first is taken. Raises UndecodableError. Call it within ``strict_decoding``.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            if min(width, height) < MIN_SIDE:
                raise UndecodableError(f"{width} x {height} pixels; at least {MIN_SIDE} x {MIN_SIDE} are needed")
            if width * height > MAX_PIXELS:  # Pillow's own warning is an error only while nobody else sets filters
                raise Image.DecompressionBombError
            picture.load()
            return np.ascontiguousarray(_rgb(_upright(picture)))
    except UndecodableError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UndecodableError(
            f"more than {MAX_PIXELS // 1_000_000} megapixels, which could be a decompression bomb"
        ) from error
    except Exception as error:  # decoders of damaged files raise anything from struct.error to SyntaxError
        raise UndecodableError(f"unreadable ({_first_line(error)})") from error


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # damaged EXIF beside a sound picture: the picture is worth more than its orientation
        return picture


def _rgb(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode in _DEEP_GREY:  # Pillow's own conversion clips at 255 instead of scaling
        deep = np.asarray(picture).astype(np.int64)
        grey = np.clip(deep >> 8 if deep.max(initial=0) > 255 else deep, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if "A" in picture.getbands() or "transparency" in picture.info:
        see_through = picture.convert("RGBA")
        paper = Image.new("RGBA", see_through.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(paper, see_through)
    return np.asarray(picture.convert("RGB"), dtype=np.uint8)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    # Pillow names the in-memory buffer, which tells the reader nothing.
    return lines[0].split(" <_io.BytesIO")[0][:120] if lines else type(error).__name__
