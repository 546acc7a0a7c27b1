"""The real network with few filters, for tests of what is done with a network and not of the network: a third of the
time, which VGG16's 15 million weights spend being drawn, moved by optimizers and written to disk.

python few_filters.py ARGUMENTS      the command `reeflens ARGUMENTS` with it
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[2]))

from training import run
from training.model import build_model

NARROW = (8, 8, 16, 16, 16, 16, 16, 24, 24, 24, 24, 24, 24)


@contextmanager
def few_filters() -> Iterator[None]:
    """Within it `train` and `tune` build NARROW where they would build VGG16; nothing else is another."""
    with (
        mock.patch.object(run, "WIDTHS", NARROW),
        mock.patch.dict(build_model.__kwdefaults__, widths=NARROW),  # of who names no widths
    ):
        yield


if __name__ == "__main__":
    from cli import main

    with few_filters():
        main()
