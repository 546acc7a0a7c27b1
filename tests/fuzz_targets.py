"""Every parser of ours as a function of bytes: what it may raise is caught, anything else is a bug.

A target has seeds (what is right, and what once was a bug), tokens that its language is made of, and a reader that is
fast: files lie in one folder, in memory where there is such a place. Where there is a bound, the reader asserts it.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import math
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import uvicorn
from fastapi import WebSocket
from frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, frame, request
from PIL import Image
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from toy_onnx import toy_contract
from uvicorn.server import ServerState

from cli.app import app as commands
from cli.settings import check_environment, read_settings
from dives.corrections import NAME as CORRECTIONS
from dives.corrections import SightingKey, Verdict, add_correction, read_corrections
from dives.divelog import DiveLog
from dives.journal import Journal, record_dtype
from dives.library import clean_title, read_facts
from dives.matching import corrected, read_keys
from dives.naming import SUFFIXES, title_of, video_name
from dives.probe import read_probe
from dives.run_record import read_run
from dives.sighting_rows import COLUMNS, read_rows
from dives.track import read_index, write_track
from realtime.addresses import check_camera, is_camera, redact, usb_device
from realtime.contract import ModelContract
from realtime.decode import UndecodableError, decode
from realtime.errors import ContractError, DataError, DiveLogError, LibraryError, ResultsError, SettingsError
from realtime.gpmf import moment_of
from realtime.jpeg import MAX_JPEG_SIDE, jpeg_size
from realtime.labels import class_key, label_key, means_no_animal
from realtime.mpegts import torn
from realtime.sources import _container_utc, natural_order
from serving import wire
from serving.access import parse_authority, public_origin, refusal
from serving.answers import has_it, takes_gzip
from serving.attempts import Attempts
from serving.bodies import Bodies
from serving.connections import MOST_FRAGMENTS, PROTOCOLS, Http, Socket
from serving.dives import Again, Rename, Said
from serving.files import send_file
from serving.guard import Guard
from serving.roles import Role
from serving.session import Credentials
from serving.sockets import converse
from serving.tokens import Tokens
from serving.uploads import NewUpload
from training.photographs import _groups

JSON = (
    '{"',
    '":',
    '"',
    ",",
    "}",
    "[",
    "]",
    "null",
    "true",
    "1e999",
    "NaN",
    "-1",
    "9" * 400,
    "\\ud800",
    "\\u0000",
    "[" * 900,
)
CSV = (",", ";", "\t", "\n", "\r\n", '"', "\0", "nan", "1e400", "-1", "9" * 5000, "2026-05-01T09:30:00Z")
MOMENTS = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-05-01", "T", "Z", "+00:00", "99")


@dataclass(frozen=True, slots=True)
class Target:
    """read: takes any bytes, raises nothing. slow: how many times fewer examples than usual it gets."""

    read: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    tokens: tuple[bytes, ...] = ()
    slow: int = 1


def targets(folder: Path) -> dict[str, Target]:
    """All of them; ``folder`` is theirs."""
    found: dict[str, Target] = {}

    def add(
        name: str,
        read: Callable[[bytes], object],
        refuses: type[Exception] | tuple[type[Exception], ...],
        *seeds: bytes | str,
        tokens: tuple[str | bytes, ...] = (),
        slow: int = 1,
    ) -> None:
        def reader(data: bytes) -> None:
            try:
                read(data)
            except refuses as error:
                if not str(error):
                    raise AssertionError("an error without a word") from error

        found[name] = Target(reader, tuple(map(_data, seeds)), tuple(map(_data, tokens)), slow)

    _messages(add)
    _requests(add, folder)
    _connections(add)
    _models_and_media(add, folder)
    _logs(add, folder)
    _results(add, folder)
    _settings(add, folder)
    return found


NOTHING: tuple[type[Exception], ...] = ()
Add = Callable[..., None]


def _messages(add: Add) -> None:
    header = {
        **{"v": 1, "source": "reef", "seq": 1, "frame": 1, "media_s": 0.04, "utc": "", "utc_source": "", "age_ms": 5},
        **{"size": [48, 64], "jpeg": None, "cam": [2, 2], "explained": 0, "top": [[0, 0.9]], "unknown": 0.1},
        **{"stable": {"index": None, "probability": 0, "since_s": 0}, "rate": 9, "captured": 1, "dropped": 0},
    }
    add("wire result", wire.decode_result, wire.WireError, wire.encode_result(header, np.zeros((2, 2), np.uint8), None))
    jpeg = _jpeg()
    frame = wire.encode_camera_frame(1, 2.0, jpeg)
    add("wire camera", wire.decode_camera_frame, wire.WireError, frame, tokens=(*JSON, "\xff\xd8"))
    said = ('{"type":"ack","seq":1}', '{"type":"ping","t":1}', '{"type":"want","picture":true}')
    add(
        "wire viewer",
        lambda data: wire.parse_viewer_message(_text(data), 3),
        wire.WireError,
        *said,
        '{"type":"explain","class":-1}',
        tokens=JSON,
    )

    def size(data: bytes) -> None:
        assert all(0 < side <= MAX_JPEG_SIDE for side in jpeg_size(data))

    add("jpeg header", size, ValueError, jpeg, tokens=(b"\xff\xda", b"\xff\xc0", b"\xff\xff", b"\xff\xd9"))


def _requests(add: Add, folder: Path) -> None:
    def body(model: type[BaseModel], use: Callable[[Any], object]) -> Callable[[bytes], None]:
        def read(data: bytes) -> None:
            use(model.model_validate_json(data))

        return read

    def upload(wanted: NewUpload) -> None:
        name = video_name(wanted.name)
        assert Path(name).name == name
        assert name.rpartition(".")[2] in {*SUFFIXES, "video"}
        assert title_of(wanted.name).isprintable()
        json.dumps([wanted.modified_ms, wanted.every_s, title_of(wanted.name)], ensure_ascii=False).encode()

    new = '{"name":"GX010042.MP4","size":1,"modified_ms":2,"every_s":0.5}'
    names = ("..", "/", "\\\\", "con", "\\u202e", ".mp4")
    add("body of an upload", body(NewUpload, upload), ValidationError, new, tokens=(*JSON, *names))
    add("body of a title", body(Rename, lambda new: clean_title(new.title).encode()), ValidationError, '{"title":"a"}')
    add("body of a job", body(Again, str), ValidationError, '{"what":"copy","anew":true}', tokens=JSON)
    tokens = Tokens("operate-operate-1", "view-view-view-1")

    def log_in(given: Credentials) -> None:
        assert tokens.role_of(given.token) is Role.NOBODY

    add("body of a log-in", body(Credentials, log_in), ValidationError, '{"token":"abc"}', tokens=JSON)
    said = folder / "said"
    said.mkdir()
    key = SightingKey("a.mp4", "Fish", 3, 0.0, 1.0, 0.5)

    def correct(word: Said) -> None:
        (said / CORRECTIONS).unlink(missing_ok=True)
        if word.verdict == "undo":
            return
        with suppress(ValueError), mock.patch("os.fsync"):
            add_correction(said, key, Verdict(word.verdict), word.truth, by=word.by)
            assert len(read_corrections(said)) == 1

    add(
        "body of a correction",
        body(Said, correct),
        ValidationError,
        '{"number":0,"peak_frame":3,"label":"Fish","verdict":"wrong","truth":"Cod","by":"me"}',
        tokens=JSON,
        slow=4,
    )

    def host(data: bytes) -> None:
        text = data.decode("latin-1")
        parse_authority(text, 80)
        refusal(Headers(raw=[(b"host", data), (b"origin", b"http://" + data)]), "http", "0.0.0.0", 8000, "POST")
        foreign = Headers(raw=[(b"host", b"localhost:8000"), (b"origin", data)])
        if refusal(foreign, "http", "127.0.0.1", 8000, "POST") is None:
            assert b"localhost" in data.lower()

    marks = ("http://", "https://", ":", "[", "]", "::1", "@", "%", "\x00", "127.0.0.1", "localhost:8000", "99999")
    add("host and origin", host, NOTHING, "localhost:8000", "http://localhost:8000", "[::1]:80", tokens=marks)
    add(
        "public origin",
        lambda data: public_origin(_text(data)),
        SettingsError,
        "https://reef.example.org",
        tokens=marks,
    )

    def who(data: bytes) -> None:
        guard = Guard(tokens, attempts=Attempts(clock=lambda: 0.0), clock=lambda: 0.0)
        for name in (b"authorization", b"cookie"):
            headers = [(name, data), (b"host", b"localhost")]
            scope = {"headers": headers, "scheme": "http", "client": ("10.0.0.1", 1)}
            assert guard.who(scope).role is Role.NOBODY

    cookie = "reeflens-80=view.9999999999." + "0" * 64
    add("token and cookie", who, NOTHING, "Bearer abcdefghabcdefgh", cookie, tokens=(";", "=", ".", "Bearer ", '"'))
    add("etag", lambda data: has_it(data.decode("latin-1"), '"x"'), NOTHING, 'W/"x", "y"', tokens=(",", '"', "W/"))
    encodings = ("gzip", ";q=", "0", ",", "*", ".")
    add("encoding", lambda data: takes_gzip(data.decode("latin-1")), NOTHING, "gzip;q=0.5, br", tokens=encodings)

    loop = asyncio.new_event_loop()
    video = folder / "range.mp4"
    video.write_bytes(bytes(1000))

    def part(data: bytes) -> None:
        headers = [(b"range", data), (b"if-range", data[:20])][: 1 + len(data) % 2]
        scope = {"type": "http", "method": "HEAD", "headers": headers, "path": "/", "query_string": b""}
        statuses = []

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        answer = send_file(video, "video/mp4", Request(scope))
        loop.run_until_complete(answer(scope, None, send))  # type: ignore[arg-type]
        assert statuses in ([200], [206], [400], [416])

    ranges = ("bytes=", "-", ",", "0", "999", "9" * 30, "9" * 5000, " ")
    add("range", part, NOTHING, "bytes=0-99", "bytes=-5", "bytes=0-1,5-9", tokens=ranges, slow=2)

    def length(data: bytes) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            pass

        async def send(message: Any) -> None:
            pass

        scope = {"type": "http", "method": "POST", "path": "/api/session", "headers": [(b"content-length", data)]}
        loop.run_until_complete(Bodies(app)(scope, None, send))  # type: ignore[arg-type]

    add("content length", length, NOTHING, "100", "999999999", "9" * 5000, tokens=("-", "+", "0", "9" * 5000))


class Wire:
    """A transport without a network: what is written is thrown away, up to where a client would be cut off."""

    def __init__(self) -> None:
        self.closed = False
        self.protocol: Any = None

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 9) if name in ("peername", "sockname") else default

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def get_protocol(self) -> Any:
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol


def _connections(add: Add) -> None:
    """Bytes as they come from the network, through uvicorn's protocols and ours, to the routes' end of a websocket."""
    loop = asyncio.new_event_loop()
    broken: list[BaseException] = []

    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            if scope["type"] == "http":
                await Response("ok")(scope, receive, send)
                return
            websocket = WebSocket(scope, receive, send)
            await websocket.accept()
            await converse(websocket, never, lambda text: wire.parse_viewer_message(text, 3), wire.decode_camera_frame)
        except Exception as error:
            broken.append(error)

    options = {"ws_max_size": wire.CUT_OFF_BYTES, "ws_per_message_deflate": False, "lifespan": "off"}
    config = uvicorn.Config(app, log_config=None, ws_ping_interval=None, **PROTOCOLS, **options)
    config.load()
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)

    async def conversation(protocol: type[Any], pieces: list[bytes]) -> None:
        state = ServerState()
        transport = Wire()
        transport.protocol = protocol(config, state, {}, loop)
        transport.protocol.connection_made(transport)
        for piece in filter(None, pieces):  # a transport hands on something or nothing
            if transport.closed:
                break
            transport.protocol.data_received(piece)  # which may hand over to the protocol of websockets
            for _ in range(4):
                await asyncio.sleep(0)
        assert len(getattr(transport.protocol, "frames", [])) <= MOST_FRAGMENTS
        transport.protocol.connection_lost(None)
        if state.tasks:
            _, hanging = await asyncio.wait(state.tasks, timeout=5.0)
            assert not hanging

    def talk(protocol: type[Any], first: list[bytes]) -> Callable[[bytes], None]:
        def read(data: bytes) -> None:
            broken.clear()
            half = len(data) // 2
            loop.run_until_complete(conversation(protocol, [*first, data[:half], data[half:]]))
            if broken:
                raise broken[0]

        return read

    said = [frame(TEXT, b'{"type":"ping","t":1}'), frame(TEXT, b'{"type":"want","picture":false}'), frame(PING, b"x")]
    fragments = frame(TEXT, b"{", fin=False) + frame(CONT) * 3
    ends = (frame(CLOSE, b"\x03\xe8"), frame(CLOSE, b"\x03"), frame(CLOSE, b"\xff\xff"), frame(PONG, bytes(130)))
    lies = (frame(BINARY, length=1 << 63, wide=8), frame(TEXT, b"\xff", masked=False), frame(3), frame(TEXT, rsv=4))
    shake = [request("localhost:8000")]
    right, words = b"".join(said), (*said, *ends, *lies)
    add("websocket frames", talk(Socket, shake), NOTHING, right, fragments, tokens=words, slow=8)
    heads = ("GET ", " HTTP/1.1\r\n", "\r\n", "Host: x\r\n", "Upgrade: websocket\r\n", "Content-Length: 9\r\n")
    whole = "GET /a?b=%zz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    words = (*heads, "chunked", "\xff", "%ff")
    add("request head", talk(Http, []), NOTHING, whole, request("x"), whole * 2, tokens=words, slow=8)


def _models_and_media(add: Add, folder: Path) -> None:
    def contract(data: bytes) -> None:
        read = ModelContract.from_json(_text(data))
        assert ModelContract.from_json(read.to_json()) == read

    text = toy_contract().to_json()
    deep = text.replace('"Fish"', "[" * 5000)
    long = text.replace(" 32", " " + "9" * 5000)
    huge = text.replace('"temperature": 1.0', '"temperature": 1' + "0" * 400)
    add("contract", contract, ContractError, text, deep, long, huge, tokens=JSON)
    add("satellites", moment_of, NOTHING, _telemetry(), tokens=("STRM", "DEVC", "GPSU", "GPS9", "SCAL", "\0\0\0\0"))

    def label(data: bytes) -> None:
        key = label_key(_text(data))
        assert label_key(key) == key
        assert (class_key(_text(data)) == "none") == means_no_animal(_text(data))

    add("label", label, NOTHING, "Jelly_Fish", "None", "__", "ß", tokens=("_", "-", "\u0301", "İ", "ﬁ", "none"))

    def address(data: bytes) -> None:
        text = _text(data)
        redact(text)
        usb_device(text)
        if is_camera(text):
            check_camera("reef", text)
        assert "secret" not in redact(f"rtsp://user:secret{text}@host/path")

    places = ("rtsp://", "@", ":", "/", "?", "#", "[", "]", "%", "usb:", "/dev/video", "99999")
    add("address", address, SettingsError, "rtsp://a:b@10.0.0.1:554/s?x=1", "usb:0", tokens=places)

    def picture(data: bytes) -> None:
        assert decode(data).shape[2] == 3

    encoded = [_jpeg("jpeg"), _jpeg("png"), _jpeg("gif"), _jpeg("webp"), _jpeg("bmp"), _jpeg("tiff")]
    add("picture", picture, UndecodableError, *encoded, slow=4)
    stream = folder / "cut.ts"

    def packets(data: bytes) -> None:
        stream.write_bytes(data)
        torn(stream)

    add("transport stream", packets, NOTHING, (b"\x47" + bytes(187)) * 4 + b"\x47", tokens=(b"\x47" + bytes(187),))

    def container(data: bytes) -> None:
        moment = _container_utc({"creation_time": _text(data)})
        assert moment is None or moment.year >= 1990

    add("container's clock", container, NOTHING, "2026-05-01T09:30:00+02:00", *MOMENTS, tokens=MOMENTS)
    order = lambda data: sorted([_text(data[:255]), "dive10", "²", "x"], key=natural_order)  # noqa: E731
    add("natural order", order, NOTHING, "dive2.mp4", "9" * 5000, tokens=("²", "٣", "9" * 5000))


def _logs(add: Add, folder: Path) -> None:
    log = folder / "log"
    start = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)

    def dive_log(data: bytes) -> None:
        log.write_bytes(data)
        read = DiveLog.read(log, offset_s=3600.0)
        profile = read.during("dive.mp4", start, 60.0).profile
        depth_m = profile.at(start).depth_m
        assert depth_m is None or (math.isfinite(depth_m) and depth_m >= 0)
        profile.depths(start, start)

    sub = (
        "<divelog><dives><dive date='2026-05-01' time='10:30:00'><divecomputer>"
        "<sample time='0:00 min' depth='1.0 m' temp='20.0 C'/><sample time='5:00 min' depth='12.5 m'/>"
        "</divecomputer></dive></dives></divelog>"
    )
    old = sub.replace("2026-05-01", "0001-01-01")
    far = sub.replace("5:00 min", "9" * 12 + ":00 min")
    far_more = sub.replace("5:00 min", "9" * 400 + ":00 min")
    zone = sub.replace("10:30:00", "10:30:00+14:00").replace("2026-05-01", "0001-01-01")
    words = ("<sample ", "<dive>", "</dive>", "time='", "depth='", " m'", " min'", "&x;", "<!DOCTYPE x>", "<![CDATA[")
    tokens = (*words, *MOMENTS, "9" * 400, "1e300", "nan")
    add("subsurface", dive_log, DiveLogError, sub, old, far, far_more, zone, tokens=tokens, slow=2)
    uddf = (
        "<uddf xmlns='u'><dive><datetime>2026-05-01T10:30:00</datetime><waypoint><divetime>0</divetime><depth>3</depth>"
        "<temperature>290</temperature></waypoint><waypoint><divetime>60</divetime><depth>9</depth></waypoint></dive></uddf>"
    )
    far, deep = uddf.replace(">60<", ">1e300<"), uddf.replace(">9<", ">-1e308<")
    tags = ("<waypoint>", "<depth>", "<divetime>", "</divetime>", "<datetime>")
    add("uddf", dive_log, DiveLogError, uddf, far, deep, tokens=(*tags, *tokens), slow=2)
    table = "time,depth_m,temperature_c\n2026-05-01T10:30:00Z,1,20\n2026-05-01T10:31:00Z,9,\n"
    early = table.replace("10:30:00Z", "10:30:00+14:00").replace("2026-05-01", "0001-01-01")
    add("csv log", dive_log, DiveLogError, table, early, table.replace(",", ";"), tokens=(*CSV, *MOMENTS), slow=2)
    pictures = folder / "pictures.csv"

    def groups(data: bytes) -> None:
        pictures.write_bytes(data)
        assert all(_groups(folder).values())

    add("pictures.csv", groups, DataError, "picture,group\na/1.png,dive 1\n", tokens=(*CSV, "picture", "group"))


def _results(add: Add, folder: Path) -> None:
    here = folder / "results"
    here.mkdir()

    def file(name: str, read: Callable[[], object]) -> Callable[[bytes], None]:
        def reader(data: bytes) -> None:
            (here / name).write_bytes(data)
            read()

        return reader

    key = SightingKey("a.mp4", "Fish", 3, 0.0, 1.0, 0.5)
    with mock.patch("os.fsync"):
        add_correction(here, key, Verdict.WRONG, "Cod", at=datetime(2026, 5, 1, tzinfo=UTC))
    word = (here / CORRECTIONS).read_bytes()
    beyond = (word.replace(b" 3,", b" Infinity,"), word.replace(b'"Cod"', b"[" * 5000), word.replace(b".000Z", b""))
    undo = word + word.replace(b"wrong", b"undo")
    add(
        CORRECTIONS,
        file(CORRECTIONS, lambda: corrected([key], read_corrections(here))),
        ResultsError,
        *(word, undo, *beyond),
        tokens=(*JSON, "Infinity", '"undo"', "\n", *MOMENTS),
    )
    journal = folder / "raw.journal"
    facts = {"source": "9 bytes"}

    def rows(data: bytes) -> None:
        journal.write_bytes(data)
        with Journal.open(journal, facts, {}, classes=3, cam_size=2) as opened:
            for row in opened.rows("a.mp4"):
                assert row.probabilities.shape == (3,)
            opened.moments()

    with Journal.open(journal, facts, {}, classes=3, cam_size=2, resume=False):
        pass
    header = journal.read_bytes()
    record = bytearray(np.zeros(1, record_dtype(3, 2)).tobytes())
    good = _sealed(record)
    far = _sealed(record[:16] + b"\xff" * 7 + b"\x7f" + record[24:])
    odd = _sealed(record[:24] + b"\xff" + record[25:])
    nested = b'{"format":' + b"[" * 5000 + b"\n"
    add("journal", rows, ResultsError, header + good * 3, header + far, header + odd, nested, tokens=JSON, slow=2)
    line = "Fish,0.000,1.000,,,0.500,3,0.9000,0.8000,25,stills/a.jpg,,\n"
    table = ",".join(COLUMNS) + "\n" + line
    add(
        "sightings.csv", file("sightings.csv", lambda: read_rows(here / "sightings.csv", 5)), NOTHING, table, tokens=CSV
    )
    add("keys", file("sightings.csv", lambda: read_keys(here)), ResultsError, table, tokens=CSV)
    np.save(here / "cams.npy", np.zeros((1, 2, 2), np.uint8))
    (folder / "track").mkdir()
    frames = (
        "frame,media_s,stable_label,stable_probability,unknown,label_1,probability_1\n0,0.0,Fish,0.9,0.1,Fish,0.9\n"
    )

    def track() -> None:
        with mock.patch("os.fsync"):
            assert write_track(here, folder / "track", ["Fish"]) >= 0
        index = read_index(folder / "track")
        assert index is not None
        json.dumps(index, allow_nan=False)

    endless = frames.replace("0,0.0,", "0,inf,")
    add("frames.csv", file("frames.csv", track), ResultsError, frames, endless, tokens=CSV, slow=4)
    maps = (here / "cams.npy").read_bytes()
    shapes = ("(", ")", ",", "'", "|O", "<f8", "True", "9" * 30, "-1")
    (here / "frames.csv").write_text(frames)

    def cams(data: bytes) -> None:
        (here / "frames.csv").write_text(frames)
        (here / "cams.npy").write_bytes(data)
        try:
            track()
        finally:
            (here / "cams.npy").write_bytes(maps)

    add("cams.npy", cams, ResultsError, maps, tokens=shapes, slow=4)
    jsons: dict[str, tuple[Callable[[], object], type[Exception] | tuple[type[Exception], ...], str]] = {
        "run.json": (lambda: read_run(here), NOTHING, '{"schema_version":1,"source":{}}'),
        "track.json": (lambda: read_index(here), NOTHING, '{"version":1,"chunks":[]}'),
        "probe.json": (lambda: read_probe(here), NOTHING, '{"version":1,"size_hw":[1,1]}'),
        "dive.json": (lambda: read_facts(here), LibraryError, '{"schema_version":1,"title":"a","video":"a.mp4"}'),
    }
    for name, (read, refuses, seed) in jsons.items():
        add(name, file(name, read), refuses, seed, "[" * 5000, "9" * 5000, tokens=JSON)


def _settings(add: Add, folder: Path) -> None:
    path = folder / "reeflens.toml"

    def settings(data: bytes) -> None:
        path.write_bytes(data)
        read_settings(commands, path)

    tokens = ("[serve]", "[data.check]", "port", "=", "[", "{", '"""', "9" * 5000, "1979-05-27T07:32:00Z", "\n", "inf")
    seeds = ('[serve]\nport = 8000\nsource = ["reef=a.mp4"]\n', "[data.check]\nout = 1\n", "a=" + "[" * 5000)
    add("settings", settings, SettingsError, *seeds, tokens=tokens, slow=2)

    def environment(data: bytes) -> None:
        name = _text(data).replace("\0", "").replace("=", "")
        with mock.patch.dict(os.environ, {f"REEFLENS_{name}": "1"}, clear=True):
            check_environment(commands)

    add("environment", environment, SettingsError, "SERVE_PORT", tokens=("SERVE", "_", "TOKEN"), slow=4)


def _data(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def _jpeg(form: str = "jpeg") -> bytes:
    into = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 24, 3), np.uint8)).save(into, form)
    return into.getvalue()


def _telemetry() -> bytes:
    def entry(key: bytes, kind: bytes, body: bytes) -> bytes:
        head = key + kind + b"\x01" + len(body).to_bytes(2, "big")
        return head + body + bytes(-len(body) % 4)

    text = entry(b"GPSF", b"L", bytes([0, 0, 0, 3])) + entry(b"GPSP", b"S", b"\0\x64")
    return entry(b"DEVC", b"\0", entry(b"STRM", b"\0", text + entry(b"GPSU", b"U", b"260501093000.000")))


def _sealed(record: bytes | bytearray) -> bytes:
    body = bytes(record[:-4])
    return body + zlib.crc32(body).to_bytes(4, "little")
