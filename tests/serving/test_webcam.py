"""serving/webcam.py: pages with their own camera on a real server, some of them mean."""

from __future__ import annotations

import json
import socket as sockets
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import cv2
import numpy as np
import pytest
from running import WAIT_S, Running, closing, result, running, say, text, turned_away
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from serving import wire


def jpeg(channel: int = 0, height: int = 48, width: int = 64, *options: int) -> bytes:
    """A picture in one colour: 0 red (the toy model's Fish), 1 green (Octopus), 2 blue (Turtle)."""
    bgr = np.full((height, width, 3), 20, np.uint8)
    bgr[..., 2 - channel] = 240
    return cv2.imencode(".jpg", bgr, list(options))[1].tobytes()


@pytest.fixture(scope="module")
def server(toy_model: Path) -> Iterator[Running]:
    with running(toy_model, max_viewers=8) as started:
        yield started


@contextmanager
def film(server: Running, *, greeted: bool = True, **options: Any) -> Iterator[ClientConnection]:
    with connect(f"ws://{server.authority}/ws/webcam", open_timeout=WAIT_S, max_size=None, **options) as socket:
        if greeted:
            assert text(socket)["type"] == "hello"
        yield socket


def send(socket: ClientConnection, seq: int, t: float | None = None, data: bytes | None = None) -> None:
    socket.send(wire.encode_camera_frame(seq, 100.0 * seq if t is None else t, jpeg() if data is None else data))


def answer(socket: ClientConnection) -> wire.ResultMessage:
    """The next result; the word that it is live is passed over, anything else is not."""
    while isinstance(message := socket.recv(timeout=WAIT_S), str):
        assert json.loads(message)["type"] == "status", message
    return wire.decode_result(message)


def wait_for_cameras(server: Running, number: int) -> None:
    deadline_s = monotonic() + WAIT_S
    while server.status()["cameras"] != number:
        assert monotonic() < deadline_s


def camera_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(f"capture-{wire.CAMERA}")]


def test_a_picture_is_answered_with_its_own_number_and_clock_and_without_a_picture(server: Running) -> None:
    with film(server, greeted=False) as socket:
        hello = text(socket)
        assert (hello["type"], hello["source"], hello["labels"]) == ("hello", "~camera", ["Fish", "Octopus", "Turtle"])
        assert hello["input_size"] == 32
        for seq, channel in ((7, 0), (8, 1), (20, 2)):
            send(socket, seq, 1234.5 + seq, jpeg(channel))
            message = answer(socket)
            header = message.header
            assert (header["seq"], header["t"]) == (seq, 1234.5 + seq)
            assert (header["source"], header["jpeg"], header["size"]) == ("~camera", None, [48, 64])
            assert header["top"][0][0] == channel == header["explained"]
            assert message.jpeg is None
            assert message.cam.min() > 100  # all of it is of that colour
            assert 0 < header["age_ms"] < 1000 * WAIT_S
    assert [header["frame"], header["captured"], header["dropped"]] == [2, 3, 0]
    assert header["media_s"] == pytest.approx(0.013)  # the page's clock, from its first picture on


def test_the_stable_label_follows_the_clock_of_the_page_and_nobody_elses_pictures(server: Running) -> None:
    with film(server) as red, film(server) as blue:
        for seq in range(4):
            for socket, channel in ((red, 0), (blue, 2)):
                send(socket, seq, 1000.0 * seq, jpeg(channel))
                stable = answer(socket).header["stable"]
                assert (stable["index"], stable["since_s"]) == (channel, 0.0)


def test_the_credits_come_back_with_every_answer_and_an_overtaken_picture_is_told(server: Running) -> None:
    with film(server) as socket:
        sent, open_seqs, skipped, seen = 0, set(), [], []
        while len(seen) < 25:
            while len(open_seqs) < 2:
                send(socket, sent)
                open_seqs.add(sent)
                sent += 1
            message = socket.recv(timeout=WAIT_S)
            if isinstance(message, str):
                told = json.loads(message)
                if told["type"] == "skipped":
                    skipped.append(told["seq"])
                    open_seqs.remove(told["seq"])
                continue
            header = wire.decode_result(message).header
            assert header["dropped"] == len(skipped)
            seen.append(header["seq"])
            open_seqs.remove(header["seq"])
    assert seen == sorted(seen)
    assert not set(seen) & set(skipped)
    assert set(range(max(seen))) == {*seen, *skipped} - {max(seen)}


