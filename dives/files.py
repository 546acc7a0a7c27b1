"""Which file a frame of a dive is in: a dive is one video, several chapters of one, or a folder of pictures."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """One video or picture of a dive.

    first_frame: number within the dive of the file's frame 0. first_s: media time of the dive, in seconds, at the
    file's own media time 0.
    """

    path: Path
    first_frame: int = 0
    first_s: float = 0.0


class Files:
    """All files of a dive in order; ``at`` finds the one that a frame is in."""

    def __init__(self, files: Sequence[RecordedFile]) -> None:
        """files: in order of ``first_frame``, the first of which is 0. Raises ValueError otherwise."""
        self._first = [file.first_frame for file in files]
        if not files or self._first[0] != 0 or sorted(self._first) != self._first:
            raise ValueError(f"files: expected them in order from frame 0, received {self._first}")
        self.all = tuple(files)

    @classmethod
    def one(cls, video: Path) -> Files:
        """A dive that is one video."""
        return cls([RecordedFile(video)])

    @classmethod
    def pictures(cls, paths: Sequence[Path], interval_s: float) -> Files:
        """A folder of pictures that stand ``interval_s`` seconds apart; each is frame 0 of its file."""
        return cls([RecordedFile(path, k, k * interval_s) for k, path in enumerate(paths)])

    def at(self, frame: int) -> tuple[RecordedFile, int]:
        """The file that holds the dive's ``frame``, and the frame's number within that file, from 0."""
        file = self.all[bisect_right(self._first, frame) - 1]
        return file, frame - file.first_frame
