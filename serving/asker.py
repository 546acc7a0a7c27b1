"""Where a request comes from: the address of its connection, or the one that a proxy on this machine names.

Whoever counts by address (serving/attempts.py, serving/crowd.py) would take all who come through a proxy for one.
"""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers
from starlette.types import Scope

from serving.access import is_loopback


def asker(scope: Scope, behind_proxy: bool) -> str:
    """The address that asks; "" where there is none.

    behind_proxy: X-Forwarded-For counts where the connection comes from this machine; its last address only, which is
    the one that our proxy has put there: those before it are what the client said.
    """
    address = str(scope["client"][0]) if scope.get("client") else ""
    if behind_proxy and is_loopback(address):
        named = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).rpartition(",")[2].strip()
        if place(named):
            return named
    return address


def place(address: str) -> str:
    """What counts as one: an IPv4 address, or an IPv6 network, as whoever has an address there has all 2^64.

    "" for what is none: a Unix socket, or a server under test.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
