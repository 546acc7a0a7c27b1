"""serving/live.py: real sockets on a real server, several at once, some of them mean."""

from __future__ import annotations

import json
import socket as sockets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from running import WAIT_S, Running, closing, result, running, say, text, turned_away
from websockets.sync.client import ClientConnection, connect

from serving.hub import MAX_IN_FLIGHT
from serving.wire import decode_result


@pytest.fixture(scope="module")
def server(toy_model: Path) -> Iterator[Running]:
    with running(toy_model, max_viewers=8) as started:
        yield started


def test_hello_comes_first_then_status_then_results_in_order(server: Running) -> None:
    with server.watch() as socket:
        hello = text(socket)
        assert hello["type"] == "hello"
        assert (hello["source"], hello["labels"]) == ("scene", ["Fish", "Octopus", "Turtle"])
        assert (hello["provider"], hello["model"]) == ("CPUExecutionProvider", "toy.onnx")
        status = text(socket)
        assert status["type"] == "status"
        assert status["state"] in ("connecting", "live")
        messages = [result(socket) for _ in range(8)]
    seqs = [message.header["seq"] for message in messages]
    assert seqs == sorted(set(seqs))
    for message in messages:
        assert message.header["source"] == "scene"
        assert message.header["cam"] == [2, 2]
        assert message.header["size"] == [540, 960] == message.header["jpeg"]
        assert message.jpeg is not None
        assert message.jpeg[:2] == b"\xff\xd8"
        assert message.header["utc_source"] == "clock"
        assert 0 < message.header["age_ms"] < 1000 * WAIT_S


def test_a_second_viewer_gets_the_same_pictures(server: Running) -> None:
    with server.watch() as first, server.watch() as second:
        seen = {message.header["seq"]: message.jpeg for message in (result(first) for _ in range(5))}
        both = []
        while len(both) < 3:  # in turn, so that each has the chance to get what the other got
            mine, theirs = result(first), result(second)
            seen[mine.header["seq"]] = mine.jpeg
            if theirs.header["seq"] in seen:
                both.append(theirs.jpeg == seen[theirs.header["seq"]])
        assert all(both)


def test_a_viewer_that_never_acknowledges_gets_two_pictures_and_later_the_newest(server: Running) -> None:
    with server.watch() as mean, server.watch() as good:
        held = [result(mean, ack=False).header["seq"] for _ in range(MAX_IN_FLIGHT)]
        while (latest := result(good).header["seq"]) < held[-1] + 10:
            pass
        say(mean, type="ping", t=1.5)
        while (answer := text(mean))["type"] == "status":  # a third picture would fail here
            pass
        assert answer == {"type": "pong", "t": 1.5}
        say(mean, type="ack", seq=held[-1])
        assert result(mean).header["seq"] >= latest


def test_a_viewer_may_do_without_pictures(server: Running) -> None:
    with server.watch() as socket:
        say(socket, type="want", picture=False)
        while (message := result(socket)).jpeg is not None:  # those on the way already
            pass
        assert message.header["jpeg"] is None
        assert message.cam.shape == (2, 2)
        say(socket, type="want", picture=True)
        while (message := result(socket)).jpeg is None:
            pass


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        ("what?", 4400, "message: not JSON"),
        ('{"type":"shout"}', 4400, "type: expected ack, ping, want or explain, received 'shout'"),
        ('{"type":"explain","class":3}', 4400, "class: expected an integer from -1 to 2, received 3"),
        ('{"type":"ack","seq":999999999}', 4400, "seq: 999999999 was never sent to this viewer"),
        (b"\x00\x01", 4400, "message: expected text, received bytes"),
        ("[" * 4000, 4400, "message: not JSON"),
        ("x" * 5000, 1009, None),
        (b"x" * 5000, 1009, None),
        ('{"type":"' + "€" * 1000 + '"}', 4400, None),  # its reason must fit a close frame
    ],
)
def test_who_sends_nonsense_is_closed_with_the_reason_and_the_others_go_on(
    server: Running, message: str | bytes, code: int, reason: str | None
) -> None:
    with server.watch() as good, server.watch() as bad:
        before = result(good).header["seq"]
        bad.send(message)
        got_code, got_reason = closing(bad)
        assert got_code == code
        assert reason is None or got_reason == reason
        assert result(good).header["seq"] > before


