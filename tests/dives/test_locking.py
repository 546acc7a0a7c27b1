"""dives/locking.py: one holder at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from dives.locking import lock


def test_a_second_opening_is_refused_at_once_until_the_first_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("a+b") as second:
        with path.open("a+b") as first:
            lock(first, wait=False)
            with pytest.raises(OSError):
                lock(second, wait=False)
        lock(second, wait=False)