def test_a_class_can_be_chosen_to_be_explained(server: Running) -> None:
    with film(server) as socket:
        say(socket, **{"type": "explain", "class": 2})
        for seq in range(50):
            send(socket, seq)
            message = answer(socket)
            if message.header["explained"] == 2:
                break
        assert message.header["top"][0][0] == 0
        assert message.header["explained"] == 2
        assert message.cam.max() == 0  # nothing in a red picture speaks for blue


def test_a_ping_is_answered_between_pictures(server: Running) -> None:
    with film(server) as socket:
        say(socket, type="ping", t=1.5)
        assert text(socket) == {"type": "pong", "t": 1.5}


def test_a_camera_is_nobody_elses_source(server: Running) -> None:
    with film(server) as socket:
        send(socket, 0)
        answer(socket)
        assert [source["name"] for source in server.http.get("api/sources").json()] == ["scene"]
        assert list(server.status()["sources"]) == ["scene"]
        for name in ("~camera", "~camera-1"):
            with server.watch(name) as curious:
                assert closing(curious)[0] == 4404


HEADER = b'{"v":1,"seq":0,"t":0}'
GOOD = jpeg()
SIZE_AT = GOOD.index(b"\xff\xc0") + 5


def message(header: bytes, data: bytes = GOOD) -> bytes:
    return len(header).to_bytes(4, "big") + header + data


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (b"", 4400, "message: truncated, 0 bytes"),
        (b"\xff\xff\xff\xff" + GOOD, 4400, "header: truncated"),
        (message(b"\xff\xfe"), 4400, "header: not UTF-8"),
        (message(b"{,"), 4400, "header: not JSON"),
        (message(b"[" * 5000), 4400, "header: not JSON"),
        (message(b'{"v":2,"seq":0,"t":0}'), 4400, "v: expected version 1, received 2"),
        (message(b'{"v":1,"seq":-1,"t":0}'), 4400, "seq: expected an integer from 0, received -1"),
        (message(b'{"v":1,"seq":0}'), 4400, "t: expected milliseconds"),
        (message(b'{"v":1,"seq":0,"t":-1}'), 4400, "t: expected milliseconds"),
        (message(b'{"v":1,"seq":0,"t":1e999}'), 4400, "t: expected milliseconds"),
        (message(HEADER, b""), 4400, "jpeg: not a JPEG"),
        (message(HEADER, cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()), 4400, "jpeg: not a JPEG"),
        (message(HEADER, GOOD[:-100]), 4400, "jpeg: breaks off before its end"),
        (message(HEADER, jpeg(0, 48, 64, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)), 4400, "jpeg: only sequential"),
        (
            message(HEADER, GOOD[:SIZE_AT] + b"\xff\xff\xff\xff" + GOOD[SIZE_AT + 4 :]),
            4400,
            "jpeg: 65535 x 65535 pixels are more than the 4096 a side that are taken",
        ),
        (message(HEADER, GOOD[:-2] + bytes(1 << 20) + GOOD[-2:]), 4400, "jpeg: "),
        (bytes(wire.MAX_MESSAGE_BYTES + 1), 1009, f"message: at most {wire.MAX_MESSAGE_BYTES} bytes are taken"),
        (bytes(wire.CUT_OFF_BYTES), 1009, f"message: at most {wire.MAX_MESSAGE_BYTES} bytes are taken"),
        ("x" * 5000, 1009, "message: at most 4096 bytes are taken"),
        ("hello", 4400, "message: not JSON"),
        ('{"type":"frame"}', 4400, "type: expected"),
    ],
)
def test_who_sends_nonsense_is_closed_with_the_reason_and_the_others_go_on(
    server: Running, data: str | bytes, code: int, reason: str
) -> None:
    with film(server) as good, film(server) as bad, server.watch() as viewer:
        bad.send(data)
        got_code, got_reason = closing(bad)
        assert got_code == code
        assert got_reason.startswith(reason)
        send(good, 0)
        answer(good)
        result(viewer)


def test_what_is_far_too_big_is_cut_off_and_the_others_go_on(server: Running) -> None:
    with film(server) as good, film(server) as bad:
        # The server stops reading: whether the close frame or the reset arrives first is up to TCP.
        with suppress(ConnectionClosed):
            bad.send(bytes(32 * wire.CUT_OFF_BYTES))
        wait_for_cameras(server, 1)
        send(good, 0)
        answer(good)


