"""The web server: parts of the rooms below, wired together for as long as it runs."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import re
import signal
import socket
import ssl
import threading
from collections import ChainMap
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from dives.jobs import JobQueue, JobSettings
from dives.library import Library
from dives.recording import Recording
from dives.uploads import Limits, Uploads
from realtime.addresses import check_camera, is_camera, redact, usb_device
from realtime.cameras import NetworkStream, UsbCamera
from realtime.engine import Engine
from realtime.errors import HungError, SettingsError, SourceError
from realtime.frames import Frame, FrameResult
from realtime.live import LiveRunner, LiveStatus
from realtime.reconnecting import Reconnecting
from realtime.scene import TestScene
from realtime.sources import Paced, Source, open_recorded
from serving import (
    connections,
    dives,
    door,
    downloads,
    ending,
    live,
    metrics,
    missed,
    session,
    sightings,
    status,
    systemd,
    times,
    uploads,
    webcam,
    wire,
)
from serving.access import WILDCARDS, Access, is_loopback, public_origin
from serving.ages import FrameAges
from serving.answers import INVALID, UNREADABLE, problem, tell_of_the_gone
from serving.bodies import Bodies
from serving.bridge import Bridge, Outlet
from serving.camera import Cameras
from serving.crowd import Crowd
from serving.desk import Desk
from serving.guard import Gate, Guard
from serving.hub import Hub
from serving.later import retry_after, tell_of_the_disk
from serving.lean import Lean
from serving.logbook import Logbook
from serving.page import page_router
from serving.recorder import Recorder
from serving.refusals import Refusals, RefusedUploads
from serving.share import Share
from serving.station import Station
from serving.thumbnails import Thumbnails
from serving.tokens import Tokens, new_token
from serving.watchdog import EventLoop, Watchdog, Watched
from serving.workbench import Workbench

log = logging.getLogger(__name__)

SCENE = "scene"

LEAVE_S = 5.0  # for a stop in which something hangs; one in which nothing does is faster (serving/ending.py)
MOST_CLIP_S = 60.0


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What to serve and how. Raises SettingsError for a contradiction, SourceError for a path that cannot be read.

    sources: name -> video file, folder of pictures, camera (rtsp://, rtsps://, http://, https://, `usb:0`, /dev/video0)
    or "scene" (rendered); without any, the scene. A camera need not be there yet. loop: start recorded sources anew at
    their end. host: "0.0.0.0" or "::" for all addresses. port: 0 for any free one.
    token, view_token: let people in to do everything, and to look. Where neither is given and the server can be reached
    from elsewhere (another host than this machine, or public_origins), ``token`` is made; insecure: it is not.
    public_origins: of proxies in front, such as "https://reef.example.org". tls_cert, tls_key: PEM files, both or
    neither; with them the server speaks https. provider, require_gpu: as for Engine.open. max_viewers: over all
    sources, with the pages' own cameras, of which there may be max_webcams. library: the folder of recorded dives, None
    for none; with one, and no sources, nothing is shown live. upload_limit, quota: bytes of one file, and of all; quota
    0 for as much as the disk holds. record: a folder to write to what is seen while the sources run. clips_s:
    seconds of video to record before and after each sighting, up to MOST_CLIP_S.
    """

    model: Path
    sources: Mapping[str, str] = field(default_factory=dict, repr=False)  # addresses hold passwords
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    view_token: str | None = field(default=None, repr=False)
    insecure: bool = False
    public_origins: Sequence[str] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    provider: str = "auto"
    require_gpu: bool = False
    max_viewers: int = 64
    max_webcams: int = 8
    loop: bool = False
    library: Path | None = None
    upload_limit: int = 64_000_000_000
    quota: int = 0
    record: Path | None = None
    clips_s: float | None = None

    def __post_init__(self) -> None:
        if not self.sources and self.library is None:
            object.__setattr__(self, "sources", {SCENE: SCENE})
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"port: expected 0 to 65535, received {self.port}")
        for text in self.public_origins:
            public_origin(text)
        _check_tls(self.tls_cert, self.tls_key)
        given = self.token is not None or self.view_token is not None
        if given and self.insecure:
            raise SettingsError("--insecure: lets everyone in, and a token was given; drop one of the two")
        exposed = not is_loopback(self.host) or bool(self.public_origins)
        if self.token is None and (given or (exposed and not self.insecure)):
            object.__setattr__(self, "token", new_token())
        _ = self.tokens
        if self.max_viewers < 1:
            raise SettingsError(f"--max-viewers: expected at least 1, received {self.max_viewers}")
        if self.max_webcams < 0:
            raise SettingsError(f"--max-webcams: expected 0 or more, received {self.max_webcams}")
        if self.upload_limit < 1 or self.quota < 0:
            raise SettingsError("upload limit and quota: expected a number of bytes")
        if self.clips_s is not None and not 0.0 < self.clips_s <= MOST_CLIP_S:
            raise SettingsError(f"--record-clips: expected more than 0 and up to {MOST_CLIP_S:.0f} seconds")
        if self.clips_s is not None and self.record is None:
            raise SettingsError("--record-clips: say where with --record")
        for name, place in self.sources.items():
            _check_source(name, place)

    @property
    def tokens(self) -> Tokens | None:
        """Who is let in; None for everyone. Raises SettingsError for what is no token."""
        return Tokens(self.token, self.view_token) if self.token is not None else None


