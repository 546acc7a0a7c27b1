"""What travels on a websocket, as bytes and text: put together here, and taken apart for tests and Python clients.

    binary  4-byte big-endian header length | JSON header (UTF-8) | heat map, rows * cols bytes | JPEG, may be absent
    text    one JSON object with a "type": hello, status, notice, pong to the viewer; ack, ping, want, explain
            from it

Pure: no socket, no clock. web/wire.js reads the same bytes; tests/vectors/wire.json holds both to it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.contract import ModelContract
from realtime.frames import FrameResult, iso_utc
from realtime.jpeg import MAX_JPEG_BYTES, jpeg_size
from realtime.live import LiveStatus

VERSION = 1
TOP_K = 5
MAX_TEXT_BYTES = 4096  # of one message from a viewer; the longest that makes sense is under 100
MAX_MESSAGE_BYTES = MAX_JPEG_BYTES + MAX_TEXT_BYTES  # of any message to the server: a page's picture with its header
# Of what is read at all. Above it the connection is cut while the message still comes, and the reason may be lost on
# the way: what is only a little too big is read and answered.
CUT_OFF_BYTES = 2 * MAX_MESSAGE_BYTES

CAMERA = "~camera"  # what a page's own camera is called; no operator's source can be

CLOSE_GOING_AWAY = 1001
CLOSE_POLICY = 1008
CLOSE_TOO_BIG = 1009
CLOSE_FAILED = 1011
CLOSE_MALFORMED = 4400
CLOSE_UNKNOWN = 4401
CLOSE_FORBIDDEN = 4403
CLOSE_NO_SOURCE = 4404

_LENGTH_BYTES = 4
_MAX_CAM_SIDE = 256  # the grid is a sixteenth of the input's side; 256 would be a 4096-pixel network


class WireError(ValueError):
    """A message breaks the format. Its text says which field, what was expected and what was received."""


@dataclass(frozen=True, slots=True, eq=False)
class ResultMessage:
    """A binary message taken apart. cam: uint8 [rows, cols]. jpeg: None exactly when header["jpeg"] is."""

    header: dict[str, Any]
    cam: NDArray[np.uint8]
    jpeg: bytes | None


@dataclass(frozen=True, slots=True, eq=False)
class CameraFrame:
    """A picture of a page's own camera. t: the page's clock in milliseconds. size_hw: pixels, as the JPEG says."""

    seq: int
    t: float
    jpeg: bytes
    size_hw: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Ack:
    """The viewer has drawn message ``seq``, and wants nothing older any more."""

    seq: int


@dataclass(frozen=True, slots=True)
class Ping:
    """The viewer measures the round trip; ``t`` is its own number, echoed."""

    t: float


@dataclass(frozen=True, slots=True)
class Want:
    """Whether the viewer wants JPEGs, or only header and heat map."""

    picture: bool


@dataclass(frozen=True, slots=True)
class Explain:
    """Of which class the viewer wants heat maps; -1 for the most probable, which is what everyone starts with."""

    label_index: int


def counters(status: LiveStatus, overtaken: int) -> dict[str, Any]:
    """What was counted of a source since the start, as results and statuses carry it.

    overtaken: results that a newer one replaced before they could be published.
    """
    return {
        "captured": status.captured,
        "dropped": status.dropped,
        "drops": {"engine": status.dropped - status.late, "capture": status.late, "delivery": overtaken},
        "damaged": status.damaged,
        "reconnects": status.reconnects,
        "stalls": status.stalls,
    }


def result_header(
    result: FrameResult,
    status: LiveStatus,
    *,
    seq: int,
    age_ms: float,
    jpeg_hw: tuple[int, int] | None,
    overtaken: int = 0,
) -> dict[str, Any]:
    """The header of a result.

    status: of its source, when it was classified. age_ms: capture to now. jpeg_hw: pixels of the JPEG that follows,
    None without one. overtaken: see ``counters``.
    """
    return {
        "v": VERSION,
        "source": result.source,
        "seq": seq,
        "frame": result.index,
        "media_s": round(result.media_s, 6),
        "utc": iso_utc(result.utc),
        "utc_source": result.utc_source,
        "age_ms": round(age_ms, 1),
        "size": list(result.size_hw),
        "jpeg": None if jpeg_hw is None else list(jpeg_hw),
        "cam": list(result.cam.shape),
        "explained": result.explained,
        "top": [[index, round(probability, 6)] for index, probability in result.top(TOP_K)],
        "unknown": round(result.unknown, 6),
        "stable": {
            "index": result.stable.index,
            "probability": round(result.stable.probability, 6),
            "since_s": round(result.stable.since_s, 6),
            **({"empty": True} if result.stable.empty else {}),
        },
        "rate": round(status.rate, 2),
        **counters(status, overtaken),
    }


def encode_result(header: Mapping[str, Any], cam: NDArray[np.uint8], jpeg: bytes | None) -> bytes:
    """The binary message. cam: uint8 [rows, cols]; jpeg: None to send no picture.

    Raises WireError when the header contradicts what follows it or ``decode_result`` would refuse it.
    """
    _check_header(header)
    if cam.dtype != np.uint8 or list(cam.shape) != list(header["cam"]):
        raise WireError(f"cam: expected uint8 {list(header['cam'])}, received {cam.dtype} {list(cam.shape)}")
    if (jpeg is None) != (header["jpeg"] is None) or jpeg == b"":
        raise WireError(f"jpeg: the header says {header['jpeg']!r}, {len(jpeg or b'')} bytes given")
    text = _dump(header).encode()
    return b"".join((len(text).to_bytes(_LENGTH_BYTES, "big"), text, cam.tobytes(), jpeg or b""))


def decode_result(message: bytes) -> ResultMessage:
    """Takes a binary message apart. Raises WireError."""
    header, body = _split(message)
    _check_header(header)
    rows, cols = header["cam"]
    rest = len(message) - body
    if rows * cols > rest:
        raise WireError(f"cam: truncated, {rows * cols} bytes announced, {rest} received")
    jpeg = message[body + rows * cols :]
    if header["jpeg"] is None and jpeg:
        raise WireError(f"jpeg: the header announces none, {len(jpeg)} bytes received")
    if header["jpeg"] is not None and not jpeg:
        raise WireError("jpeg: announced by the header, no bytes received")
    cam = np.frombuffer(message, np.uint8, rows * cols, body).reshape(rows, cols)
    return ResultMessage(header, cam, jpeg or None)


def encode_camera_frame(seq: int, t: float, jpeg: bytes) -> bytes:
    """The binary message that ``decode_camera_frame`` takes apart."""
    text = _dump({"v": VERSION, "seq": seq, "t": t}).encode()
    return b"".join((len(text).to_bytes(_LENGTH_BYTES, "big"), text, jpeg))


def decode_camera_frame(message: bytes) -> CameraFrame:
    """Takes a page's picture apart, without decoding it. Raises WireError, also for a JPEG over the limits."""
    header, body = _split(message)
    _check_version(header)
    _expect("seq", header.get("seq"), _is_count, "an integer from 0")
    _expect("t", header.get("t"), _is_clock, "milliseconds of a clock that started at 0")
    jpeg = message[body:]
    try:
        size_hw = jpeg_size(jpeg)
    except ValueError as error:
        raise WireError(f"jpeg: {error}") from error
    return CameraFrame(header["seq"], float(header["t"]), jpeg, size_hw)


