"""Origin, Host, token and role over every route and websocket of a real server; what is a table there is one here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from running import WAIT_S, Running, closing, running, text
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from realtime.errors import SettingsError
from server import ServerSettings, create_app
from serving.attempts import FREE
from serving.roles import NEEDS, SOCKET, Role, needed

OPERATE, VIEW = "operate-0123456789", "view-0123456789abc"
BEARER = {Role.VIEW: {"authorization": f"Bearer {VIEW}"}, Role.OPERATE: {"authorization": f"bearer {OPERATE}"}}
HTTP = [(method, path) for method, path in NEEDS if method != SOCKET]
SOCKETS = [path for method, path in NEEDS if method == SOCKET]


@pytest.fixture(scope="module")
def server(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(
        toy_model,
        sources={"scene": "scene"},
        library=tmp_path_factory.mktemp("library"),
        token=OPERATE,
        view_token=VIEW,
    ) as started:
        yield started


def filled(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "scene", path)


def cookie_of(server: Running, token: str) -> dict[str, str]:
    """What a browser sends once it is logged in."""
    answer = httpx.post(f"{server.url}api/session", json={"token": token})
    assert answer.status_code == 200
    name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
    return {"cookie": f'theme=dark; odd cookie={{"a": [1]}}; {name}={value}; other'}


def test_every_route_and_websocket_stands_in_the_table_and_nothing_else() -> None:
    found, stack = set(), list(create_app(ServerSettings(model=Path("any.onnx"))).routes)
    while stack:
        route = stack.pop()
        stack.extend(getattr(getattr(route, "original_router", None), "routes", []))
        if (path := getattr(route, "path", None)) is not None:
            methods = getattr(route, "methods", None) or {SOCKET}
            found |= {(method, path) for method in methods if method != "HEAD"}
    assert found == NEEDS.keys()


def test_what_the_table_lacks_needs_the_most() -> None:
    assert needed("GET", "/api/new") is Role.OPERATE
    assert needed("PUT", "/api/status") is Role.OPERATE
    assert needed(SOCKET, "/ws/other") is Role.OPERATE
    assert needed("HEAD", "/api/status") is Role.VIEW
    for method, path in HTTP:  # looking changes nothing, and whoever looks may look everywhere
        if path != "/api/session":
            assert (NEEDS[method, path] <= Role.VIEW) == (method == "GET")


@pytest.mark.parametrize("way", ["bearer", "cookie"])
def test_every_route_lets_in_who_may_and_nobody_else(server: Running, way: str) -> None:
    creds = {Role.NOBODY: {}} | (
        BEARER if way == "bearer" else {Role.VIEW: cookie_of(server, VIEW), Role.OPERATE: cookie_of(server, OPERATE)}
    )
    for method, path in HTTP:
        for role, headers in creds.items():
            answer = server.http.request(method, filled(path), headers=headers)
            told = (method, path, role, answer.status_code)
            if role >= NEEDS[method, path]:
                assert answer.status_code not in (303, 401, 403), told
            elif path in ("/", "/dives"):
                assert answer.status_code == 303, told
                assert answer.headers["location"].startswith("login?to="), told
            elif role is Role.NOBODY:
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), told
            else:
                assert (answer.status_code, answer.json()["detail"][:15]) == (403, "this token lets"), told


def test_every_route_refuses_foreign_pages_and_foreign_names_whatever_the_token(server: Running) -> None:
    for method, path in HTTP:
        for foreign in (
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"host": "evil.example"},
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
            {"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        ):
            answer = server.http.request(method, filled(path), headers={**BEARER[Role.OPERATE], **foreign})
            assert answer.status_code == 403, (method, path, foreign)
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize(
    ("who", "foreign", "code"),
    [
        ("nobody", {}, 4401),
        ("view", {}, None),
        ("operate", {}, None),
        ("operate", {"origin": "http://evil.example"}, 1008),
        ("operate", {"origin": "null"}, 1008),
        ("cookie", {}, None),
        ("cookie", {"origin": "http://evil.example"}, 1008),
    ],
)
def test_every_websocket_lets_in_who_may_and_nobody_else(
    server: Running, path: str, who: str, foreign: dict[str, str], code: int | None
) -> None:
    headers = {
        "nobody": {},
        "view": BEARER[Role.VIEW],
        "operate": BEARER[Role.OPERATE],
        "cookie": cookie_of(server, OPERATE) if who == "cookie" else {},
    }[who]
    if who == "view" and NEEDS[SOCKET, path] is Role.OPERATE:
        code = 4403
    with connect(
        f"ws://{server.authority}{filled(path)}", additional_headers={**headers, **foreign}, open_timeout=WAIT_S
    ) as socket:
        if code is None:
            assert text(socket)["type"] == "hello"
        else:
            assert closing(socket)[0] == code


def test_a_link_with_the_token_becomes_a_cookie_and_leaves_no_token_in_the_address(server: Running) -> None:
    for path, onwards in (("", "./"), ("dives", "dives")):
        answer = httpx.get(f"{server.url}{path}?token={VIEW}")
        assert (answer.status_code, answer.headers["location"]) == (303, onwards)
        cookie = answer.headers["set-cookie"]
        assert VIEW not in cookie
        assert cookie.startswith(f"reeflens-{server.authority.rpartition(':')[2]}=view.")
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie  # over http a browser would not take it
    wrong = httpx.get(f"{server.url}?token=no-token-of-this-server")
    assert (wrong.status_code, wrong.headers["location"]) == (303, "login?to=live&why=wrong")
    assert "set-cookie" not in wrong.headers


def test_logging_in_and_out_and_asking_who_one_is(server: Running) -> None:
    with httpx.Client(base_url=server.url) as browser:
        assert browser.get("api/session").json() == {"role": "nobody", "guarded": True}
        assert browser.post("api/session", json={"token": "wrong"}).status_code == 401
        assert browser.post("api/session", json={"token": f" {VIEW}\n"}).json() == {"role": "view", "guarded": True}
        assert browser.get("api/status").headers["cache-control"] == "private, no-cache"
        assert browser.get("").status_code == 200
        assert browser.delete("api/session").status_code == 204
        assert browser.get("api/status").status_code == 401


def test_who_guesses_has_to_wait_and_who_is_in_stays_in(toy_model: Path) -> None:
    with running(toy_model, token=OPERATE) as server:
        inside = cookie_of(server, OPERATE)
        for number in range(FREE):
            answer = httpx.get(f"{server.url}api/status", headers={"authorization": f"Bearer guess-{number:016}"})
            assert answer.status_code == 401
        for headers in ({"authorization": "Bearer guess"}, BEARER[Role.OPERATE]):  # not even looked at
            answer = httpx.get(f"{server.url}api/status", headers=headers)
            assert (answer.status_code, int(answer.headers["retry-after"])) == (429, 1)
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://{server.authority}/ws/live/scene", additional_headers=BEARER[Role.OPERATE])
        assert (refused.value.response.status_code, refused.value.response.headers["retry-after"]) == (429, "1")
        assert httpx.get(f"{server.url}?token={OPERATE}").headers["location"] == "login?to=live&why=later"
        assert httpx.get(f"{server.url}api/status", headers=inside).status_code == 200


def test_a_page_of_another_site_cannot_use_up_the_attempts_of_who_opened_it(server: Running) -> None:
    for _ in range(3 * FREE):
        picture = {"sec-fetch-dest": "image", "sec-fetch-site": "cross-site"}
        assert httpx.get(f"{server.url}?token=guess", headers=picture).status_code == 403
    assert httpx.get(f"{server.url}api/status", headers=BEARER[Role.VIEW]).status_code == 200


def test_an_old_cookie_is_no_guess(server: Running) -> None:
    port = server.authority.rpartition(":")[2]
    for _ in range(3 * FREE):
        stale = {"cookie": f"reeflens-{port}=operate.1900000000.{'0' * 64}"}
        assert httpx.get(f"{server.url}api/status", headers=stale).status_code == 401
    assert httpx.get(f"{server.url}api/status", headers=BEARER[Role.VIEW]).status_code == 200


def test_no_token_is_in_any_answer(server: Running) -> None:
    for method, path in HTTP:
        if method == "GET":
            answer = server.http.get(filled(path), headers=BEARER[Role.OPERATE])
            told = answer.text + json.dumps(dict(answer.headers))
            assert OPERATE not in told, path
            assert VIEW not in told, path


def test_on_this_machine_nobody_is_asked_and_elsewhere_everybody_unless_that_is_wanted() -> None:
    any_model = Path("any.onnx")
    for host in ("127.0.0.1", "localhost", "::1", "127.0.0.2"):
        assert ServerSettings(model=any_model, host=host).tokens is None
    for host in ("0.0.0.0", "::", "", "192.168.1.20", "reef-box"):
        one, other = ServerSettings(model=any_model, host=host), ServerSettings(model=any_model, host=host)
        assert one.tokens is not None
        assert one.token not in (None, other.token)
        assert ServerSettings(model=any_model, host=host, insecure=True).tokens is None
    behind = ServerSettings(model=any_model, public_origins=["https://reef.example.org"])
    assert behind.tokens is not None
    looking = ServerSettings(model=any_model, view_token=VIEW)
    assert looking.tokens is not None
    assert looking.tokens.role_of(VIEW) is Role.VIEW
    assert VIEW not in repr(looking)
    with pytest.raises(SettingsError, match="--insecure: lets everyone in"):
        ServerSettings(model=any_model, token=OPERATE, insecure=True)


def test_without_tokens_a_link_with_one_still_loses_it(toy_model: Path) -> None:
    with running(toy_model) as server:
        assert server.http.get("?token=whatever").headers["location"] == "./"
        assert server.http.get("api/session").json() == {"role": "operate", "guarded": False}
        assert "set-cookie" not in server.http.post("api/session", json={"token": "x"}).headers


def test_a_request_that_is_too_long_is_not_read_to_its_end(server: Running) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 1000

    announced = httpx.post(f"{server.url}api/session", content=b"x" * 300_000)
    assert (announced.status_code, announced.json()) == (413, {"detail": "a request may have 262144 bytes"})
    streamed = httpx.post(f"{server.url}api/session", content=pieces(), headers={"content-type": "application/json"})
    assert streamed.status_code == 413