def create_app(
    settings: ServerSettings,
    *,
    on_lost: Callable[[str], None] = log.critical,
    on_well: Callable[[], None] = lambda: None,
) -> FastAPI:
    """The application. Its lifespan opens the model and the sources, and stops them in time (serving/ending.py).

    on_lost: told, on a thread that waits for nobody, which part hangs for good; the process is of no use any more.
    on_well: called about every second while none does.
    Entering the lifespan raises ContractError or ProviderError when the model does not run, LibraryError when the
    library cannot be used, ResultsError when the folder to record to cannot be.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            library = None
            if settings.library is not None:
                library = stack.enter_context(await asyncio.to_thread(Library.open, settings.library.expanduser()))
            opening = partial(Engine.open, settings.model, provider=settings.provider, require_gpu=settings.require_gpu)
            engine = stack.enter_context(await asyncio.to_thread(opening))
            encoder = Workbench("jpeg")
            stack.callback(encoder.shutdown, wait=False, cancel_futures=True)
            small_encoder = Workbench("thumbnail")  # its own: a tile must not hold up a viewer's JPEG
            stack.callback(small_encoder.shutdown, wait=False, cancel_futures=True)

            def greeting(name: str) -> str:
                return wire.hello(name, engine.contract, engine.provider.name, engine.path.name)

            hubs = {name: Hub(name, greeting(name), encoder) for name in settings.sources}
            cameras = Cameras(greeting(wire.CAMERA))
            outlets: ChainMap[str, Outlet] = ChainMap(hubs, cameras.connected)  # type: ignore[arg-type]  # only read
            loop = asyncio.get_running_loop()
            bridge = Bridge(loop, outlets)

            def greet_anew() -> None:
                for name, hub in hubs.items():
                    hub.greet(greeting(name))
                cameras.greet(greeting(wire.CAMERA))

            engine.on_fallback = partial(loop.call_soon_threadsafe, greet_anew)
            openers = {name: partial(_open, name, place, settings.loop) for name, place in settings.sources.items()}
            recorder = await asyncio.to_thread(_recorder, settings, engine.contract.labels)
            registry = metrics.new_registry()
            ages = FrameAges(registry, settings.sources)
            logbook = Logbook(settings.sources, engine.contract.labels, recorder)

            def on_result(frame: Frame, result: FrameResult, status: LiveStatus) -> None:
                ages.on_result(result)
                logbook.on_result(frame, result)
                bridge.on_result(frame, result, status)

            runner = LiveRunner(engine, openers, on_result, bridge.on_status)
            for name, hub in hubs.items():
                hub.on_wanted = partial(runner.explain, name)
            heart = EventLoop(loop)

            def parts() -> list[Watched]:
                jobs = [app.state.desk.jobs.part] if app.state.desk is not None else []
                return [heart, *runner.parts(), logbook.part, encoder.part, small_encoder.part, *jobs]

            def waiting() -> dict[str, int]:
                queues = {"logbook": logbook.waiting, "jpeg": encoder.waiting, "thumbnail": small_encoder.waiting}
                if app.state.desk is not None:
                    with contextlib.suppress(Exception):  # a disk that fails is told elsewhere
                        queues["jobs"] = app.state.desk.library.waiting()
                return queues

            watchdog = Watchdog(parts, on_lost, on_well)
            app.state.ending = ending.Ending()
            app.state.station = Station(
                version=_version(),
                engine=engine,
                hubs=hubs,
                thumbnails=Thumbnails(hubs, small_encoder),
                cameras=cameras,
                runner=runner,
                logbook=logbook,
                registry=registry,
                status=lambda: {name: found for name, found in runner.status().items() if name in hubs},
                trouble=runner.trouble,
                watchdog=watchdog,
                waiting=waiting,
                jobs=lambda: app.state.desk.jobs.ends() if app.state.desk is not None else {},
                max_viewers=settings.max_viewers,
                max_webcams=settings.max_webcams,
                refusals=refusals,
            )
            registry.register(metrics.StationCollector(app.state.station))
            app.state.desk = await asyncio.to_thread(_open_desk, library, settings, engine, runner) if library else None

            async def end_work() -> None:
                stops = [app.state.desk.jobs.stop] if app.state.desk is not None else []
                left_s = app.state.ending.left_s
                parts_s = left_s(ending.PARTS_BY_S)
                await asyncio.gather(*(asyncio.to_thread(stop, parts_s) for stop in [*stops, runner.stop]))
                await asyncio.to_thread(logbook.stop, left_s(ending.WRITTEN_BY_S))
                await asyncio.to_thread(watchdog.stop, left_s(ending.OVER_BY_S))

            async def dismiss() -> None:
                await app.state.station.dismiss_viewers(app.state.ending.left_s(ending.VIEWERS_BY_S))

            async def halt() -> None:
                if not halting:
                    halting.append(asyncio.create_task(end_work()))
                await asyncio.shield(halting[0])

            halting: list[asyncio.Task[None]] = []
            app.state.halt = halt
            stack.push_async_callback(halt)
            stack.push_async_callback(dismiss)
            await asyncio.to_thread(logbook.start)
            watchdog.start()
            if app.state.desk is not None:
                app.state.desk.jobs.start()
            runner.start()
            yield

    # Its documentation pages load scripts from elsewhere, which our policy forbids; the schema itself stays.
    app = FastAPI(
        title="Reeflens",
        version=_version(),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        description="How a Reeflens server is doing, and what it has seen. Live pictures come over a websocket.",
        responses={
            400: UNREADABLE,
            401: problem("A token is needed."),
            403: problem("This page, this host name or this token may not do that."),
            413: problem("The request is too long."),
            422: INVALID,
            429: retry_after("Too many wrong tokens came from this address."),
            503: retry_after("As many requests as can be are being answered."),
        },
    )
    public = [*map(public_origin, settings.public_origins)]
    app.state.refusals = refusals = Refusals()
    app.state.guard = Guard(settings.tokens, public, refusals=refusals)
    app.add_middleware(Lean)  # the last is asked first
    app.add_middleware(Bodies)
    app.add_middleware(RefusedUploads, refusals=refusals)
    app.add_middleware(Crowd, max_viewers=settings.max_viewers, refusals=refusals, behind_proxy=bool(public))
    app.add_middleware(Gate, guard=app.state.guard)
    app.add_middleware(Access, bound_host=settings.host, public=public, refusals=refusals)
    tell_of_the_disk(app)
    tell_of_the_gone(app)
    app.include_router(live.router)
    app.include_router(webcam.router)
    app.include_router(session.router)
    app.include_router(status.router)
    app.include_router(dives.router)
    app.include_router(downloads.router)
    app.include_router(missed.router)
    app.include_router(times.router)
    app.include_router(uploads.router)
    app.include_router(sightings.router)
    app.include_router(metrics.router)
    app.include_router(page_router(files("web")))
    return app


def serve(
    settings: ServerSettings,
    on_ready: Callable[[str], None],
    *,
    log_level: str = "warning",
    stop: threading.Event | None = None,
    manager: str = "",
) -> None:
    """Serves until SIGINT or SIGTERM, or until ``stop`` is set from another thread; then returns.

    on_ready: called once with the page's address when it can be opened. log_level: of uvicorn's own loggers, whose
    handlers are the caller's affair. manager: the socket of a service manager to tell (serving/systemd.py), "" for
    none. Raises SettingsError when the address cannot be listened on, ContractError or ProviderError when the model
    does not run, ResultsError when the folder to record to cannot be used, and HungError when a part hangs for good:
    then the process ends within LEAVE_S seconds with code 1, also where something keeps the caller from it.
    """
    ended, lost = stop or threading.Event(), []

    def on_lost(reason: str) -> None:
        log.critical("%s; only a new start helps, and this process ends", reason)
        lost.append(f"{reason}; start it again")
        last = threading.Timer(LEAVE_S, _leave)
        last.daemon = True
        last.start()
        ended.set()

    app = create_app(settings, on_lost=on_lost, on_well=partial(systemd.tell, manager, systemd.WELL))
    with _open_door(settings, app.state.refusals) as listener:
        config = uvicorn.Config(
            app,
            **connections.PROTOCOLS,
            ws_max_size=wire.CUT_OFF_BYTES,
            ws_per_message_deflate=False,  # JPEGs do not shrink, and trying takes time on the event loop
            lifespan="off",  # ours is around the server below, where its errors can be caught
            log_config=None,
            log_level=log_level,
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
            server_header=False,
            proxy_headers=False,
        )
        url = _url(settings.host, listener.getsockname()[1], "http" if settings.tls_cert is None else "https")
        tell = partial(systemd.tell, manager)

        def ready() -> None:
            on_ready(url)
            tell(systemd.READY, f"at {url}")

        server = _Server(config, app, ended, ready, partial(tell, systemd.STOPPING))
        asyncio.run(_serve(app, server, listener))
    if lost:
        raise HungError(lost[0])


def _leave() -> None:
    """The last resort: something hung keeps the process from its end."""
    faulthandler.dump_traceback()
    os._exit(1)


async def _serve(app: FastAPI, server: uvicorn.Server, listener: socket.socket) -> None:
    async with app.router.lifespan_context(app):
        await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """Uvicorn with a start that is told, a stop that tells the viewers, and signals that only stop it."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: FastAPI,
        stop: threading.Event,
        on_ready: Callable[[], None],
        on_stop: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._fastapi = app
        self._stop = stop
        self._on_ready = on_ready
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._stop.is_set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._fastapi.state.ending.begin()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        halting = asyncio.create_task(self._fastapi.state.halt())  # while connections come to their ends
        # Uvicorn would close them with 1012, "restarting", and browsers would come back at once.
        left_s = self._fastapi.state.ending.left_s
        await self._fastapi.state.station.dismiss_viewers(left_s(ending.VIEWERS_BY_S))
        self.config.timeout_graceful_shutdown = left_s(ending.ANSWERS_BY_S)
        await super().shutdown(sockets)
        await halting

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Uvicorn raises them again when it is done, which is before our lifespan has ended: SIGTERM would cut it off.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def address_elsewhere(url: str, host: str) -> str | None:
    """What other machines of the network open for ``url``; None where that is ``url`` itself, or nobody knows.

    host: that the server was told to listen on.
    """
    if host not in WILDCARDS:
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: the system only picks the address it would send from
        except OSError:
            return None
        own = probe.getsockname()[0]
    return None if is_loopback(own) else url.replace("127.0.0.1", own).replace("[::1]", own)


