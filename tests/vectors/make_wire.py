"""Writes wire.json beside it: binary messages with what is in them, read by pytest and by Node's test runner.

    python tests/vectors/make_wire.py

Run it after a change of the wire format, and look at the difference.
"""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from realtime.frames import FrameResult, StableLabel
from realtime.live import LiveStatus
from serving.wire import encode_result, result_header

PATH = Path(__file__).with_name("wire.json")

# A grey picture of 8 x 6 pixels: a constant, since another version of an encoder would write other bytes.
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1x"
    "eXBkeFxlZ2P/wAALCAAGAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAABf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AMf/Z"
)
JPEG_HW = (6, 8)


def vectors() -> list[dict[str, Any]]:
    """Every case: good ones with header, cam and jpeg_base64, malformed ones with a part of the error's text."""
    return [*_good(), *_malformed()]


def _good() -> list[dict[str, Any]]:
    cam_14 = np.clip(np.add.outer(np.arange(14), np.arange(14)) * 10, 0, 255).astype(np.uint8)
    moment = datetime(2026, 5, 17, 9, 30, 12, 345000, tzinfo=UTC)
    seen = _result("reef", 123, 4.104, cam_14, [0.05, 0.01, 0.83, 0.04, 0.04, 0.03], StableLabel(2, 0.83, 2.1), moment)
    nothing = _result("reef", 0, 0.0, np.zeros((8, 8), np.uint8), [0.4, 0.35, 0.25], StableLabel(None, 0.4, 0.0))
    wide = np.array([[0, 1, 2], [253, 254, 255]], np.uint8)
    foreign = _result("Küste – 北", 7, 0.28, wide, [0.2, 0.8], StableLabel(1, 0.8, 0.04))
    many = _result("reef", 90_000, 3600.04, cam_14, [0.1, 0.1, 0.8], StableLabel(2, 0.8, 3599.0), moment)
    chosen = replace(seen, cam=cam_14[::-1], explained=4)
    return [
        _case("a picture with a label", seen, 17, 35.2, JPEG, _status(21.4, 400, 12)),
        _case(
            "without a picture",
            seen,
            18,
            4.0,
            None,
            _status(21.4, 401, 12, late=2, damaged=3, reconnects=1, stalls=4),
            5,
        ),
        _case("nothing I know, an empty map, no wall clock", nothing, 0, 0.0, JPEG, _status(0.0, 1, 0)),
        _case("a name that is not ASCII and a map that is not square", foreign, 2, 1.5, JPEG, _status(25.0, 8, 0)),
        _case("the map of a chosen class, not the most probable", chosen, 19, 20.0, JPEG, _status(21.4, 402, 12)),
        _case("a long run", many, 4_294_967_300, 60_123.4, None, _status(24.97, 90_001, 4_294_967_296)),
    ]


def _malformed() -> list[dict[str, Any]]:
    good = _good()
    full, bare = (base64.b64decode(good[k]["message_base64"]) for k in (0, 1))
    length = int.from_bytes(full[:4], "big")

    def changed(**fields: Any) -> bytes:
        return _with_header({**good[0]["header"], **fields}, full[4 + length :])

    lacking = {name: value for name, value in good[0]["header"].items() if name != "seq"}
    return [
        _bad("an empty message", b"", "truncated"),
        _bad("three bytes", full[:3], "truncated"),
        _bad("a header that breaks off", full[: 4 + length - 1], "header: truncated"),
        _bad("a header length of 4 GiB", b"\xff\xff\xff\xff" + full[4:], "header: truncated"),
        _bad("a header that is not UTF-8", b"\x00\x00\x00\x02\xff\xfe", "not UTF-8"),
        _bad("a header that is not JSON", b"\x00\x00\x00\x02{,", "not JSON"),
        _bad("a header of no bytes", b"\x00\x00\x00\x00", "not JSON"),
        _bad("a header with NaN", changed(rate=0.25).replace(b'"rate":0.25', b'"rate": NaN'), "not JSON"),
        _bad("a header that is a list", b"\x00\x00\x00\x02[]", "expected a JSON object"),
        _bad("a version to come", changed(v=2), "v: expected version 1"),
        _bad("no sequence number", _with_header(lacking, full[4 + length :]), "seq: expected"),
        _bad("a negative sequence number", changed(seq=-1), "seq: expected"),
        _bad("a map without columns", changed(cam=[14, 0]), "cam: expected"),
        _bad("a map of 4 billion cells", changed(cam=[65_536, 65_536]), "cam: expected"),
        _bad("a map that breaks off", bare[:-1], "cam: truncated"),
        _bad("no bytes where a picture is announced", full[: -len(JPEG)], "jpeg: announced"),
        _bad("bytes where no picture is announced", bare + JPEG, "jpeg: the header announces none"),
        _bad("a stable label that is a number", changed(stable=2), "stable: expected"),
        _bad("scores without an index", changed(top=[0.5, 0.2]), "top: expected"),
    ]


def _result(
    source: str,
    index: int,
    media_s: float,
    cam: np.ndarray,
    probabilities: list[float],
    stable: StableLabel,
    utc: datetime | None = None,
) -> FrameResult:
    return FrameResult(
        source=source,
        index=index,
        media_s=media_s,
        utc=utc,
        utc_source="clock" if utc else "",
        captured_s=1.0,
        size_hw=(720, 1280),
        probabilities=np.array(probabilities, np.float32),
        unknown=1.0 - max(probabilities),
        cam=cam,
        explained=int(np.argmax(probabilities)),
        stable=stable,
    )


def _status(rate: float, captured: int, dropped: int, **more: int) -> LiveStatus:
    return LiveStatus("live", rate=rate, captured=captured, dropped=dropped, **more)


def _case(
    name: str,
    result: FrameResult,
    seq: int,
    age_ms: float,
    jpeg: bytes | None,
    status: LiveStatus,
    overtaken: int = 0,
) -> dict[str, Any]:
    jpeg_hw = JPEG_HW if jpeg else None
    header = result_header(result, status, seq=seq, age_ms=age_ms, jpeg_hw=jpeg_hw, overtaken=overtaken)
    return {
        "name": name,
        "message_base64": base64.b64encode(encode_result(header, result.cam, jpeg)).decode(),
        "header": header,
        "cam": result.cam.flatten().tolist(),
        "jpeg_base64": base64.b64encode(jpeg or b"").decode(),
    }


def _with_header(header: dict[str, Any], rest: bytes) -> bytes:
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return len(text).to_bytes(4, "big") + text + rest


def _bad(name: str, message: bytes, error: str) -> dict[str, Any]:
    return {"name": name, "message_base64": base64.b64encode(message).decode(), "error": error}


def text() -> str:
    """The file's whole text."""
    return json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
