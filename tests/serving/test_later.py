"""serving/later.py: the one way in which capacity is refused."""

from __future__ import annotations

import json

import pytest

from dives.uploads import UploadError
from serving.desk import refused
from serving.later import Later, no_room


def test_a_refusal_that_passes_has_a_status_a_time_and_a_reason() -> None:
    answer = Later(503, "64 are watching, no more can", 9.2).answer()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert json.loads(bytes(answer.body)) == {"detail": "64 are watching, no more can"}
    assert Later(429, "too many", 0.1).answer().headers["retry-after"] == "1"  # 0 would be asked again at once
    assert (no_room("full").status_code, no_room("full").headers) == (507, {"retry-after": "60"})


@pytest.mark.parametrize(("kind", "status"), [("full", 507), ("crowded", 503), ("busy", 423)])
def test_an_upload_without_room_is_told_when_to_come_back(kind: str, status: int) -> None:
    answer = refused(UploadError(kind, "not now"))
    assert (answer.status_code, answer.detail) == (status, "not now")
    assert answer.headers is not None
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("kind", ["too-big", "offset", "gone"])
def test_an_upload_that_waiting_does_not_help_is_not_told_to_wait(kind: str) -> None:
    assert "retry-after" not in (refused(UploadError(kind, "never", offset=5)).headers or {})
