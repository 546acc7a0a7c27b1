"""Pictures from disk as the model will see them, for calibration and comparison."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime.errors import DataError, SourceError
from realtime.frames import Frame
from realtime.sources import PictureFolder


def read_pictures(path: Path, size: int, most: int) -> NDArray[np.uint8]:
    """At most so many pictures of a folder, or of a tree with a folder per class, as uint8 [M, size, size, 3] RGB.

    Of a tree one picture is taken from each class in turn, so that all have about the same share; unreadable files are
    passed over. Raises DataError when there is no picture at all.
    """
    if not path.is_dir():
        raise DataError(f"{path}: no such folder of pictures")
    frames: list[NDArray[np.uint8]] = []
    with ExitStack() as stack:
        turns: list[Iterator[Frame]] = []
        for folder in (path, *sorted(entry for entry in path.iterdir() if entry.is_dir())):
            try:
                turns.append(iter(stack.enter_context(PictureFolder(folder))))
            except SourceError:
                continue  # a tree has no pictures at its top; one class without any does not hurt
        while turns and len(frames) < most:
            for turn in turns[: most - len(frames)]:
                frame = next(turn, None)
                if frame is None:
                    turns.remove(turn)
                else:
                    frames.append(frame.picture.model_input(size))
    if not frames:
        raise DataError(f"{path}: holds no picture that can be read; expected pictures, or a folder of them per class")
    return np.stack(frames)
