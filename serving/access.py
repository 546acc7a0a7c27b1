"""Who gets in: pages of this server, under its own name. And what its pages may do.

Browsers let any page open a websocket to 127.0.0.1, and a name that its owner points at 127.0.0.1 after the page has
loaded (DNS rebinding) makes a foreign page look like ours. So every request must name a host that is ours, and, where
the browser says which page asks, that must be a page of the same host. CORS guards neither.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realtime.addresses import redact
from realtime.errors import SettingsError
from serving.refusals import Refusals
from serving.wire import CLOSE_POLICY

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # bound to every address of the machine
PAGES = frozenset({"/", "/dives", "/login"})  # that a link on another site may lead to
DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob: mediastream:; connect-src 'self'; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'"
    ),
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Authority:
    """A host and a port, as in "localhost:8000"; host in lower case and without brackets."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a page comes from, as in "https://reef.example.org"."""

    scheme: str
    authority: Authority


def is_loopback(host: str) -> bool:
    """Whether a server that is told to listen on ``host`` can be reached from this machine only."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def public_origin(text: str) -> Origin:
    """Under which the server is reached from outside, through a proxy. Raises SettingsError for what is no origin."""
    origin = _parse_origin(text.removesuffix("/"))
    if origin is None:
        raise SettingsError(
            f"--public-origin: expected http:// or https:// with a host, such as https://reef.example.org, "
            f"received {redact(text)!r}"
        )
    return origin


def parse_authority(text: str, default_port: int) -> Authority | None:
    """Reads a Host header or the part of an origin after "//"; None when it is not one."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.netloc != text or "@" in text:
        return None
    return Authority(host, default_port if port is None else port)


def refusal(
    headers: Headers,
    scheme: str,
    bound_host: str,
    port: int | None,
    method: str = "GET",
    public: Collection[Origin] = (),
    *,
    path: str = "/",
) -> str | None:
    """Why a request is refused, in one sentence; None when it may come in.

    scheme: of the connection. bound_host: what the server was told to listen on. port: the one it listens on.
    Bound to every address, it answers to localhost, to the machine's own name and to any bare IP address (those cannot
    be rebound), on any port, since containers and tunnels map ports; bound to one host, to that and to localhost.
    public: origins of a proxy in front, whose Host and whose pages come in too, whatever the server is bound to.
    Browsers name the asking page with every request that changes something, and with most others they say whether it
    is another's (Sec-Fetch-Site): pictures, scripts and frames of other sites are refused, too, and so is a link there
    to anything but a page.
    """
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    authority = parse_authority(hosts[0], DEFAULT_PORTS[scheme]) if len(hosts) == 1 else None
    if authority is None:
        return "a request must name one host"
    is_public = any(parse_authority(hosts[0], DEFAULT_PORTS[each.scheme]) == each.authority for each in public)
    if is_public:
        pass
    elif bound_host in WILDCARDS:
        if not (authority.host in LOOPBACK_NAMES | _own_names() or _is_address(authority.host)):
            return f"this server does not answer to the name {authority.host!r}; use its IP address"
    elif authority.host not in LOOPBACK_NAMES | {bound_host.lower()} or (port is not None and authority.port != port):
        return f"this server does not answer to {hosts[0]!r}"
    foreign = headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
    if not origins and foreign and not (method in ("GET", "HEAD") and path in PAGES and _opens(headers)):
        return "pages of another origin may not use this server"
    if not origins:
        return None  # not a browser, or a browser that fetches what it was told to open
    # Under a public name only the page that was told: http://reef.example.org is anybody's who is on the way.
    if len(origins) == 1 and (
        _parse_origin(origins[0]) in public or (not is_public and _same_origin(*origins, *hosts))
    ):
        return None
    return f"pages of {origins[0]!r} may not use this server"


def is_public_tls(headers: Headers, public: Collection[Origin]) -> bool:
    """Whether a browser asks under one of these that is https, by its Host or by the page that it names."""
    host = headers.get("host", "")
    asking = _parse_origin(headers.get("origin", ""))
    return any(
        each.scheme == "https" and (each == asking or each.authority == parse_authority(host, DEFAULT_PORTS["https"]))
        for each in public
    )


def _same_origin(origin: str, host: str) -> bool:
    asking = _parse_origin(origin)
    # The page's own scheme counts: behind a proxy that speaks TLS it is https while ours is http.
    return asking is not None and asking.authority == parse_authority(host, DEFAULT_PORTS[asking.scheme])


def _parse_origin(text: str) -> Origin | None:
    scheme, mark, rest = text.partition("://")
    if not mark or scheme not in ("http", "https"):
        return None  # "null", extensions, files
    authority = parse_authority(rest, DEFAULT_PORTS[scheme])
    return Origin(scheme, authority) if authority is not None else None


def _opens(headers: Headers) -> bool:
    """Whether somebody follows a link: the answer gets a tab of its own, and the page with the link sees nothing."""
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _own_names() -> frozenset[str]:
    name = socket.gethostname().lower()
    return frozenset({name, f"{name.partition('.')[0]}.local"})


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Access:
    """ASGI middleware: refuses foreign requests, and puts SECURITY_HEADERS on every answer.

    A refused websocket is accepted and closed with 1008 and the reason, since browsers hide why a handshake failed.
    """

    def __init__(
        self, app: ASGIApp, bound_host: str, public: Collection[Origin] = (), refusals: Refusals | None = None
    ) -> None:
        self._app = app
        self._refusals = refusals if refusals is not None else Refusals()
        self._public = public
        self._bound_host = bound_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        port = scope["server"][1] if scope.get("server") else None
        method = scope.get("method", "GET")
        why = refusal(
            Headers(scope=scope), scope["scheme"], self._bound_host, port, method, self._public, path=scope["path"]
        )
        if why is not None:
            self._refusals.add("foreign", scope["client"][0] if scope.get("client") else "")
        if scope["type"] == "websocket":
            if why is None:
                await self._app(scope, receive, send)
            else:
                await refuse_websocket(receive, send, CLOSE_POLICY, why)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        answer = self._app if why is None else JSONResponse({"detail": why}, 403)
        await answer(scope, receive, send_guarded)


async def refuse_websocket(receive: Receive, send: Send, code: int, why: str) -> None:
    """Accepts and closes it, so that whoever opened it learns why. why: cut to what a close frame takes."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": code, "reason": why.encode()[:123].decode(errors="ignore")})
