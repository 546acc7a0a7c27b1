"""serving/wire.py: bytes there and back, the shared vectors, and what viewers may say."""

from __future__ import annotations

import base64
import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from toy_onnx import toy_contract

from realtime.frames import FrameResult, StableLabel
from realtime.live import LiveStatus
from serving import wire

VECTORS = Path(__file__).parents[1] / "vectors"
CASES = json.loads((VECTORS / "wire.json").read_text(encoding="utf-8"))


@st.composite
def results(draw: st.DrawFn) -> FrameResult:
    classes = draw(st.integers(2, 30))
    probabilities = draw(arrays(np.float32, classes, elements=st.floats(0, 1, width=32)))
    sides = st.integers(1, 32)
    return FrameResult(
        source=draw(st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable())),
        index=draw(st.integers(0, 2**40)),
        media_s=draw(st.floats(0, 1e6)),
        utc=draw(st.none() | st.integers(0, 2**32).map(lambda second: datetime.fromtimestamp(second, UTC))),
        utc_source=draw(st.sampled_from(["", "clock", "container", "start"])),
        captured_s=None,
        size_hw=draw(st.tuples(st.integers(1, 9000), st.integers(1, 9000))),
        probabilities=probabilities,
        unknown=draw(st.floats(-10, 10)),
        cam=draw(arrays(np.uint8, st.tuples(sides, sides))),
        explained=draw(st.integers(0, classes - 1)),
        stable=StableLabel(
            draw(st.none() | st.integers(0, classes - 1)), draw(st.floats(0, 1)), draw(st.floats(0, 1e6))
        ),
    )


STATUS = LiveStatus(
    state="stalled",
    reason="no new picture comes",
    cause="silent",
    captured=40,
    dropped=12,
    late=3,
    rate=9.5,
    damaged=4,
    reconnects=2,
    stalls=5,
)


def header_of(result: FrameResult, jpeg: bytes | None = None, **changes: Any) -> dict[str, Any]:
    header = wire.result_header(result, STATUS, seq=3, age_ms=12.3, jpeg_hw=(6, 8) if jpeg else None, overtaken=1)
    return {**header, **changes}


def a_result() -> FrameResult:
    cam = np.arange(4, dtype=np.uint8).reshape(2, 2)
    scores = np.array([0.1, 0.6, 0.3], np.float32)
    return FrameResult("reef", 7, 0.28, None, "", None, (6, 8), scores, 0.4, cam, 1, StableLabel(1, 0.6, 0.0))


