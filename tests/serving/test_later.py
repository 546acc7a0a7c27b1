"""serving/later.py: the one way in which capacity is refused."""

from __future__ import annotations

import json

from serving.later import Later, no_room


def test_a_refusal_that_passes_has_a_status_a_time_and_a_reason() -> None:
    answer = Later(503, "64 are watching, no more can", 9.2).answer()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert json.loads(bytes(answer.body)) == {"detail": "64 are watching, no more can"}
    assert Later(429, "too many", 0.1).answer().headers["retry-after"] == "1"  # 0 would be asked again at once
    assert (no_room("full").status_code, no_room("full").headers) == (507, {"retry-after": "60"})
