"""Pictures from disk as the model will see them, for calibration and comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime.errors import DataError, SourceError
from realtime.frames import Frame
from realtime.labels import label_key
from realtime.sources import PictureFolder


def read_pictures(path: Path, size: int, most: int) -> NDArray[np.uint8]:
    """At most so many pictures of a folder, or of a tree with a folder per class, as uint8 [M, size, size, 3] RGB.

    Of a tree one picture is taken from each class in turn, so that all have about the same share; unreadable files are
    passed over. Raises DataError when there is no picture at all.
    """
    return read_labelled(path, size, most, ())[0]


def read_labelled(
    path: Path, size: int, most: int, labels: Sequence[str]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """``read_pictures``, and beside it the class of each, int64 [M]: the label its folder is named after, else -1."""
    if not path.is_dir():
        raise DataError(f"{path}: no such folder of pictures")
    numbers = {label_key(label): number for number, label in enumerate(labels)}
    frames: list[NDArray[np.uint8]] = []
    classes: list[int] = []
    with ExitStack() as stack:
        turns: list[tuple[int, Iterator[Frame]]] = []
        for folder in (path, *sorted(entry for entry in path.iterdir() if entry.is_dir())):
            try:
                pictures = iter(stack.enter_context(PictureFolder(folder)))
            except SourceError:
                continue  # a tree has no pictures at its top; one class without any does not hurt
            turns.append((-1 if folder == path else numbers.get(label_key(folder.name), -1), pictures))
        while turns and len(frames) < most:
            for turn in turns[: most - len(frames)]:
                frame = next(turn[1], None)
                if frame is None:
                    turns.remove(turn)
                else:
                    frames.append(frame.picture.model_input(size))
                    classes.append(turn[0])
    if not frames:
        raise DataError(f"{path}: holds no picture that can be read; expected pictures, or a folder of them per class")
    return np.stack(frames), np.array(classes, np.int64)
