"""What a route answers when it does not do what was asked."""

from __future__ import annotations

from pydantic import BaseModel


class Problem(BaseModel):
    """Why, in one sentence."""

    detail: str