def skipped(seq: int) -> str:
    """To a page with its own camera: picture ``seq`` was overtaken by a newer one and never classified."""
    return _dump({"type": "skipped", "seq": seq})


def hello(source: str, contract: ModelContract, provider: str, model: str) -> str:
    """The first message to a viewer: what it needs to put the numbers of this source into words."""
    return _dump(
        {
            "type": "hello",
            "v": VERSION,
            "source": source,
            "labels": list(contract.labels),
            "taxonomy": dict(contract.taxonomy),
            "provider": provider,
            "model": model,
            "thresholds": {"show": contract.thresholds.show, "unknown": contract.thresholds.unknown},
            "input_size": contract.input_size,
            "cam_size": contract.cam_size,
        }
    )


def status(now: LiveStatus, overtaken: int = 0) -> str:
    """How the viewer's source is doing, after hello and whenever its state changes. overtaken: see ``counters``."""
    state = {"state": now.state, "cause": now.cause, "reason": now.reason}
    return _dump({"type": "status", **state, **counters(now, overtaken)})


def notice(text: str, explain: int) -> str:
    """A request that was refused without closing: why, and of which class the viewer wants maps as before."""
    return _dump({"type": "notice", "text": text, "explain": explain})


def pong(t: float) -> str:
    """The answer to a ping: its own number."""
    return _dump({"type": "pong", "t": t})


