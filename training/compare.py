"""Compares two models on the same photographs: which is better, how sure that is, and which pictures changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.measures import difference_interval, mcnemar

ALPHA = 0.05  # below this chance two models are called different


@dataclass(frozen=True, slots=True)
class PictureAnswer:
    """What a model said of one file; right: whether that is its class."""

    file: str
    label: str
    predicted: str
    probability: float
    right: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """A picture that the two models answer differently."""

    file: str
    label: str
    predicted: str
    probability: float
    against: str
    against_probability: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The model that was evaluated, and the one that it is held against, on the pictures that both could read.

    difference: of the accuracies, with its 95 % interval low..high; above 0 the evaluated one is better. p_value: of
    McNemar's exact test. gained, lost: pictures that only the evaluated one, only the other has right. otherwise: both
    wrong, each in its own way. Within each list the surest wrong answers come first.
    """

    model: str
    against: str
    pictures: int
    accuracy: float
    against_accuracy: float
    difference: float
    low: float
    high: float
    p_value: float
    both_right: int
    both_wrong: int
    gained: tuple[Changed, ...]
    lost: tuple[Changed, ...]
    otherwise: tuple[Changed, ...]

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.p_value >= ALPHA:
            return f"On these {self.pictures:,} pictures the two cannot be told apart (p = {self.p_value:.2g})."
        better = "better" if self.difference > 0 else "worse"
        p = "p < 0.0001" if self.p_value < 1e-4 else f"p = {self.p_value:.2g}"
        return f"{self.model} is {better} than {self.against}: equally good models would seldom differ so much ({p})."

    def to_text(self) -> str:
        """A few lines for a person."""
        points = 100 * self.difference
        return "\n".join(
            [
                f"against {self.against} on the same {self.pictures:,} pictures",
                f"accuracy  {self.accuracy:.1%} against {self.against_accuracy:.1%}: {points:+.1f} points "
                f"(95 % interval {100 * self.low:+.1f} to {100 * self.high:+.1f}), McNemar p = {self.p_value:.2g}",
                f"gained    {len(self.gained):,} pictures, lost {len(self.lost):,}; "
                f"{self.both_right:,} right and {self.both_wrong:,} wrong with both",
                self.verdict,
            ]
        )


def compare(model: str, answers: Sequence[PictureAnswer], against: str, others: Sequence[PictureAnswer]) -> Comparison:
    """Both sides' answers to the same trees, matched by file. Raises ValueError when they share no picture."""
    other_of = {other.file: other for other in others}
    pairs = [(one, other_of[one.file]) for one in answers if one.file in other_of]
    if not pairs:
        raise ValueError("the two models have answered no picture in common")
    gained = [pair for pair in pairs if pair[0].right and not pair[1].right]
    lost = [pair for pair in pairs if pair[1].right and not pair[0].right]
    otherwise = [
        (one, other) for one, other in pairs if not one.right and not other.right and one.predicted != other.predicted
    ]
    low, high = difference_interval(len(gained), len(lost), len(pairs))
    return Comparison(
        model=model,
        against=against,
        pictures=len(pairs),
        accuracy=sum(one.right for one, _ in pairs) / len(pairs),
        against_accuracy=sum(other.right for _, other in pairs) / len(pairs),
        difference=(len(gained) - len(lost)) / len(pairs),
        low=low,
        high=high,
        p_value=mcnemar(len(gained), len(lost)),
        both_right=sum(one.right and other.right for one, other in pairs),
        both_wrong=sum(not one.right and not other.right for one, other in pairs),
        gained=tuple(_changed(one, other) for one, other in sorted(gained, key=lambda p: -p[1].probability)),
        lost=tuple(_changed(one, other) for one, other in sorted(lost, key=lambda p: -p[0].probability)),
        otherwise=tuple(_changed(one, other) for one, other in sorted(otherwise, key=lambda p: -p[0].probability)),
    )


def _changed(one: PictureAnswer, other: PictureAnswer) -> Changed:
    return Changed(one.file, one.label, one.predicted, one.probability, other.predicted, other.probability)
