"""Whatever lies behind a picture's name, decoding gives upright RGB or a short reason."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from realtime.decode import UndecodableError, decode, strict_decoding

RED, GREEN = (200, 30, 20), (20, 160, 40)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()


@pytest.mark.filterwarnings("ignore")
def test_a_bomb_is_seen_in_its_header_whatever_the_warning_filters_are():
    bomb = encoded(Image.new("1", (10_000, 9_000)), "PNG")
    with pytest.raises(UndecodableError, match="more than 89 megapixels"):
        decode(bomb)


def halves(width: int = 40, height: int = 24) -> Image.Image:
    """Red left, green right."""
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[:, : width // 2], rgb[:, width // 2 :] = RED, GREEN
    return Image.fromarray(rgb)


def read(data: bytes) -> np.ndarray:
    with strict_decoding():
        return decode(data)


def near(pixel: np.ndarray, colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= tolerance)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF"])
def test_the_usual_formats_give_the_same_picture(kind: str) -> None:
    rgb = read(encoded(halves(), kind))
    assert rgb.shape == (24, 40, 3)
    assert rgb.dtype == np.uint8
    assert near(rgb[5, 5], RED)
    assert near(rgb[5, 35], GREEN)


def test_of_several_pictures_in_an_mpo_the_first_is_taken() -> None:
    other = Image.new("RGB", (40, 24), (0, 0, 255))
    rgb = read(encoded(halves(), "MPO", save_all=True, append_images=[other]))
    assert near(rgb[5, 5], RED)


def test_a_photograph_lying_on_its_side_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate 90 degrees clockwise to display
    rgb = read(encoded(halves(), "JPEG", exif=exif, quality=95, subsampling=0))
    assert rgb.shape == (40, 24, 3)
    assert near(rgb[5, 12], RED)
    assert near(rgb[35, 12], GREEN)


def test_damaged_exif_does_not_cost_the_picture() -> None:
    assert read(encoded(halves(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")).shape == (24, 40, 3)


def test_transparency_is_laid_on_white() -> None:
    picture = halves().convert("RGBA")
    picture.putalpha(Image.fromarray(np.repeat(np.array([[255, 0]], np.uint8), 24, 0).repeat(20, 1)))
    rgb = read(encoded(picture, "PNG"))
    assert near(rgb[5, 5], RED, 0)
    assert near(rgb[5, 35], (255, 255, 255), 0)


def test_a_palette_with_a_transparent_colour_is_converted() -> None:
    picture = halves().quantize(4)
    rgb = read(encoded(picture, "PNG", transparency=picture.getpixel((35, 5))))
    assert near(rgb[5, 5], RED)
    assert near(rgb[5, 35], (255, 255, 255), 0)


@pytest.mark.parametrize("mode", ["L", "LA", "1", "CMYK"])
def test_other_colour_modes_become_rgb(mode: str) -> None:
    picture = Image.new("L", (32, 32), 255).convert(mode)
    rgb = read(encoded(picture, "TIFF" if mode == "CMYK" else "PNG"))
    assert rgb.shape == (32, 32, 3)
    assert near(rgb[0, 0], (255, 255, 255), 2)


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16)[None].repeat(20, 0)
    rgb = read(encoded(Image.fromarray(ramp), "PNG"))
    assert rgb[0, :, 0].tolist() == (ramp[0] >> 8).tolist()


@pytest.mark.parametrize("size", [(1, 1), (300, 2)])
def test_a_picture_of_next_to_no_pixels_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UndecodableError, match=rf"{size[0]} x {size[1]} pixels; at least 16 x 16"):
        read(encoded(Image.new("RGB", size), "PNG"))


@pytest.mark.parametrize("side", [10_000, 30_000])
def test_a_decompression_bomb_is_refused_before_it_is_unpacked(side: int) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(UndecodableError, match="more than 89 megapixels, which could be a decompression bomb"):
        read(bomb)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xd8\xff", b"<html>not found</html>", b"\x89PNG\r\n\x1a\n" + b"\0" * 40],
    ids=["empty", "stump", "html", "broken png"],
)
def test_what_is_no_picture_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(UndecodableError, match=r"^unreadable \(.+\)$") as refused:
        read(data)
    assert "BytesIO" not in str(refused.value)


def test_a_truncated_photograph_is_refused() -> None:
    whole = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8)), "JPEG")
    with pytest.raises(UndecodableError, match="unreadable"):
        read(whole[: len(whole) // 2])
