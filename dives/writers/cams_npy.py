"""cams.npy: the heat maps, uint8 [n, G, G] in the order of frames.csv, for numpy.load (memory-mapped if wished)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import ClassVar

import numpy as np

from dives.partial import PartialFile
from dives.writers.base import Dive
from realtime.frames import FrameResult
from realtime.sightings import Sighting


class CamsNpy:
    """Map k belongs to line k of frames.csv, counted from 0."""

    name: ClassVar[str] = "cams.npy"

    def begin(self, dive: Dive, files: ExitStack) -> None:
        """Writes the numpy header."""
        self._file = files.enter_context(PartialFile(dive.folder / self.name, "wb"))
        side = dive.contract.cam_size
        header = {"descr": "|u1", "fortran_order": False, "shape": (dive.frames, side, side)}
        # Written as a stream: a memory map on a disk that fills up kills the process with SIGBUS.
        np.lib.format.write_array_header_1_0(self._file, header)

    def frame(self, row: FrameResult) -> None:
        """Appends one map."""
        self._file.write(row.cam.tobytes())

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Completes the file."""
        self._file.commit()
