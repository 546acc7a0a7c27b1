"""What a JPEG from a stranger announces, read before anything is decoded: a bomb must cost nothing."""

from __future__ import annotations

MAX_JPEG_BYTES = 1 << 20  # a sharp 1280 x 720 picture at quality 95 takes half of it
MAX_JPEG_SIDE = 4096  # pixels

_MAX_SEGMENTS = 256  # before the picture data; an encoder writes about ten
_START, _END, _SCAN = b"\xff\xd8", b"\xff\xd9", b"\xff\xda"
_SEQUENTIAL = (0xC0, 0xC1)  # baseline and extended
_OTHER_FRAMES = frozenset(range(0xC2, 0xD0)) - {0xC4, 0xC8, 0xCC}  # those three are not frame headers
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Height and width in pixels of a whole sequential JPEG, from its header alone; takes microseconds.

    Raises ValueError, in words for whoever sent it, when it is not one, breaks off, or is over MAX_JPEG_BYTES or
    MAX_JPEG_SIDE. Progressive ones are refused: a few bytes ask for one more pass over the whole picture, thousands of
    times if somebody means harm, and browsers' canvases do not write them.
    """
    if len(data) > MAX_JPEG_BYTES:
        raise ValueError(f"{len(data)} bytes are more than the {MAX_JPEG_BYTES} that are taken")
    if not data.startswith(_START):
        raise ValueError("not a JPEG")
    if not data.endswith(_END):
        raise ValueError("breaks off before its end")
    size_hw: tuple[int, int] | None = None
    components = 0
    at = len(_START)
    for _ in range(_MAX_SEGMENTS):
        if at + 4 > len(data) or data[at] != 0xFF:
            raise ValueError("its header is damaged")
        marker = data[at + 1]
        if marker == 0xFF or marker in _ALONE:  # padding
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > len(data):
            raise ValueError("its header is damaged")
        if marker in _OTHER_FRAMES:
            raise ValueError("only sequential JPEGs are taken, this one is progressive or rarer still")
        if marker in _SEQUENTIAL:
            if size_hw is not None or length < 8:
                raise ValueError("its header is damaged")
            size_hw = int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
            components = data[at + 9]
            _check_size(*size_hw)
        if marker == _SCAN[1]:
            if size_hw is None:
                raise ValueError("its header names no size")
            # In picture data a byte 0xFF never stands before 0xDA: what is found is a further scan.
            if data.count(_SCAN, at) > components:
                raise ValueError("it has more scans than colours")
            return size_hw
        at += 2 + length
    raise ValueError("its header is too long")


def _check_size(height: int, width: int) -> None:
    if not (height and width):
        raise ValueError("its header names no size")
    if max(height, width) > MAX_JPEG_SIDE:
        raise ValueError(f"{width} x {height} pixels are more than the {MAX_JPEG_SIDE} a side that are taken")
