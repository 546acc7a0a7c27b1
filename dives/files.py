"""Which file a frame of a dive is in: a dive is one video, several chapters of one, or a folder of pictures."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from dives.chapters import Chapter, JoinedVideo
from realtime.sources import PictureFolder, Source


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


def files_of(opened: Source, recording: Path, unreadable: Collection[str]) -> Files:
    """What the frames of a dive are in, after all of it was read, by ``opened`` or by the run that finished it.

    recording: the file, when it is one video. unreadable: names of those pictures of a folder that hold no frame.
    """
    if isinstance(opened, JoinedVideo):
        return _of_chapters(opened.chapters)
    if isinstance(opened, PictureFolder):
        return _of_pictures(opened, unreadable)
    return Files.one(recording)


def files_by_now(opened: Source, recording: Path) -> Callable[[], Files]:
    """Tells what the frames are in that were read up to now; the decoder is ahead of the model."""
    known, files = -1, Files.one(recording)

    def by_now() -> Files:
        nonlocal known, files
        if isinstance(opened, JoinedVideo):
            chapters = list(opened.chapters)
            begun = sum(chapter.first_frame is not None for chapter in chapters)
            if begun != known:
                known, files = begun, _of_chapters(chapters)
        elif isinstance(opened, PictureFolder):
            unreadable = {name for name, _ in list(opened.skipped)}
            if len(unreadable) != known:
                known, files = len(unreadable), _of_pictures(opened, unreadable)
        return files

    return by_now


def _of_chapters(chapters: Sequence[Chapter]) -> Files:
    return Files(
        [
            RecordedFile(chapter.path, chapter.first_frame, chapter.offset_s)
            for chapter in chapters
            if chapter.first_frame is not None
        ]
    )


def _of_pictures(folder: PictureFolder, unreadable: Collection[str]) -> Files:
    return Files.pictures([path for path in folder.paths if path.name not in unreadable], folder.interval_s)
