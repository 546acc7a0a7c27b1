"""Fuzzing: whatever bytes a file holds or a client sends, a parser of ours takes them or refuses them in its own words.

`make fuzz` runs it long: FUZZ_INPUTS is how many each target gets. Hypothesis puts inputs together from what the
target's language is made of; each is then damaged some more at random, by a seed that is part of the example.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from fuzz_targets import Target, targets
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

MEMORY = Path("/dev/shm")  # where there is one, no disk is asked for the millions of small files
FOLDER = TemporaryDirectory(prefix="reeflens-fuzz-", dir=MEMORY if MEMORY.is_dir() else None)
TARGETS = targets(Path(FOLDER.name))
DAMAGES = 9  # of each example
LONG = "FUZZ_INPUTS" in os.environ
INPUTS = int(os.environ.get("FUZZ_INPUTS", "300"))
tried: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def total() -> Iterator[None]:
    yield
    print(f"\nfuzzed: {tried.total():,} inputs in {len(tried)} targets")  # seen with -s, as in `make fuzz`


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_right_and_what_once_was_a_bug(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].read(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_taken_or_refused_in_our_words(name: str) -> None:
    target = TARGETS[name]

    @settings(
        max_examples=max(1, INPUTS // (1 + DAMAGES) // target.slow),
        database=None,
        derandomize=not LONG,  # the ordinary run is the same every time
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=inputs(target), seed=st.integers(0, 2**32))
    def taken_or_refused(data: bytes, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(1 + DAMAGES):
            tried[name] += 1
            try:
                target.read(data)
            except Exception as error:
                error.add_note(f"{name}: {data!r}")
                raise
            data = damaged(data, target, chance)

    taken_or_refused()


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Any bytes, something right, or a chain of words of the target's language, with pieces of right ones between."""
    words = [*target.tokens, *target.seeds] or [b""]
    chain = st.lists(st.one_of(st.sampled_from(words), st.binary(max_size=6)), max_size=12).map(b"".join)
    return st.one_of(st.sampled_from(target.seeds), chain, st.binary(max_size=200))


def damaged(data: bytes, target: Target, chance: random.Random) -> bytes:
    """The same with one thing done to it: bits turned, a piece cut out, doubled or moved, a word put in, cut short."""
    at, end = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
    match chance.randrange(7):
        case 0 if data:
            at = min(at, len(data) - 1)
            return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        case 1:
            return data[:at] + data[end:]
        case 2:
            return data[:end] + data[at:][:4096]
        case 3 if target.tokens:
            return data[:at] + chance.choice(target.tokens) + data[at:]
        case 4 if target.tokens:
            return data[:at] + chance.choice(target.tokens) + data[end:]
        case 5:
            return data[:at]
        case _:
            return data[:at] + chance.randbytes(chance.randint(1, 4)) + data[at + chance.randint(0, 4) :]
