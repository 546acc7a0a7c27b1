"""Two models are compared picture by picture, and luck is called luck."""

from __future__ import annotations

import pytest

from training.compare import PictureAnswer, compare


def answers(predicted: str) -> list[PictureAnswer]:
    """One letter a picture: what is said of it; every picture is an "a"."""
    return [PictureAnswer(f"{i}.jpg", "a", letter, 0.5 + i / 100, letter == "a") for i, letter in enumerate(predicted)]


def test_gained_lost_and_otherwise_are_told_with_the_surest_wrong_answer_first() -> None:
    found = compare("new", answers("aaabbc"), "old", answers("abbabb"))
    assert (found.both_right, found.both_wrong, found.pictures) == (1, 2, 6)
    assert [one.file for one in found.gained] == ["2.jpg", "1.jpg"]
    assert [one.file for one in found.lost] == ["3.jpg"]
    assert [(one.file, one.predicted, one.against) for one in found.otherwise] == [("5.jpg", "c", "b")]
    assert found.difference == pytest.approx(found.accuracy - found.against_accuracy)
    assert found.low < found.difference < found.high
    assert "cannot be told apart" in found.verdict


def test_a_clear_difference_is_called_one_and_has_a_direction() -> None:
    found = compare("new", answers("a" * 60), "old", answers("a" * 40 + "b" * 20))
    assert found.low > 0
    assert found.verdict.startswith("new is better than old")
    back = compare("old", answers("a" * 40 + "b" * 20), "new", answers("a" * 60))
    assert back.verdict.startswith("old is worse than new")
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))


def test_only_pictures_that_both_have_read_count() -> None:
    assert compare("new", answers("aab"), "old", answers("ab")).pictures == 2
    with pytest.raises(ValueError, match="no picture in common"):
        compare("new", answers("a"), "old", [])
