"""Another start or dive log for a classified dive of a library: wanted.json beside its results, until it is done.

    said (wanted.json) -> joined (results made anew, dives/remaking.py) -> kept (dive.json) -> wanted.json is gone

Each step is whole or not there, so that a stop in between goes on with the next. What cannot be joined stays wanted
until somebody says otherwise; the dive is as it was.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import count
from pathlib import Path

from dives.divelog import DiveLog
from dives.library import DIVELOG, WANTED, DiveFacts, changing_facts, read_facts, write_facts
from dives.partial import sync_names, write_whole, writing
from dives.probe import read_probe
from realtime.errors import LibraryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When a dive was and which log belongs to it. start_utc, divelog, divelog_offset_s: as in DiveFacts."""

    start_utc: str
    divelog: str
    divelog_offset_s: float | None

    @classmethod
    def of(cls, facts: DiveFacts) -> Times:
        """As they are now."""
        return cls(start_utc=facts.start_utc, divelog=facts.divelog, divelog_offset_s=facts.divelog_offset_s)


def read_wanted(folder: Path) -> Times | None:
    """What is wanted of the dive in ``folder``; None for nothing. Raises LibraryError."""
    try:
        raw = json.loads((folder / WANTED).read_text(encoding="utf-8"))
        wanted = Times(**{name: raw[name] for name in Times.__dataclass_fields__})
        if wanted.divelog and (Path(wanted.divelog).name != wanted.divelog or wanted.divelog in (".", "..")):
            raise ValueError(f"{wanted.divelog!r} is no file name")
        return wanted
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise LibraryError(f"{folder / WANTED}: cannot be read ({error})") from error


def write_wanted(folder: Path, wanted: Times) -> None:
    """Wants it, instead of what was wanted before; on return it stays past a loss of power. Raises ResultsError."""
    write_whole(folder / WANTED, json.dumps(asdict(wanted), ensure_ascii=False, indent=1) + "\n")
    with writing(folder / WANTED):
        sync_names(folder)


def give_up_wanted(folder: Path) -> None:
    """Wants nothing. Raises ResultsError."""
    with writing(folder / WANTED), suppress(LibraryError):
        (folder / WANTED).unlink(missing_ok=True)
        _remove_logs(folder, but=read_facts(folder).divelog)


def keep_wanted(folder: Path, joined: Times) -> None:
    """What was joined is what holds from now on; something else that is wanted meanwhile stays so.

    Raises LibraryError and ResultsError.
    """
    with changing_facts(folder) as facts:
        write_facts(folder, replace(facts, **asdict(joined)))
        with writing(folder / WANTED):
            sync_names(folder)
            if read_wanted(folder) == joined:
                (folder / WANTED).unlink(missing_ok=True)
                _remove_logs(folder, but=joined.divelog)


def free_log_name(folder: Path, name: str) -> str:
    """``name``, or one like it that no log of the dive has: the log before may still be needed."""
    stem, _, suffix = name.rpartition(".")
    names = (name if k == 1 else f"{stem}-{k}.{suffix}" for k in count(1))
    return next(name for name in names if not (folder / DIVELOG / name).exists())


def check_log(folder: Path, log: DiveLog, start_utc: datetime | None) -> None:
    """Whether a log fits the recording of the dive in ``folder``, by what is known of it without opening it.

    start_utc: when somebody says that it began; None to believe the recording. Raises MisfitError, and LibraryError
    where nobody has looked at the recording yet.
    """
    probe = read_probe(folder)
    if probe is None:
        raise LibraryError(f"{folder}: nobody has looked at the recording yet")
    if start_utc is None and probe.start_utc:
        start_utc = datetime.fromisoformat(probe.start_utc)
    log.during(read_facts(folder).file_name, start_utc, probe.duration_s)


def in_words_of_the_page(text: str) -> str:
    """What is wrong with a log, where there are fields instead of the command line's options."""
    return text.replace("--divelog-offset", "an offset of").replace("give --start", "give a start")


def _remove_logs(folder: Path, *, but: str) -> None:
    logs = folder / DIVELOG
    for entry in list(logs.iterdir()) if logs.is_dir() else ():
        if entry.name != but:
            entry.unlink()
