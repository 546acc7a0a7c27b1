"""stills/: the best frame of every sighting, as recorded and with its heat map."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dives.seeking import Moment, pictures_at
from dives.stills import FOLDER, Still, remove_stills, save_still, still_names
from dives.writers.base import Dive, SightingIds
from realtime.frames import FrameResult
from realtime.sightings import Sighting

MAX_SIDE = 1920  # of the picture: a label can be judged at that, and a dive's stills stay some 100 MB
LABEL_CHARACTERS = 40  # of a label in a file name, which may have 255 bytes


class Stills:
    """Comes before the writers that name the stills; they ask for them by the number of the sighting.

    A still's name holds what it is of, so one that an earlier run left is kept, and one that no sighting asks for is
    removed. A frame that can't be read again has no still, and is counted in ``missing``.

    skip: make none. seek: False when times of frames were guessed, see pictures_at. tell: called with the stills done
    and wanted after each. Ctrl-C ends the making, not the results: ``interrupted`` says so afterwards.
    """

    name: ClassVar[str] = FOLDER

    def __init__(
        self, *, skip: bool = False, seek: bool = True, tell: Callable[[int, int], None] = lambda done, total: None
    ) -> None:
        self.missing = 0
        self.interrupted = False
        self._skip = skip
        self._seek = seek
        self._tell = tell
        self._of: list[Still | None] = []

    def of(self, number: int) -> Still | None:
        """The still of sighting ``number``, from 1, with names relative to the dive's folder; None when there is none.

        Known from ``finish`` on.
        """
        still = self._of[number - 1]
        return None if still is None else Still(f"{FOLDER}/{still.plain}", f"{FOLDER}/{still.overlay}")

    def begin(self, dive: Dive, files: ExitStack) -> None:
        """Makes nothing yet: which frames are best is known at the end."""
        self._dive = dive
        self._ids = SightingIds(dive)
        self._cams: dict[int, NDArray[np.uint8]] = {}

    def frame(self, row: FrameResult) -> None:
        """Keeps the map of the best frame so far of the sighting that goes on."""
        number = self._ids.step(row)
        if number is not None and self._ids.current is not None and self._ids.current.peak_frame == row.index:
            self._cams[number] = row.cam.copy()

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Makes the stills that are missing and removes those that are too many."""
        if self._skip:
            self._of = [None] * len(sightings)
            return
        folder = self._dive.folder / FOLDER
        stems = [
            still_stem(number, self._dive.contract.labels[sighting.label_index], sighting.peak_frame)
            for number, sighting in enumerate(sightings, start=1)
        ]
        made: dict[int, Still] = {}
        for number, stem in enumerate(stems, start=1):
            still = still_names(stem)
            if (folder / still.plain).is_file() and (folder / still.overlay).is_file():
                made[number] = still
        wanted = [number for number in range(1, len(sightings) + 1) if number not in made]
        moments = [Moment(sightings[n - 1].peak_frame, sightings[n - 1].peak_s) for n in wanted]
        video = self._dive.info.kind == "video"
        pictures = pictures_at(self._dive.files, moments, video=video, seek=self._seek)
        try:
            for number, picture in zip(wanted, pictures, strict=True):
                if picture is not None:
                    made[number] = save_still(folder, stems[number - 1], picture.rgb(MAX_SIDE), self._cams[number])
                else:
                    self.missing += 1
                self._tell(number, len(sightings))
        except KeyboardInterrupt:
            self.interrupted = True
        self._of = [made.get(number) for number in range(1, len(sightings) + 1)]
        remove_stills(
            self._dive.folder, keep={name for still in made.values() for name in (still.plain, still.overlay)}
        )


def still_stem(number: int, label: str, frame: int) -> str:
    """Sorts by sighting, says what it shows, and is another one for another frame: ``0012-sea-turtle-003456``."""
    slug = re.sub(r"\W+", "-", label.casefold())[:LABEL_CHARACTERS].strip("-") or "label"
    return f"{number:04d}-{slug}-{frame:06d}"
