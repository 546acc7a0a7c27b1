"""Who somebody is, and whether that is enough for what is asked: behind Access, in front of every route.

Programs send `Authorization: Bearer TOKEN`. A browser gets a cookie in return for a token, on the page for that (login)
or with an address that ends in ?token=…, from which it is sent on at once: what stays in the address bar and in the
history is without it. A server without tokens lets everyone do everything, as one on 127.0.0.1 does by default.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access import DEFAULT_PORTS, Origin, is_public_tls, parse_authority, refuse_websocket
from serving.asker import asker
from serving.attempts import Attempts
from serving.later import Later
from serving.refusals import Refusals
from serving.roles import SOCKET, Role, needed
from serving.tokens import LIFE_S, Tokens
from serving.wire import CLOSE_FORBIDDEN, CLOSE_UNKNOWN

# path -> how to name it beside itself, as a proxy may serve us under a prefix; and what web/login.js calls it
PAGES = {"/": ("./", "live"), "/dives": ("dives", "dives")}
RENEW_S = LIFE_S / 2
UNKNOWN = "a token is needed; send `Authorization: Bearer TOKEN`, or open the page to log in"
WRONG = "this is no token of this server"
TOO_LITTLE = "this token lets you look and change nothing; the other one does"


@dataclass(frozen=True, slots=True)
class Known:
    """Who asks. cookie: it was a cookie that said so, good for left_s seconds. retry_s: nothing was looked at, for so
    long; wrong: a token was sent that is none of ours."""

    role: Role
    cookie: bool = False
    left_s: float = 0.0
    wrong: bool = False
    retry_s: float = 0.0


class Guard:
    """Tells who asks. tokens: None when everyone may everything. public: as for Access. clock: seconds since 1970."""

    def __init__(
        self,
        tokens: Tokens | None,
        public: Collection[Origin] = (),
        *,
        attempts: Attempts | None = None,
        refusals: Refusals | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.tokens = tokens
        self._public = public
        self._attempts = attempts if attempts is not None else Attempts()
        self.refusals = refusals if refusals is not None else Refusals()
        self._clock = clock

    def who(self, scope: Scope) -> Known:
        """By header or cookie. A wrong header counts as an attempt; a cookie that is no good any more does not."""
        if self.tokens is None:
            return Known(Role.OPERATE)
        headers = Headers(scope=scope)
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self.with_token(token.strip(), scope)
        for text in _cookies(headers, _cookie_name(scope)):
            role, left_s = self.tokens.role_of_cookie(text, self._clock())
            if role is not Role.NOBODY:
                return Known(role, cookie=True, left_s=left_s)
        return Known(Role.NOBODY)

    def with_token(self, token: str, scope: Scope) -> Known:
        """By a token that somebody gave. Attempts count by where it comes from (serving/asker.py)."""
        if self.tokens is None:
            return Known(Role.OPERATE)
        address = asker(scope, bool(self._public))
        if (retry_s := self._attempts.wait_s(address)) > 0.0:
            self.refusals.add("guessing", address)
            return Known(Role.NOBODY, retry_s=retry_s)
        role = self.tokens.role_of(token)
        if role is Role.NOBODY:
            self._attempts.wrong(address)
            self.refusals.add("token", address)
        return Known(role, wrong=role is Role.NOBODY)

    def set_cookie(self, role: Role, scope: Scope) -> str:
        """The header that lets a browser in; a role of NOBODY throws it out."""
        value, life_s = "", 0
        if self.tokens is not None and role is not Role.NOBODY:
            value, life_s = self.tokens.cookie(role, self._clock()), LIFE_S
        secure = (
            "; Secure"
            if scope["scheme"] in ("https", "wss") or is_public_tls(Headers(scope=scope), self._public)
            else ""
        )
        return f"{_cookie_name(scope)}={value}; Max-Age={life_s}; Path=/; HttpOnly; SameSite=Strict{secure}"


class Gate:
    """ASGI middleware: asks ``guard`` who it is, and lets in who may; `request.state.known` tells the routes."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        socket = scope["type"] == "websocket"
        method = SOCKET if socket else scope["method"]
        page = scope["path"] in PAGES and method in ("GET", "HEAD")
        if page and (token := _in_address(scope)) is not None:
            await self._exchange(token, scope)(scope, receive, send)
            return
        known, wanted = self._guard.who(scope), needed(method, scope["path"])
        if known.role < wanted:
            if socket and not known.retry_s:
                code, why = _closing(known)
                await refuse_websocket(receive, send, code, why)
            else:
                answer = RedirectResponse(_login(scope), 303) if page else refused(known)
                await answer(scope, receive, send)
            return
        scope.setdefault("state", {})["known"] = known
        renew = self._guard.set_cookie(known.role, scope) if page and known.cookie and known.left_s < RENEW_S else ""

        async def send_private(message: Message) -> None:
            if message["type"] == "http.response.start" and self._guard.tokens is not None:
                headers = MutableHeaders(scope=message)
                kept = headers.get("cache-control", "no-cache")
                if wanted is not Role.NOBODY and not kept.startswith("private"):
                    headers["cache-control"] = f"private, {kept}"  # not in a cache that others share
                if renew:
                    headers.append("set-cookie", renew)
            await send(message)

        await self._app(scope, receive, send if socket else send_private)

    def _exchange(self, token: str, scope: Scope) -> Response:
        known = self._guard.with_token(token, scope)
        if known.role is Role.NOBODY:
            return RedirectResponse(_login(scope, "later" if known.retry_s else "wrong"), 303)
        answer = RedirectResponse(PAGES[scope["path"]][0], 303)
        if self._guard.tokens is not None:
            answer.headers["set-cookie"] = self._guard.set_cookie(known.role, scope)
        return answer


def refused(known: Known) -> JSONResponse:
    """The answer to who may not, for programs and scripts: 401, 403 or 429."""
    if known.retry_s:
        return Later(429, "too many wrong tokens came from this address", known.retry_s).answer()
    if known.role is not Role.NOBODY:
        return JSONResponse({"detail": TOO_LITTLE}, 403)
    return JSONResponse({"detail": WRONG if known.wrong else UNKNOWN}, 401, {"www-authenticate": "Bearer"})


def _closing(known: Known) -> tuple[int, str]:
    if known.role is not Role.NOBODY:
        return CLOSE_FORBIDDEN, TOO_LITTLE
    return CLOSE_UNKNOWN, WRONG if known.wrong else UNKNOWN


def _in_address(scope: Scope) -> str | None:
    """The token of a link that somebody opened. A picture of another site's page would only use up his attempts."""
    if Headers(scope=scope).get("sec-fetch-dest", "document") != "document":
        return None
    found = parse_qs(scope["query_string"].decode("latin-1")).get("token")
    return found[-1] if found else None


def _login(scope: Scope, why: str = "") -> str:
    return "login?" + urlencode({"to": PAGES[scope["path"]][1]} | ({"why": why} if why else {}))


def _cookie_name(scope: Scope) -> str:
    """With the port in it: to a browser all ports of a machine are one place, and each may be a server of its own."""
    default = DEFAULT_PORTS[scope["scheme"]]
    authority = parse_authority(Headers(scope=scope).get("host", ""), default)
    return f"reeflens-{authority.port if authority is not None else default}"


def _cookies(headers: Headers, name: str) -> list[str]:
    # Not http.cookies: it gives up on all of them where another program of this machine has set an odd one.
    found = [cookie_parser(text).get(name) for text in headers.getlist("cookie")]
    return [text for text in found if text is not None]