def parse_viewer_message(text: str, classes: int) -> Ack | Ping | Want | Explain:
    """What a viewer says. classes: how many the model has. Raises WireError; unknown fields are ignored."""
    message = _parse_object("message", text)
    match message.get("type"):
        case "ack":
            _expect("seq", message.get("seq"), _is_count, "an integer from 0")
            return Ack(message["seq"])
        case "ping":
            _expect("t", message.get("t"), _is_number, "a number")
            return Ping(message["t"])
        case "want":
            _expect("picture", message.get("picture"), lambda value: isinstance(value, bool), "true or false")
            return Want(message["picture"])
        case "explain":
            index = message.get("class")
            _expect("class", index, lambda value: _is_class(value, classes), f"an integer from -1 to {classes - 1}")
            return Explain(message["class"])
    raise WireError(f"type: expected ack, ping, want or explain, received {_describe(message.get('type'))}")


def _split(message: bytes) -> tuple[dict[str, Any], int]:
    """The header, and where what follows it begins."""
    if len(message) < _LENGTH_BYTES:
        raise WireError(f"message: truncated, {len(message)} bytes where the header's length takes {_LENGTH_BYTES}")
    length = int.from_bytes(message[:_LENGTH_BYTES], "big")
    available = len(message) - _LENGTH_BYTES
    if length > available:
        raise WireError(f"header: truncated, {length} bytes announced, {available} received")
    body = _LENGTH_BYTES + length
    try:
        text = message[_LENGTH_BYTES:body].decode()
    except UnicodeDecodeError as error:
        raise WireError("header: not UTF-8") from error
    return _parse_object("header", text), body


def _check_version(header: Mapping[str, Any]) -> None:
    if header.get("v") != VERSION:
        raise WireError(f"v: expected version {VERSION}, received {_describe(header.get('v'))}")


def _check_header(header: Mapping[str, Any]) -> None:
    _check_version(header)
    for names, accepts, expected in _FIELDS:
        for name in names:
            _expect(name, header.get(name, _ABSENT), accepts, expected)
    for name, accepts, expected in _LATER_FIELDS:
        if name in header:
            _expect(name, header[name], accepts, expected)


def _expect(name: str, value: object, accepts: Callable[[Any], bool], expected: str) -> None:
    if not accepts(value):
        raise WireError(f"{name}: expected {expected}, received {_describe(value)}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_class(value: Any, classes: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -1 <= value < classes


def _is_number(value: Any) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= 1e300  # a longer one is infinite to a browser
    return isinstance(value, float) and math.isfinite(value)


def _is_clock(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1e15  # 30,000 years: later, a millisecond is lost in rounding


def _is_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_count(side) and side > 0 for side in value)


def _is_cam_size(value: Any) -> bool:
    return _is_size(value) and max(value) <= _MAX_CAM_SIDE


def _is_top(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(score, list) and len(score) == 2 and _is_count(score[0]) and _is_number(score[1]) for score in value
    )


def _is_drops(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_count(count) for count in value.values())


def _is_stable(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and "index" in value
        and (value["index"] is None or _is_count(value["index"]))
        and _is_number(value.get("probability"))
        and _is_number(value.get("since_s"))
    )


_ABSENT = object()
_FIELDS: tuple[tuple[tuple[str, ...], Callable[[Any], bool], str], ...] = (
    (("source", "utc", "utc_source"), _is_text, "text"),
    (("seq", "frame", "explained", "captured", "dropped"), _is_count, "an integer from 0"),
    (("media_s", "age_ms", "unknown", "rate"), _is_number, "a number"),
    (("size",), _is_size, "[height, width] in pixels"),
    (("cam",), _is_cam_size, f"[rows, columns] up to {_MAX_CAM_SIDE}"),
    (("jpeg",), lambda value: value is None or _is_size(value), "[height, width] in pixels, or null"),
    (("top",), _is_top, "a list of [index, probability]"),
    (("stable",), _is_stable, "{index, probability, since_s}"),
)
# Added since the first servers of this version, which do not send them.
_LATER_FIELDS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("drops", _is_drops, "counts by cause"),
    *((name, _is_count, "an integer from 0") for name in ("damaged", "reconnects", "stalls")),
)


def _dump(value: Mapping[str, Any]) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise WireError(f"not JSON: {error}") from error


def _parse_object(name: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # 2,000 brackets in a row exhaust the parser's stack
        raise WireError(f"{name}: not JSON") from error
    if not isinstance(value, dict):
        raise WireError(f"{name}: expected a JSON object, received {_describe(value)}")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")  # Python's parser takes NaN and Infinity, a browser's does not


def _describe(value: object) -> str:
    text = "nothing" if value is None or value is _ABSENT else repr(value)
    return f"{text[:57]}..." if len(text) > 60 else text
