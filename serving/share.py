"""So many at a time, and only some of them for one address, so that nobody takes all there is alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from serving.asker import place


class Share:
    """Used on one event loop. most: in all. of_one: for one address, None for as many as there are, as it is for those
    of which ``for_many`` says that they stand for many, such as a proxy."""

    def __init__(
        self, most: int, of_one: int | None = None, *, for_many: Callable[[str], bool] = lambda address: False
    ) -> None:
        self.most = most
        self.now = 0
        self._of_one = of_one
        self._for_many = for_many
        self._places: Counter[str] = Counter()

    def take(self, address: str) -> bool:
        """Whether there was one left; ``give`` it back."""
        if self.now >= self.most:
            return False
        if self._of_one is not None and not self._for_many(address):
            one = place(address)
            if self._places[one] >= self._of_one:
                return False
            self._places[one] += 1
        self.now += 1
        return True

    def give(self, address: str) -> None:
        """It is free again."""
        self.now -= 1
        if self._of_one is not None and not self._for_many(address):
            one = place(address)
            self._places[one] -= 1
            if not self._places[one]:
                del self._places[one]
