"""The secrets that let people in: one to operate, one to look; and the cookie that a page gets in return for one.

A cookie is signed with its token and holds nothing else: the server remembers nobody, a restart throws nobody out, and
another token makes all cookies of the one before worthless.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

from realtime.errors import SettingsError
from serving.roles import Role

LIFE_S = 30 * 24 * 3600
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no two that look alike: people type this into a phone
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,128}")  # as it stands in an address, a header and a form
_NAMES = {Role.OPERATE: "operate", Role.VIEW: "view"}


def new_token() -> str:
    """20 letters and digits in groups of five: 99 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))


@dataclass(frozen=True, slots=True)
class Tokens:
    """Raises SettingsError, which repeats no token, for one that is too short or has signs that an address has not."""

    operate: str = field(repr=False)
    view: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for flag, token in (("--token", self.operate), ("--view-token", self.view)):
            if token is not None and not _TOKEN.fullmatch(token):
                raise SettingsError(
                    f"{flag}: expected 16 to 128 letters, digits or signs of -._~ (received {len(token)} signs); "
                    "leave it out and one is made"
                )
        if self.operate == self.view:
            raise SettingsError("--token and --view-token: expected two that differ, received the same twice")

    def role_of(self, token: str) -> Role:
        """Whose token this is; takes the same time for all of a length."""
        given = token.encode(errors="replace")
        operate = hmac.compare_digest(given, self.operate.encode())
        view = hmac.compare_digest(given, (self.view or "").encode()) and self.view is not None
        return Role.OPERATE if operate else Role.VIEW if view else Role.NOBODY

    def cookie(self, role: Role, now_s: float) -> str:
        """What the browser keeps in place of the token. role: VIEW or OPERATE. now_s: seconds since 1970."""
        until = f"{int(now_s) + LIFE_S}"
        return f"{_NAMES[role]}.{until}.{self._signature(role, until)}"

    def role_of_cookie(self, text: str, now_s: float) -> tuple[Role, float]:
        """Whose it is and how many seconds it is good for; (NOBODY, 0) for one that is not ours, or not any more."""
        name, _, rest = text.partition(".")
        until, _, signature = rest.partition(".")
        for role, own in _NAMES.items():
            if own == name and re.fullmatch(r"\d{1,12}", until, re.ASCII) and self._secret(role) is not None:
                left_s = int(until) - now_s
                if hmac.compare_digest(signature.encode(), self._signature(role, until).encode()) and left_s > 0:
                    return role, left_s
        return Role.NOBODY, 0.0

    def _secret(self, role: Role) -> str | None:
        return self.operate if role is Role.OPERATE else self.view

    def _signature(self, role: Role, until: str) -> str:
        secret = self._secret(role)
        assert secret is not None  # nobody has this role
        return hmac.new(secret.encode(), f"reeflens {_NAMES[role]} {until}".encode(), hashlib.sha256).hexdigest()
