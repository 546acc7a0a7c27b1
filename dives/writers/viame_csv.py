"""viame.csv: the sightings as tracks for VIAME and DIVE, where people look at them and mend them.

A classifier has no boxes: each detection is the whole picture, as VIAME's own frame classifiers write theirs.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Sequence
from contextlib import ExitStack
from typing import ClassVar

from dives.partial import PartialFile
from dives.writers.base import Dive, SightingIds, score
from realtime.frames import FrameResult
from realtime.sightings import Sighting

HEADER = (
    *("# 1: Detection or Track-id", "2: Video or Image Identifier", "3: Unique Frame Identifier"),
    *("4-7: Img-bbox(TL_x", "TL_y", "BR_x", "BR_y)", "8: Detection or Length Confidence"),
    *("9: Target Length (0 or -1 if invalid)", "10-11+: Repeated Species", "Confidence Pairs or Attributes"),
)
PER_ROW = 5  # numbers kept of each row of the sighting that goes on: 4 MB after an hour of it


class ViameCsv:
    """A line per classified frame that shows a stable label; a track per sighting, with the sighting's id.

    The label of a track is that of the last line DIVE reads of it, so every line carries the sighting's label and mean
    probability, and the frame's own probability stands in column 8.
    """

    name: ClassVar[str] = "viame.csv"

    def begin(self, dive: Dive, files: ExitStack) -> None:
        """Writes the header lines."""
        self._dive = dive
        self._ids = SightingIds(dive)
        self._rows = array("d")
        self._of = 0
        self._label = 0
        self._file = files.enter_context(PartialFile(dive.folder / self.name, "w"))
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._csv.writerow(HEADER)
        if dive.info.rate:
            self._csv.writerow(["# metadata", f"fps: {dive.info.rate:.6g}"])

    def frame(self, row: FrameResult) -> None:
        """Keeps the row until its sighting is over, and with it the mean probability known."""
        number, label = self._ids.step(row), row.stable.index
        if number is None or label is None:
            return
        if number != self._of:
            self._flush()
            self._of, self._label = number, label
        self._rows.extend((row.index, row.media_s, *row.size_hw, float(row.probabilities[label])))

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Writes the last track and completes the file."""
        self._flush()
        self._file.commit()

    def _flush(self) -> None:
        rows = [self._rows[k : k + PER_ROW] for k in range(0, len(self._rows), PER_ROW)]
        if not rows:
            return
        mean = sum(row[-1] for row in rows) / len(rows)
        for index, media_s, height, width, probability in rows:
            frame = int(index)
            picture = self._dive.files.at(frame)[0].path.name if self._dive.info.kind == "pictures" else _clock(media_s)
            box = (0, 0, int(width), int(height))
            label = self._dive.contract.labels[self._label]
            self._csv.writerow([self._of, picture, frame, *box, score(probability), -1, label, score(mean)])
        del self._rows[:]


def _clock(seconds: float) -> str:
    """HH:MM:SS.ffffff, as VIAME names the pictures of a video."""
    whole, micros = divmod(max(0, round(seconds * 1e6)), 1_000_000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}.{micros:06d}"
