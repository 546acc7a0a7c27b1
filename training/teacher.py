"""A stronger model as teacher: its answers to the very views that a training shows, beside their true labels.

A teacher is any file that ``realtime.engine`` runs. Only its probabilities are looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime.contract import ModelContract
from realtime.decode import UndecodableError, decode, picture_bytes, strict_decoding
from realtime.engine import Engine
from realtime.errors import ContractError, DataError, EngineError, SettingsError
from realtime.labels import class_key
from realtime.preprocess import resize_rgb
from training.answers import BATCH
from training.dataset import Dataset, working_size
from training.options import TrainOptions
from training.photographs import PhotoFile
from training.progress import Reporter
from training.views import ViewCache, Views

_SIDE, _NAME = "teacher", "answers"  # in the cache of views
_DECODED = 64  # pictures kept at a time: the views of one follow each other, and some threads are ahead of others


@dataclass(frozen=True, slots=True)
class Teacher:
    """A model file that runs here. sha256: of the file."""

    path: Path
    sha256: str
    contract: ModelContract

    def record(self) -> dict[str, str]:
        """What config.json says of it."""
        return {"file": self.path.name, "sha256": self.sha256, "run_id": self.contract.provenance.run_id}


def find_teacher(path: Path) -> Teacher:
    """Opens the model at ``path``, as ``Engine.open`` takes it, and runs one frame. Raises ContractError."""
    try:
        with Engine.open(path) as engine:
            return Teacher(engine.path, engine.sha256, engine.contract)
    except ContractError as error:
        raise ContractError(f"teacher: {error}") from error


def same_classes(theirs: Sequence[str], ours: Sequence[str]) -> NDArray[np.float32]:
    """float32 [theirs, ours]: 1 where the names mean one class, as those of folders do (``class_key``).

    Raises SettingsError when either knows a class that the other does not.
    """
    same = np.array([[class_key(one) == class_key(other) for other in ours] for one in theirs], np.float32)
    lacks = [name for name, known in zip(ours, same.max(axis=0), strict=True) if not known]
    adds = [name for name, known in zip(theirs, same.max(axis=1), strict=True) if not known]
    if lacks or adds:
        told = [f"does not know {', '.join(lacks)}"] * bool(lacks) + [f"knows {', '.join(adds)} besides"] * bool(adds)
        raise SettingsError(f"teacher: expected the classes of the photographs; it {' and '.join(told)}")
    return same


def teacher_answers(
    teacher: Teacher, run: Path, data: Dataset, options: TrainOptions, reporter: Reporter
) -> NDArray[np.float32]:
    """Its probabilities, float32 [N, K, C] in the order of ``data.labels``, of the K views that training shows.

    It sees each view at its own input size, cut out of the photograph and not out of the copy that training keeps: the
    same part, in the same light. What it has answered is kept below ``run``, beside the features and as long as they.

    Raises SettingsError (other classes), DataError (a photograph that is gone), EngineError (it fails, or gives
    anything but probabilities), ResultsError (no room).
    """
    same = same_classes(teacher.contract.labels, data.labels)
    size, drawn_for = teacher.contract.input_size, working_size(options.image_size)
    pictures = _Decoded(data.train.files, working_size(size))
    shown = Views(pictures, options.views, size, options.seed, options.water, drawn_for)
    facts = (teacher.sha256, data.labels, data.train.file_hashes, options.views, options.seed, options.water, drawn_for)
    keys = {_NAME: hashlib.sha256(repr(facts).encode()).hexdigest()}
    rows = {_NAME: ((len(data.labels),), np.float32)}
    with Engine.open(teacher.path) as engine, ViewCache(run, rows, keep=True) as cache, strict_decoding():

        def say(views: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
            found = engine.run(views).probabilities
            if not (found >= 0).all() or not np.allclose(found.sum(axis=1), 1.0, atol=0.01):
                raise EngineError(f"{teacher.path.name}: answers with numbers that are no probabilities")
            return [found @ same]

        reporter.say(f"learning half from {teacher.path}: {size} px, on {engine.provider.name}")
        cache.ask(_SIDE, shown, keys, say, BATCH, "answers of the teacher", reporter)
        return np.array(cache[_NAME, _SIDE])


class _Decoded:
    """The pictures in these files at another size, read when they are asked for."""

    def __init__(self, files: Sequence[PhotoFile], side: int) -> None:
        self._files, self._side = files, side
        self._read = lru_cache(_DECODED)(self._decode)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        return self._read(row)

    def _decode(self, row: int) -> NDArray[np.uint8]:
        path = self._files[row].full
        try:
            return resize_rgb(decode(picture_bytes(path)), self._side)
        except (OSError, UndecodableError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise DataError(f"{path}: cannot be shown to the teacher ({reason})") from error