def test_an_unknown_source_is_closed_with_4404(server: Running) -> None:
    with server.watch("atlantis") as socket:
        assert closing(socket) == (4404, "there is no source 'atlantis'")


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_a_foreign_page_is_closed_with_1008_and_the_reason(server: Running, origin: str) -> None:
    with server.watch(origin=origin) as socket:
        assert closing(socket) == (1008, f"pages of '{origin}' may not use this server")


def test_a_page_of_the_server_itself_may_watch(server: Running) -> None:
    with server.watch(origin=server.url.rstrip("/")) as socket:
        assert text(socket)["type"] == "hello"


def test_a_foreign_host_name_is_closed_with_1008(server: Running) -> None:
    host, _, port = server.authority.partition(":")
    raw = sockets.create_connection((host, int(port)), timeout=WAIT_S)
    with connect(f"ws://rebound.example:{port}/ws/live/scene", sock=raw, proxy=None) as socket:
        assert closing(socket) == (1008, f"this server does not answer to 'rebound.example:{port}'")


def test_more_viewers_than_allowed_are_asked_to_try_later(toy_model: Path) -> None:
    with running(toy_model, max_viewers=1) as server:
        assert server.http.get("ws/live/scene").json() == {"taken": 0, "most": 1}
        with server.watch() as first:
            assert text(first)["type"] == "hello"
            assert turned_away(server, "ws/live/scene") == (503, "1 are watching, no more can", 10)
            assert server.http.get("ws/live/atlantis").status_code == 404
            result(first)
        server.wait_for("scene", lambda source: source["viewers"] == 0)
        with server.watch() as third:  # the place is free again
            assert text(third)["type"] == "hello"


def test_of_many_that_come_at_once_no_more_are_let_in_than_there_are_places(toy_model: Path) -> None:
    with running(toy_model, max_viewers=3) as server, ExitStack() as stack:
        host, _, port = server.authority.partition(":")
        raws = [stack.enter_context(sockets.create_connection((host, int(port)), timeout=WAIT_S)) for _ in range(12)]
        for raw in raws:  # all of it is under way before the first answer is read
            ask_for_upgrade(raw, server.authority)
        answers = sorted(raw.recv(12) for raw in raws)
        assert answers == [b"HTTP/1.1 101"] * 3 + [b"HTTP/1.1 503"] * 9
        assert server.status()["sources"]["scene"]["viewers"] == 3


def test_a_viewer_that_breaks_off_without_a_word_leaves_its_place(server: Running) -> None:
    host, _, port = server.authority.partition(":")
    raw = sockets.create_connection((host, int(port)), timeout=WAIT_S)
    with connect(f"ws://{server.authority}/ws/live/scene", sock=raw, proxy=None) as socket:
        assert text(socket)["type"] == "hello"
        server.wait_for("scene", lambda source: source["viewers"] == 1)
        raw.shutdown(sockets.SHUT_RDWR)
        server.wait_for("scene", lambda source: source["viewers"] == 0)


def test_pictures_are_encoded_once_for_many_viewers_and_never_for_none(toy_model: Path) -> None:
    with running(toy_model) as server:
        source = server.wait_for("scene", lambda source: source["messages"]["published"] >= 10)
        assert source["messages"]["encoded"] == 0
        with ExitStack() as stack:
            watching = [stack.enter_context(server.watch()) for _ in range(4)]
            for _ in range(5):
                for socket in watching:
                    result(socket)
        messages = server.status()["sources"]["scene"]["messages"]
        assert messages["sent"] >= 20
        # With every viewer on its own this would be one for each message; in step it is one for four.
        assert messages["encoded"] <= messages["sent"] // 2
        assert messages["encode_failures"] == 0