@given(results(), st.none() | st.binary(min_size=1, max_size=200))
def test_what_is_encoded_is_decoded_unchanged(result: FrameResult, jpeg: bytes | None) -> None:
    header = header_of(result, jpeg)
    message = wire.decode_result(wire.encode_result(header, result.cam, jpeg))
    assert message.header == header
    assert np.array_equal(message.cam, result.cam)
    assert message.cam.dtype == np.uint8
    assert message.jpeg == jpeg


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused_with_a_wire_error(garbage: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode_result(garbage)


@given(results(), st.data())
def test_a_message_cut_anywhere_is_refused(result: FrameResult, data: st.DataObject) -> None:
    message = wire.encode_result(header_of(result, b"jpeg"), result.cam, b"jpeg")
    end = data.draw(st.integers(0, len(message) - len(b"jpeg")))
    with pytest.raises(wire.WireError):
        wire.decode_result(message[:end])


@pytest.mark.parametrize("case", [c for c in CASES if "error" not in c], ids=lambda case: case["name"])
def test_a_good_vector_is_decoded_and_encoded_to_the_same_bytes(case: dict[str, Any]) -> None:
    raw = base64.b64decode(case["message_base64"])
    message = wire.decode_result(raw)
    assert message.header == case["header"]
    assert message.cam.flatten().tolist() == case["cam"]
    assert (message.jpeg or b"") == base64.b64decode(case["jpeg_base64"])
    assert wire.encode_result(message.header, message.cam, message.jpeg) == raw


@pytest.mark.parametrize("case", [c for c in CASES if "error" in c], ids=lambda case: case["name"])
def test_a_malformed_vector_is_refused_with_its_reason(case: dict[str, Any]) -> None:
    with pytest.raises(wire.WireError) as caught:
        wire.decode_result(base64.b64decode(case["message_base64"]))
    assert case["error"] in str(caught.value)


def test_the_vectors_are_what_their_script_writes() -> None:
    spec = importlib.util.spec_from_file_location("make_wire", VECTORS / "make_wire.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.text() == (VECTORS / "wire.json").read_text(encoding="utf-8")


def test_a_header_carries_the_five_most_probable_classes_in_order() -> None:
    scores = np.array([0.05, 0.3, 0.1, 0.3, 0.02, 0.2, 0.03], np.float32)
    result = FrameResult(
        "reef", 0, 0.0, None, "", None, (6, 8), scores, 0.7, np.zeros((2, 2), np.uint8), 1, StableLabel(None, 0.3, 0.0)
    )
    assert [index for index, _ in header_of(result)["top"]] == [1, 3, 5, 2, 0]
    assert "empty" not in header_of(result)["stable"]


def test_nothing_there_is_told_beside_no_label() -> None:
    cam, stable = np.zeros((2, 2), np.uint8), StableLabel(None, 0.9, 0.0, empty=True)
    result = FrameResult("reef", 0, 0.0, None, "", None, (6, 8), np.array([0.1, 0.9], np.float32), 0.1, cam, 1, stable)
    header = wire.decode_result(wire.encode_result(header_of(result), cam, None)).header
    assert header["stable"] == {"index": None, "probability": 0.9, "since_s": 0.0, "empty": True}


@pytest.mark.parametrize(
    ("changes", "cam", "jpeg", "named"),
    [
        ({"cam": [3, 3]}, np.zeros((2, 2), np.uint8), None, "cam"),
        ({}, np.zeros((2, 2), np.float32), None, "cam"),
        ({"jpeg": [6, 8]}, np.zeros((2, 2), np.uint8), None, "jpeg"),
        ({}, np.zeros((2, 2), np.uint8), b"x", "jpeg"),
        ({"jpeg": [6, 8]}, np.zeros((2, 2), np.uint8), b"", "jpeg"),
        ({"rate": float("nan")}, np.zeros((2, 2), np.uint8), None, "rate"),
        ({"v": 2}, np.zeros((2, 2), np.uint8), None, "v"),
    ],
)
def test_a_header_that_contradicts_its_body_is_not_sent(
    changes: dict[str, Any], cam: np.ndarray, jpeg: bytes | None, named: str
) -> None:
    with pytest.raises(wire.WireError, match=f"^{named}:"):
        wire.encode_result(header_of(a_result(), **changes), cam, jpeg)


def test_drops_are_told_by_cause_and_what_was_counted_travels_with_results_and_statuses() -> None:
    counted = {
        "captured": 40,
        "dropped": 12,
        "drops": {"engine": 9, "capture": 3, "delivery": 1},
        "damaged": 4,
        "reconnects": 2,
        "stalls": 5,
    }
    header = header_of(a_result())
    assert {name: header[name] for name in counted} == counted
    told = json.loads(wire.status(STATUS, 1))
    assert told == {
        "type": "status",
        "state": "stalled",
        "cause": "silent",
        "reason": "no new picture comes",
        **counted,
    }
    assert told == json.loads((VECTORS / "texts.json").read_text(encoding="utf-8"))["status"]


@pytest.mark.parametrize("changes", [{"drops": {"engine": -1}}, {"drops": []}, {"damaged": 0.5}, {"stalls": None}])
def test_a_count_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(wire.WireError, match=f"^{next(iter(changes))}:"):
        wire.encode_result(header_of(a_result(), **changes), a_result().cam, None)


def test_a_server_that_does_not_count_them_yet_is_understood() -> None:
    later = ("drops", "damaged", "reconnects", "stalls")
    header = {name: value for name, value in header_of(a_result()).items() if name not in later}
    assert wire.decode_result(wire.encode_result(header, a_result().cam, None)).header == header


def test_hello_says_what_the_contract_says() -> None:
    contract = toy_contract(taxonomy={"Fish": "Actinopterygii"})
    message = json.loads(wire.hello("reef", contract, "CPUExecutionProvider", "toy.onnx"))
    assert message == {
        "type": "hello",
        "v": 1,
        "source": "reef",
        "labels": ["Fish", "Octopus", "Turtle"],
        "taxonomy": {"Fish": "Actinopterygii"},
        "provider": "CPUExecutionProvider",
        "model": "toy.onnx",
        "thresholds": {"show": 0.5, "unknown": 0.6},
        "input_size": 32,
        "cam_size": 2,
    }


def test_the_shared_examples_of_texts_are_what_is_said_and_understood() -> None:
    texts = json.loads((VECTORS / "texts.json").read_text(encoding="utf-8"))
    understood = [wire.parse_viewer_message(json.dumps(text), 3) for text in texts["explain"]]
    assert understood == [wire.Explain(2), wire.Explain(-1)]
    assert json.loads(wire.notice(texts["notice"]["text"], texts["notice"]["explain"])) == texts["notice"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type":"ack","seq":17}', wire.Ack(17)),
        ('{"type":"ping","t":12.5}', wire.Ping(12.5)),
        ('{"type":"want","picture":false}', wire.Want(False)),
        ('{"type":"want","picture":true,"later":1}', wire.Want(True)),
        ('{"type":"explain","class":2}', wire.Explain(2)),
        ('{"type":"explain","class":-1}', wire.Explain(-1)),
    ],
)
def test_what_a_viewer_says_is_understood(text: str, message: object) -> None:
    assert wire.parse_viewer_message(text, 3) == message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("hello", "not JSON"),
        ("[" * 4000, "not JSON"),
        ('{"type":"ping","t":NaN}', "not JSON"),
        ("[]", "expected a JSON object"),
        ("{}", "type: expected ack, ping, want or explain"),
        ('{"type":["ack"]}', "type: expected"),
        ('{"type":"ack"}', "seq: expected"),
        ('{"type":"ack","seq":-1}', "seq: expected"),
        ('{"type":"ack","seq":1.5}', "seq: expected"),
        ('{"type":"ack","seq":true}', "seq: expected"),
        ('{"type":"ping","t":"now"}', "t: expected"),
        ('{"type":"ping","t":1e999}', "t: expected"),
        ('{"type":"ping","t":' + "9" * 400 + "}", "t: expected"),
        ('{"type":"want","picture":1}', "picture: expected"),
        ('{"type":"explain"}', "class: expected an integer from -1 to 2, received nothing"),
        ('{"type":"explain","class":3}', "class: expected an integer from -1 to 2, received 3"),
        ('{"type":"explain","class":-2}', "class: expected"),
        ('{"type":"explain","class":1.0}', "class: expected"),
        ('{"type":"explain","class":true}', "class: expected"),
        ('{"type":"explain","class":"Fish"}', "class: expected"),
    ],
)
def test_what_a_viewer_may_not_say_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(wire.WireError) as caught:
        wire.parse_viewer_message(text, 3)
    assert reason in str(caught.value)


@given(st.text(max_size=200))
def test_any_text_is_understood_or_refused_with_a_wire_error(text: str) -> None:
    with pytest.raises(wire.WireError):
        wire.parse_viewer_message(text, 3)
