"""How an operator names a camera, and how its password stays where it was given."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from realtime.errors import SettingsError

HIDDEN = "***"
NETWORK_SCHEMES = ("rtsp", "rtsps", "http", "https")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_USB = re.compile(r"usb:(\d{1,3})")
_DEVICE = re.compile(r"/dev/video\d{1,3}")


def redact(text: str) -> str:
    """An address without what may be secret in it; text without an address is returned as it is.

    Left are scheme, host, port, and a path without "=". Everything before the last "@" goes, since passwords hold signs
    that end a host name elsewhere, and so do all queries: too many words mean "password".
    """
    found = _SCHEME.search(text)
    if found is None:
        return text
    before, scheme, rest = text[: found.start()], found[1], text[found.end() :]
    _user, at, place = rest.rpartition("@")
    shown = re.split(r"[?#;\s]", place, maxsplit=1)[0]
    host, slash, path = shown.partition("/")
    if "=" in path:  # /user=admin_password=1234_channel=1.sdp is how some recorders want it
        path = HIDDEN
    elif shown != place:
        path += HIDDEN
    return f"{before}{scheme}://{HIDDEN + '@' if at else ''}{host}{slash}{path}"


def is_camera(place: str) -> bool:
    """Whether a source's place names a camera (an address, `usb:0`, `/dev/video0`), not a path of this machine."""
    return bool(_SCHEME.match(place) or _USB.fullmatch(place) or _DEVICE.fullmatch(place))


def usb_device(place: str) -> int | str | None:
    """What to open for `usb:2` or `/dev/video2`; None for anything else."""
    if found := _USB.fullmatch(place):
        return int(found[1])
    return place if _DEVICE.fullmatch(place) else None


def check_camera(name: str, place: str) -> None:
    """Raises SettingsError for a place that cannot name a camera. Its text never repeats user names or passwords."""
    if usb_device(place) is not None:
        return
    found = _SCHEME.match(place)
    scheme = found[1].lower() if found else ""
    if scheme not in NETWORK_SCHEMES:
        raise SettingsError(f"source {name}: {scheme}:// is none of {', '.join(NETWORK_SCHEMES)}")
    try:
        parts = urlsplit(place)
        usable = bool(parts.hostname) and parts.port != 0 and not re.search(r"[\s\x00-\x1f]", place)
    except ValueError:  # a port that is no number, most often a password with a sign in it
        usable = False
    if not usable:
        raise SettingsError(
            f"source {name}: expected {scheme}://USER:PASSWORD@HOST:PORT/PATH, with %-codes for signs in the password "
            "(%40 for @, %2F for /, %3A for :, %23 for #)"
        )
