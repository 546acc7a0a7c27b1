"""Writes webcam.json beside it: what a page with its own camera sends, read by pytest and by Node's test runner.

    python tests/vectors/make_webcam.py

Run it after a change of the format, and look at the difference.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from make_wire import JPEG, JPEG_HW

from serving.wire import encode_camera_frame

PATH = Path(__file__).with_name("webcam.json")


def vectors() -> list[dict[str, Any]]:
    """Every case: good ones with seq, t, jpeg_base64 and size, malformed ones with a part of the error's text."""
    good = [
        _good("the first picture", 0, 0),
        _good("a clock with fractions", 17, 1234.5),
        _good("a long run", 2**40, 1e12),
    ]
    full = base64.b64decode(good[0]["message_base64"])
    length = 4 + int.from_bytes(full[:4], "big")
    size_at = full.index(b"\xff\xc0") + 5
    return [
        *good,
        _bad("an empty message", b"", "truncated"),
        _bad("a header that breaks off", full[: length - 1], "header: truncated"),
        _bad("a header that is not JSON", b"\x00\x00\x00\x02{," + full[length:], "not JSON"),
        _bad("a version to come", full.replace(b'"v":1', b'"v":2'), "v: expected version 1"),
        _bad("a negative number", full.replace(b'"seq":0', b'"seq":-'), "not JSON"),
        _bad("no clock", full.replace(b'"t":0', b'"x":0'), "t: expected"),
        _bad("no picture", full[:length], "jpeg: not a JPEG"),
        _bad("a picture that breaks off", full[:-2], "jpeg: breaks off"),
        _bad("a bomb", full[:size_at] + b"\xff\xff\xff\xff" + full[size_at + 4 :], "jpeg: 65535 x 65535 pixels"),
        _bad("a PNG", full[:length] + b"\x89PNG\r\n\x1a\n", "jpeg: not a JPEG"),
    ]


def _good(name: str, seq: int, t: float) -> dict[str, Any]:
    t = int(t) if t == int(t) else t  # as a browser writes it
    return {
        "name": name,
        "message_base64": base64.b64encode(encode_camera_frame(seq, t, JPEG)).decode(),
        "seq": seq,
        "t": t,
        "jpeg_base64": base64.b64encode(JPEG).decode(),
        "size": list(JPEG_HW),
    }


def _bad(name: str, message: bytes, error: str) -> dict[str, Any]:
    return {"name": name, "message_base64": base64.b64encode(message).decode(), "error": error}


def text() -> str:
    """The file's whole text."""
    return json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
