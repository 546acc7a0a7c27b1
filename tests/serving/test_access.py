"""serving/access.py: which requests come in."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from realtime.errors import SettingsError
from serving.access import SECURITY_HEADERS, Authority, parse_authority, public_origin, refusal


def asked(
    host: str | None,
    origin: str | None = None,
    *,
    bound: str = "127.0.0.1",
    port: int | None = 8000,
    scheme: str = "http",
    public: tuple[str, ...] = (),
) -> str | None:
    headers = {"host": host, "origin": origin}
    given_headers = Headers({name: value for name, value in headers.items() if value is not None})
    return refusal(given_headers, scheme, bound, port, public=[*map(public_origin, public)])


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "LocalHost:8000", "192.168.1.20:8000", "Reef-Box:8000"]
)
def test_a_request_that_names_this_server_comes_in(host: str) -> None:
    bound = host.rpartition(":")[0] if host[0] in "1R" else "127.0.0.1"
    assert asked(host, bound=bound) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8000",
        "localhost.evil.example:8000",
        "127.0.0.1.evil.example:8000",
        "127.0.0.1:8001",
        "127.0.0.1",
        "192.168.1.20:8000",
        "user@localhost:8000",
        "localhost:8000/path",
        "localhost:port",
        "localhost:99999",
        "[::1:8000",
        "",
        None,
    ],
)
def test_a_request_that_names_another_host_or_none_is_refused(host: str | None) -> None:
    assert asked(host)


def test_the_port_may_be_left_out_where_it_is_the_usual_one() -> None:
    assert asked("localhost", port=80) is None
    assert asked("localhost", port=443, scheme="wss") is None
    assert asked("localhost", port=443, scheme="http")


def test_two_host_headers_are_refused() -> None:
    headers = Headers(raw=[(b"host", b"localhost:8000"), (b"host", b"localhost:8000")])
    assert refusal(headers, "http", "127.0.0.1", 8000)


@pytest.mark.parametrize("host", ["192.168.1.20:8000", "[fd00::1]:9000", "localhost:9000", socket.gethostname()])
def test_bound_to_every_address_any_bare_address_and_the_own_name_come_in_on_any_port(host: str) -> None:
    assert asked(host, bound="0.0.0.0") is None
    assert asked(host, bound="::") is None


def test_bound_to_every_address_a_foreign_name_is_still_refused() -> None:
    why = asked("evil.example:8000", bound="0.0.0.0")
    assert why is not None
    assert "use its IP address" in why


@pytest.mark.parametrize("origin", [None, "http://localhost:8000", "http://LOCALHOST:8000"])
def test_a_page_of_this_server_may_ask(origin: str | None) -> None:
    assert asked("localhost:8000", origin) is None
    assert asked("localhost:8000", origin, scheme="ws") is None


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost:3000",
        "http://localhost",
        "http://127.0.0.1:8000",  # the same machine, yet to a browser another origin
        "https://localhost",
        "ftp://localhost:8000",
        "chrome-extension://abcdef",
        "null",
        "",
        "localhost:8000",
        "http://localhost:8000/",
    ],
)
def test_a_page_of_anyone_else_may_not(origin: str) -> None:
    why = asked("localhost:8000", origin, scheme="ws")
    assert why is not None
    assert repr(origin) in why


def test_a_page_behind_a_proxy_that_speaks_tls_may_ask() -> None:
    assert asked("reef-box", "https://reef-box", bound="reef-box", port=None) is None
    assert asked("reef-box", "https://evil.example", bound="reef-box", port=None)


PUBLIC = ("https://reef.example.org", "https://boat.example.org:8443/")


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("reef.example.org", None),
        ("Reef.Example.org:443", "https://reef.example.org"),
        ("boat.example.org:8443", "https://boat.example.org:8443"),
        ("localhost:8000", "https://reef.example.org"),  # the proxy writes its own Host
        ("localhost:8000", "http://localhost:8000"),
    ],
)
def test_a_proxy_that_was_named_and_its_pages_come_in(host: str, origin: str | None) -> None:
    for bound in ("127.0.0.1", "0.0.0.0"):
        assert asked(host, origin, bound=bound, scheme="ws", public=PUBLIC) is None


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("evil.example", None),
        ("reef.example.org:8000", None),
        ("boat.example.org", None),
        ("reef.example.org", "https://evil.example"),
        ("reef.example.org", "http://reef.example.org"),
        ("localhost:8000", "https://boat.example.org"),
        ("localhost:8000", "null"),
    ],
)
def test_whoever_else_stays_out_though_a_proxy_was_named(host: str, origin: str | None) -> None:
    for bound in ("127.0.0.1", "0.0.0.0"):
        assert asked(host, origin, bound=bound, public=PUBLIC)


LINK = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    ("method", "path", "how", "comes_in"),
    [
        ("GET", "/", LINK, True),
        ("HEAD", "/dives", LINK, True),
        ("GET", "/login", LINK, True),
        ("GET", "/", {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, False),
        ("GET", "/", {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, False),
        ("GET", "/", {}, False),
        ("POST", "/", LINK, False),
        ("GET", "/api/status", LINK, False),
        ("GET", "/api/dives/1/original", LINK, False),
        ("GET", "/api/sources/reef/thumbnail.jpg", {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, False),
        ("GET", "/assets/live.js", {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"}, False),
        ("GET", "/ws/live/reef", {"sec-fetch-mode": "websocket", "sec-fetch-dest": "empty"}, False),
    ],
)
def test_of_another_site_only_links_to_pages_come_in(
    site: str, method: str, path: str, how: dict[str, str], comes_in: bool
) -> None:
    headers = Headers({"host": "localhost:8000", "sec-fetch-site": site, **how})
    assert (refusal(headers, "http", "127.0.0.1", 8000, method, path=path) is None) is comes_in


@pytest.mark.parametrize("site", ["same-origin", "none", None])
def test_our_own_pages_and_what_somebody_types_come_in_everywhere(site: str | None) -> None:
    headers = Headers({"host": "localhost:8000"} | ({"sec-fetch-site": site} if site else {}))
    assert refusal(headers, "http", "127.0.0.1", 8000, path="/api/status") is None


@pytest.mark.parametrize(
    "text",
    [
        "reef.example.org",
        "ftp://reef.example.org",
        "https://",
        "https://a/b",
        "https://a:0x50",
        "https://u:p@a",
        "*",
        "",
    ],
)
def test_a_public_origin_that_is_none_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^--public-origin: expected [^\n]*$"):
        public_origin(text)


@given(st.text(max_size=40))
def test_any_host_header_is_read_or_refused(text: str) -> None:
    authority = parse_authority(text, 80)
    assert authority is None or (authority.host and 0 <= authority.port <= 65535)


def test_an_ipv6_address_loses_its_brackets() -> None:
    assert parse_authority("[::1]:8000", 80) == Authority("::1", 8000)


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    policy = SECURITY_HEADERS["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not any(word in policy for word in ("unsafe", "http:", "https:", "*"))


def test_only_this_servers_own_pages_may_use_the_camera_and_nothing_else_of_the_device() -> None:
    permissions = SECURITY_HEADERS["permissions-policy"].split(", ")
    assert permissions.pop(0) == "camera=(self)"
    assert all(permission.endswith("=()") for permission in permissions)
