"""What a route answers when it does not do what was asked."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Problem(BaseModel):
    """Why, in one sentence."""

    detail: str


def problem(description: str) -> dict[str, Any]:
    """For a route's ``responses``: JSON, also where the route itself answers with a picture or plain text.

    A `model` there would be declared as of the route's own type. Some route has to name Problem as its model, or the
    schema lacks it.
    """
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    return {"description": description, "content": content}