def test_a_jpeg_that_only_looks_like_one_closes_after_the_answer_to_the_one_before(server: Running) -> None:
    # A good header with a table of a precision that does not exist: found by the decoder alone.
    at = GOOD.index(b"\xff\xdb") + 4
    with film(server) as socket:
        send(socket, 0)
        send(socket, 1, data=GOOD[:at] + b"\x7f" + GOOD[at + 1 :])
        assert closing(socket) == (4400, "jpeg: the picture cannot be decoded")
    wait_for_cameras(server, 0)


@pytest.mark.parametrize(
    ("pictures", "reason"),
    [
        ([(0, 0.0), (0, 1.0)], "seq: expected more than 0, received 0"),
        ([(5, 0.0), (4, 1.0)], "seq: expected more than 5, received 4"),
        ([(0, 9.0), (1, 8.5)], "t: the clock went back, from 9.0 to 8.5"),
    ],
)
def test_numbers_and_clock_only_rise(server: Running, pictures: list[tuple[int, float]], reason: str) -> None:
    with film(server) as socket:
        for seq, t in pictures:
            send(socket, seq, t)
        assert closing(socket) == (4400, reason)


def test_a_third_picture_before_an_answer_is_closed(server: Running) -> None:
    big = jpeg(0, 2000, 2000)  # takes longer to decode than three messages to arrive
    with film(server) as socket:
        for seq in range(3):
            send(socket, seq, data=big)
        assert closing(socket) == (4400, "seq: 2 came before one of the 2 before it was answered")


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_a_foreign_page_is_closed_with_1008_and_the_reason(server: Running, origin: str) -> None:
    with film(server, greeted=False, origin=origin) as socket:
        assert closing(socket) == (1008, f"pages of '{origin}' may not use this server")


def test_a_camera_takes_a_viewers_place(toy_model: Path) -> None:
    with running(toy_model, max_viewers=1) as server:
        with film(server):
            assert turned_away(server, "ws/live/scene")[:2] == (503, "1 are watching, no more can")
            assert turned_away(server, "ws/webcam")[0] == 503
        wait_for_cameras(server, 0)
        with server.watch() as viewer:
            assert text(viewer)["type"] == "hello"
            assert turned_away(server, "ws/webcam") == (503, "1 are watching, no more can", 10)


def test_only_so_many_cameras_are_taken_and_viewers_are_not_meant(toy_model: Path) -> None:
    with running(toy_model, max_webcams=1) as server, film(server):
        assert turned_away(server, "ws/webcam") == (503, "1 cameras are connected, no more can", 10)
        with server.watch() as viewer:
            assert text(viewer)["type"] == "hello"


def test_a_server_may_take_no_cameras(toy_model: Path) -> None:
    with running(toy_model, max_webcams=0) as server, film(server, greeted=False) as refused:
        assert closing(refused) == (1008, "this server takes no cameras of pages")


def test_twenty_cameras_that_come_and_go_leave_no_thread_behind(server: Running) -> None:
    wait_for_cameras(server, 0)
    host, _, port = server.authority.partition(":")
    for turn in range(20):
        raw = sockets.create_connection((host, int(port)), timeout=WAIT_S)
        with connect(f"ws://{server.authority}/ws/webcam", sock=raw, proxy=None) as socket:
            assert text(socket)["type"] == "hello"
            if turn % 4 != 3:
                send(socket, 0)
            if turn % 4 == 0:
                answer(socket)  # else it leaves with a picture under way
            if turn % 4 == 2:
                raw.shutdown(sockets.SHUT_RDWR)  # without a word
        wait_for_cameras(server, 0)
    for thread in camera_threads():
        thread.join(WAIT_S)
    assert camera_threads() == []


def test_stopping_with_cameras_tells_them_and_takes_less_than_three_seconds(toy_model: Path) -> None:
    with running(toy_model) as server, ExitStack() as stack:
        filming = [stack.enter_context(film(server)) for _ in range(3)]
        send(filming[0], 0)
        assert server.stop() < 3.0
        for socket in filming:
            assert closing(socket) == (1001, "the server is going away")
        assert camera_threads() == []