def test_each_viewer_gets_heat_maps_of_the_class_it_chose_and_a_third_class_is_refused(server: Running) -> None:
    with server.watch() as first, server.watch() as second, server.watch() as third:
        for choice, socket in enumerate((first, second)):
            say(socket, type="explain", **{"class": choice})
            while result(socket).header["explained"] != choice:
                pass
        say(third, type="explain", **{"class": 2})
        while (answer := text_only(third))["type"] != "notice":
            pass
        assert answer["explain"] == -1
        assert [result(socket).header["explained"] for socket in (first, second)] == [0, 1]
        header = result(third).header
        assert header["explained"] == header["top"][0][0]


def text_only(socket: ClientConnection) -> dict[str, Any]:
    """The next text; results before it are acknowledged and passed over."""
    while not isinstance(message := socket.recv(timeout=WAIT_S), str):
        say(socket, type="ack", seq=decode_result(message).header["seq"])
    decoded: dict[str, Any] = json.loads(message)
    return decoded


def test_three_slow_viewers_of_ten_cost_the_other_seven_nothing_and_skip_to_the_newest(toy_model: Path) -> None:
    """One answers every twentieth result of the others, one never acknowledges, one never reads its socket."""
    with running(toy_model) as server, ExitStack() as stack:
        host, _, port = server.authority.partition(":")
        raw = stack.enter_context(sockets.create_connection((host, int(port)), timeout=WAIT_S))
        shake_hands(raw, server.authority)  # and reads nothing from now on
        late = stack.enter_context(server.watch())
        silent = stack.enter_context(server.watch())
        quick = [stack.enter_context(server.watch()) for _ in range(7)]
        server.wait_for("scene", lambda source: source["viewers"] == 10)
        unheard = [result(silent, ack=False).header["seq"] for _ in range(MAX_IN_FLIGHT)]
        held = [result(late, ack=False).header["seq"] for _ in range(MAX_IN_FLIGHT)]
        seqs: list[list[int]] = [[] for _ in quick]
        late_gaps = []
        for turn in range(80):
            for seen, socket in zip(seqs, quick, strict=True):
                seen.append(result(socket).header["seq"])
            if turn % 20 == 19:
                before = server.status()["sources"]["scene"]["messages"]["published"]
                say(late, type="ack", seq=held[-1])
                first, held = held, [result(late, ack=False).header["seq"] for _ in range(MAX_IN_FLIGHT)]
                late_gaps.append(held[0] - first[-1])
                assert held[0] >= before - 1, "an older result was kept for it"
        for seen in seqs:
            assert seen == sorted(set(seen))
            assert seen[79] - seen[39] <= 2 * (seen[40] - seen[0]), "it falls behind"
        assert min(late_gaps) > 1
        newest = max(seen[-1] for seen in seqs)
        assert all(newest - seen[-1] <= 8 for seen in seqs), "one of the seven is behind the others"
        # Nothing came to the silent one but what was under way, and nothing waits for it: it skips to the newest.
        with pytest.raises(TimeoutError):
            silent.recv(timeout=0)
        say(silent, type="ack", seq=unheard[-1])
        assert result(silent).header["seq"] >= newest
        messages = server.status()["sources"]["scene"]["messages"]
        assert messages["encoded"] <= messages["published"]


def shake_hands(raw: sockets.socket, authority: str) -> None:
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    ask_for_upgrade(raw, authority)
    assert raw.recv(12) == b"HTTP/1.1 101"


def ask_for_upgrade(raw: sockets.socket, authority: str) -> None:
    raw.sendall(
        f"GET /ws/live/scene HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
