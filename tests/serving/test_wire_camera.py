"""serving/wire.py: a page's own pictures, by the vectors that the page's tests read as well."""

from __future__ import annotations

import base64
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import wire

VECTORS = Path(__file__).parents[1] / "vectors"
CASES: list[dict[str, Any]] = json.loads((VECTORS / "webcam.json").read_text(encoding="utf-8"))


def named(case: dict[str, Any]) -> str:
    return str(case["name"])


@pytest.mark.parametrize("case", [case for case in CASES if "error" not in case], ids=named)
def test_a_picture_is_put_together_and_taken_apart(case: dict[str, Any]) -> None:
    message, jpeg = base64.b64decode(case["message_base64"]), base64.b64decode(case["jpeg_base64"])
    assert wire.encode_camera_frame(case["seq"], case["t"], jpeg) == message
    frame = wire.decode_camera_frame(message)
    assert (frame.seq, frame.t, frame.jpeg, list(frame.size_hw)) == (case["seq"], case["t"], jpeg, case["size"])


@pytest.mark.parametrize("case", [case for case in CASES if "error" in case], ids=named)
def test_a_malformed_one_is_refused_with_the_reason(case: dict[str, Any]) -> None:
    with pytest.raises(wire.WireError) as caught:
        wire.decode_camera_frame(base64.b64decode(case["message_base64"]))
    assert case["error"] in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_picture_or_a_wire_error(message: bytes) -> None:
    with contextlib.suppress(wire.WireError):
        wire.decode_camera_frame(message)


def test_the_vectors_are_what_their_maker_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(VECTORS), *sys.path])
    import make_webcam

    assert make_webcam.text() == (VECTORS / "webcam.json").read_text(encoding="utf-8")