def _open_desk(library: Library, settings: ServerSettings, engine: Engine, runner: LiveRunner) -> Desk:
    def threads() -> int | None:
        live = any(status.state == "live" for status in runner.status().values())
        return max(1, (os.cpu_count() or 2) // 2) if live else None

    jobs = JobSettings(settings.model, provider=settings.provider, require_gpu=settings.require_gpu, threads=threads)
    if engine.provider.is_gpu:
        jobs = replace(jobs, memory_bytes=None)
    limits = Limits(settings.upload_limit, settings.quota)
    return Desk(library, Uploads(library, limits), JobQueue(library, jobs))


def _check_source(name: str, place: str) -> None:
    if not re.fullmatch(r"[^\W_][\w .-]{0,63}", name):
        raise SettingsError(
            f"source name {redact(name)!r}: expected a letter or digit, "
            "then up to 63 letters, digits, spaces, dots or dashes"
        )
    if is_camera(place):
        check_camera(name, place)
        return
    if place == SCENE:
        return
    path = Path(place).expanduser()
    try:
        if path.is_dir():
            next(path.iterdir(), None)
        else:
            path.open("rb").close()
    except OSError as error:
        reason = "no such file or folder" if isinstance(error, FileNotFoundError) else (error.strerror or "").lower()
        raise SourceError(name, f"{path}: {reason}") from error


def _check_tls(cert: Path | None, key: Path | None) -> None:
    if cert is None and key is None:
        return
    if cert is None or key is None:
        raise SettingsError("--tls-cert and --tls-key: one needs the other")
    for flag, path in (("--tls-cert", cert), ("--tls-key", key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise SettingsError(f"{flag}: {path}: cannot be read ({(error.strerror or '').lower()})") from error
    try:
        # A password for a key that has one, lest OpenSSL asks for it on a terminal that nobody watches.
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:
        mismatched = getattr(error, "reason", "") == "KEY_VALUES_MISMATCH"
        why = (
            "the key is not that of the certificate" if mismatched else "expected PEM files, the key without a password"
        )
        raise SettingsError(f"--tls-cert {cert}, --tls-key {key}: {why}") from error


def _recorder(settings: ServerSettings, labels: Sequence[str]) -> Recorder | None:
    if settings.record is None:
        return None
    folder = Recording.open(settings.record.expanduser(), settings.sources, labels)
    return Recorder(folder, clips_s=settings.clips_s)


def _open(name: str, place: str, loop: bool) -> Source:
    if place == SCENE:
        return Paced(partial(TestScene, name=name), loop=False)
    if (device := usb_device(place)) is not None:
        return Reconnecting(partial(UsbCamera, device, name=name), name=name, kind="camera")
    if is_camera(place):
        return Reconnecting(partial(NetworkStream, place, name=name), name=name, kind="stream")
    return Paced(partial(open_recorded, Path(place).expanduser(), name=name), loop=loop)


def _open_door(settings: ServerSettings, refusals: Refusals) -> socket.socket:
    most = door.room(settings.max_viewers)
    # A proxy is on this machine (serving/asker.py), and is one address for all who come through it.
    share = Share(most, most // 2, for_many=is_loopback if settings.public_origins else lambda address: False)
    return door.Door(_listen(settings.host, settings.port), share, partial(refusals.add, "connections"))


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket. Bound before the model loads, so that a taken port is known at once."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = found[0]
        listener = socket.create_server(address[:2], family=family, backlog=128)
    except (OSError, UnicodeError) as error:
        # create_server adds the address to the text that goes with an errno; getaddrinfo's codes are negative.
        code = error.errno if isinstance(error, OSError) else None
        reason = (os.strerror(code) if code and code > 0 else str(error)).lower()
        raise SettingsError(f"cannot listen on {host}:{port} ({reason}); choose another host or port") from error
    # Else what follows an answer's head waits up to 40 ms for the other side's acknowledgement. asyncio does this for
    # sockets that say they are TCP, and those of create_server do not; connections have it from here.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _url(host: str, port: int, scheme: str) -> str:
    """An address that a browser on this machine can open."""
    shown = {"::": "::1"}.get(host, "127.0.0.1") if host in WILDCARDS else host
    return f"{scheme}://[{shown}]:{port}/" if ":" in shown else f"{scheme}://{shown}:{port}/"


def _version() -> str:
    try:
        return version("reeflens")
    except PackageNotFoundError:
        return "unknown"  # run from a checkout that was never installed
