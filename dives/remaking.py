"""Finished results made anew, all at once or not at all: with another start or dive log they are other files.

    NAME.remade/   beside the folder NAME: a copy that is being worked on; a kill leaves NAME as it was
    NAME.ready/    the same when it is whole: what a kill leaves of it is moved into place by the next run

Files are copied by name alone where the disk can do that. What people say meanwhile, and the journal that all is made
from, stay where they are.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from dives.corrections import NAME as CORRECTIONS
from dives.locking import lock
from dives.partial import sync_names, write_whole, writing
from dives.run_record import NAME as RUN
from dives.stills import FOLDER as STILLS
from realtime.errors import ResultsError

REMADE, READY = ".remade", ".ready"  # after the name of a folder of results
MANIFEST = "manifest.json"  # what the new results consist of
STAYS = frozenset((CORRECTIONS,))


def is_of_a_remaking(folder: Path) -> bool:
    """Whether a folder is none of results itself, but what a kill left of making some anew."""
    return folder.name.endswith((REMADE, READY))


@contextmanager
def remade(folder: Path, journal: str, names: Collection[str]) -> Iterator[Path]:
    """Yields a copy of the results in ``folder``; left without an error, it takes their place, else it is gone.

    journal: the file that whoever writes results holds; nobody else can meanwhile. names: of the other files that may
    be there, beside stills, run.json and corrections. Raises ResultsError.
    """
    ours = frozenset((*names, RUN))
    anew, ready = _beside(folder, REMADE), _beside(folder, READY)
    with _holding(folder, journal):
        try:
            with writing(anew):
                shutil.rmtree(anew, ignore_errors=True)
                _copy(folder, anew, ours | STAYS)
                shutil.copyfile(folder / journal, anew / journal)  # another file: this one is held
            yield anew
            with writing(folder):
                whole = _files(anew, ours)
                if (anew / journal).stat().st_size != (folder / journal).stat().st_size:
                    whole.append(journal)
                write_whole(anew / MANIFEST, json.dumps(whole))
                sync_names(anew)
                shutil.rmtree(ready, ignore_errors=True)
                anew.replace(ready)
                sync_names(ready.parent)
                _move(ready, folder, ours)
        finally:
            shutil.rmtree(anew, ignore_errors=True)


def settle(folder: Path, journal: str, names: Collection[str]) -> None:
    """Completes what a kill left of results that were whole, and drops what was not. Raises ResultsError."""
    anew, ready = _beside(folder, REMADE), _beside(folder, READY)
    if not anew.exists() and not ready.exists():
        return
    if not (folder / journal).exists():  # somebody removed the results
        discard(folder)
        return
    with _holding(folder, journal), writing(folder):
        if ready.exists():
            _move(ready, folder, frozenset((*names, RUN)))
        shutil.rmtree(anew, ignore_errors=True)


def discard(folder: Path) -> None:
    """Drops whatever a kill left beside ``folder``, of results that are about to be made from nothing."""
    for suffix in (REMADE, READY):
        shutil.rmtree(_beside(folder, suffix), ignore_errors=True)


@contextmanager
def _holding(folder: Path, journal: str) -> Iterator[None]:
    with writing(folder / journal):
        held = (folder / journal).open("rb+")
    with held:
        try:
            lock(held, wait=False)
        except OSError as error:
            raise ResultsError(f"{folder}: another run is writing here; wait for it to end") from error
        yield


def _beside(folder: Path, suffix: str) -> Path:
    resolved = folder.resolve()  # "." has no name
    return resolved.with_name(resolved.name + suffix)


def _copy(folder: Path, to: Path, names: Collection[str]) -> None:
    to.mkdir()
    for name in _files(folder, names):
        (to / name).parent.mkdir(exist_ok=True)
        try:
            os.link(folder / name, to / name)
        except OSError:  # a disk without links
            shutil.copyfile(folder / name, to / name)


def _move(ready: Path, folder: Path, ours: Collection[str]) -> None:
    """Every step can be taken again: which files there are is told by a list, not by what is left to move."""
    whole = json.loads((ready / MANIFEST).read_text(encoding="utf-8"))
    for name in whole:
        if (ready / name).exists():
            (folder / name).parent.mkdir(exist_ok=True)
            (ready / name).replace(folder / name)
    for name in set(_files(folder, ours)) - set(whole):
        (folder / name).unlink()
    stills = folder / STILLS
    if stills.is_dir() and not any(stills.iterdir()):
        stills.rmdir()
    sync_names(folder)
    shutil.rmtree(ready)


def _files(folder: Path, names: Collection[str]) -> list[str]:
    """Of these names, and of the stills, those that are there, in order; nothing that leads elsewhere."""
    stills = folder / STILLS
    found = [f"{STILLS}/{entry.name}" for entry in (stills.iterdir() if stills.is_dir() else ())]
    return sorted(
        name
        for name in (*(name for name in names if (folder / name).exists()), *found)
        if (folder / name).is_file() and not (folder / name).is_symlink()
    )
