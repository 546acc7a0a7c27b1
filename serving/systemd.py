"""Tells a service manager that the server is ready, alive and stopping: systemd's notification protocol, sd_notify(3).

One datagram to the socket that NOTIFY_SOCKET names; nothing where it is not set.
"""

from __future__ import annotations

import logging
import socket

log = logging.getLogger(__name__)

READY = "READY=1"
WELL = "WATCHDOG=1"
STOPPING = "STOPPING=1"


def tell(address: str, state: str, words: str = "") -> None:
    """Sends ``state``, and what `systemctl status` is to show. address: of the socket; "" for nobody. Never waits."""
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    place = f"\0{address[1:]}" if address.startswith("@") else address
    lines = f"{state}\nSTATUS={words}" if words else state
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.setblocking(False)
            manager.sendto(lines.encode(), place)
    except OSError as error:  # a manager that is restarted; the next word reaches it
        log.debug("the service manager was not told %s: %s", state, error)
