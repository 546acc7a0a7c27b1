"""What people say of the sightings: right, wrong, nothing there. Kept beside the model's own answer, never over it.

``corrections.jsonl`` in a dive's folder is append-only: one JSON object per line, each on the disk before it is
acknowledged. The last word on a sighting stands; an undo brings the word before it back. Nothing in the file depends on
a class that the model knows, nor on the sighting still being there when the dive is processed again.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, cast

from dives import run_record
from dives.locking import lock
from dives.partial import sync_names
from dives.recorded import parts_of
from realtime.errors import ResultsError
from realtime.frames import iso_utc

log = logging.getLogger(__name__)

NAME = "corrections.jsonl"
MAX_LABEL, MAX_BY, MAX_NOTE = 200, 200, 2000  # characters
MAX_LINE_BYTES = 64 << 10  # far more than the longest line that the limits above allow


class Verdict(StrEnum):
    """What somebody says of a sighting."""

    RIGHT = "right"
    WRONG = "wrong"  # it is something else, and the correction says what
    NOTHING = "nothing"  # there is no animal
    MISSED = "missed"  # of no sighting: there is an animal, and the model did not see it


_UNDO = "undo"


@dataclass(frozen=True, slots=True)
class SightingKey:
    """What names a sighting across processings.

    file: the recording that ``peak_frame`` is counted in, as sightings.csv names it; "" when it does not. label: the
    model's; of an animal that it missed, what somebody says it is. start_s, end_s, peak_s: media times of the dive.
    recording: the fingerprint of that file, which holds when it is called otherwise and tells it from another of its
    name; "" when nobody knows. Two keys are of the same sighting when recording, label and peak frame agree; the times
    serve to find it again when another model or sampling moved the peak.
    """

    file: str
    label: str
    peak_frame: int
    start_s: float
    end_s: float
    peak_s: float
    recording: str = ""

    @property
    def identity(self) -> tuple[str, str, int]:
        """What two keys of the same sighting have in common."""
        return self.recording or self.file, self.label, self.peak_frame

    def is_of_recording(self, other: SightingKey) -> bool:
        """Whether both are in one recording: by what is known of it, else by its name, which old tables do not give."""
        if self.recording and other.recording:
            return self.recording == other.recording
        return self.file == other.file or not self.file or not other.file


@dataclass(frozen=True, slots=True)
class Correction:
    """One word on one sighting. Raises ValueError when it says nothing sensible.

    label: what it is, for Verdict.WRONG and Verdict.MISSED alone; any name, also one that no model knows. by: who says
    so; may be "". at: when, with its zone.
    """

    sighting: SightingKey
    verdict: Verdict
    label: str
    by: str
    note: str
    at: datetime

    def __post_init__(self) -> None:
        if self.verdict is Verdict.WRONG and not self.label:
            raise ValueError("label: expected what it is instead; say `nothing` if there is no animal")
        if self.verdict is Verdict.MISSED:
            if not self.label or self.label != self.sighting.label:
                raise ValueError(f"label: expected what was missed, {self.sighting.label!r}, received {self.label!r}")
        elif self.verdict is not Verdict.WRONG and self.label:
            raise ValueError(f"label: {self.label!r} belongs to `wrong` alone, received {self.verdict.value!r}")
        elif self.label == self.sighting.label:
            raise ValueError(f"label: {self.label!r} is what the model said; say `right`")
        for name, text, most in (
            ("label", self.label, MAX_LABEL),
            ("by", self.by, MAX_BY),
            ("note", self.note, MAX_NOTE),
        ):
            if len(text) > most:
                raise ValueError(f"{name}: expected at most {most} characters, received {len(text)}")
        if self.at.tzinfo is None:
            raise ValueError("at: expected a time with its zone")

    @property
    def truth(self) -> str | None:
        """What is there, by this word; None for nothing."""
        match self.verdict:
            case Verdict.RIGHT:
                return self.sighting.label
            case Verdict.WRONG | Verdict.MISSED:
                return self.label
        return None


def add_correction(
    folder: Path,
    sighting: SightingKey,
    verdict: Verdict,
    label: str = "",
    *,
    by: str = "",
    note: str = "",
    at: datetime | None = None,
) -> Correction:
    """Adds a word on ``sighting`` to the dive in ``folder``; on return it is on the disk.

    label, by, note: spaces and line breaks in and around them become single spaces. at: now when not given, and later
    than what was said of the sighting before, also if the clock was set back: whoever takes words over goes by it. Safe
    to call from several threads and processes. Raises ValueError (see Correction), and ResultsError when it cannot be
    written.
    """
    said = Correction(sighting, verdict, plain(label), plain(by), plain(note), _moment(at))

    def line() -> list[bytes]:
        nonlocal said
        if at is None:
            said = replace(said, at=_after_what_was_said(folder, sighting))
        return [_to_json(said.sighting, verdict.value, said.label, said.by, said.note, said.at)]

    _append(folder, line)
    return said


def undo_correction(folder: Path, sighting: SightingKey, *, by: str = "", at: datetime | None = None) -> None:
    """Takes the last standing word on ``sighting`` back: the one before it stands again, if there is one.

    sighting: as the correction names it. Does nothing where no word stands. Safe as ``add_correction`` is.
    Raises ResultsError.
    """

    def line() -> list[bytes]:
        moment = _moment(at) if at is not None else _after_what_was_said(folder, sighting)
        return [_to_json(sighting, _UNDO, "", plain(by)[:MAX_BY], "", moment)]

    _append(folder, line)


def read_corrections(folder: Path) -> list[Correction]:
    """The word that stands on each sighting, in the order in which they were said; empty when there is no file.

    A last line that was torn by a crash was never acknowledged and is passed over. Raises ResultsError for a file that
    cannot be read, naming the line.
    """
    said: dict[tuple[str, str, int], list[tuple[int, Correction]]] = {}
    for number, (key, _, word) in enumerate(_read_lines(folder)):
        words = said.setdefault(key.identity, [])
        if word is None:
            del words[-1:]
        else:
            words.append((number, word))
    standing = sorted((words[-1] for words in said.values() if words), key=lambda word: word[0])
    return [correction for _, correction in standing]


def carry_over(source: Path, into: Path) -> int:
    """Adds the words that stand in the folder ``source`` to those in ``into``, which is of the same dive; how many.

    A word stays behind when its sighting was spoken of in ``into`` at its time or later. Safe to repeat. Raises
    ResultsError.
    """
    prints = {part.name: part.fingerprint for part in parts_of(run_record.read_run(source))}
    words = read_corrections(source)
    carried: list[bytes] = []

    def lines() -> list[bytes]:
        latest: dict[tuple[str, str, int], datetime] = {}
        for key, at, _ in _read_lines(into):
            latest[key.identity] = max(at, latest.get(key.identity, at))
        for word in words:
            key = replace(word.sighting, recording=word.sighting.recording or prints.get(word.sighting.file, ""))
            if key.identity not in latest or latest[key.identity] < word.at:
                carried.append(_to_json(key, word.verdict.value, word.label, word.by, word.note, word.at))
        return carried

    if words:
        _append(into, lines)
    return len(carried)


def find_corrections(folder: Path) -> int:
    """Brings corrections of the same recording from the folders beside a dive's ``folder`` that has none; how many.

    So a recording that was renamed, whose results are in another folder now, keeps what was said of it. What cannot be
    read there is logged and passed over. Raises ResultsError when ``folder`` cannot be written.
    """
    run = run_record.read_run(folder)
    if run is None or "fingerprint" not in run["source"] or (folder / NAME).exists():
        return 0
    carried = 0
    for corrections in sorted(folder.resolve().parent.glob(f"*/{NAME}")):
        other = run_record.read_run(corrections.parent)
        if other is None or other["source"].get("fingerprint") != run["source"]["fingerprint"]:
            continue
        try:
            read_corrections(corrections.parent)
        except ResultsError as error:
            log.warning("%s", error)
            continue
        carried += carry_over(corrections.parent, folder)
    return carried


def _read_lines(folder: Path) -> Iterator[tuple[SightingKey, datetime, Correction | None]]:
    """Line by line: the sighting, when, and the word; None for an undo. Raises ResultsError."""
    path = folder / NAME
    try:
        with path.open("rb") as file:
            data = file.read()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from error
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        if not line.strip():
            continue
        try:
            raw = json.loads(line)
            key, at = _key_from_json(raw["sighting"]), datetime.fromisoformat(raw["at"])
            word = None if raw["verdict"] == _UNDO else _from_json(key, raw)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ResultsError(f"{path}: line {number} is no correction ({error}); mend or remove that line") from error
        yield key, at, word


def _append(folder: Path, lines: Callable[[], Sequence[bytes]]) -> None:
    """lines: called when nobody else can add any, as they may rest on what was said before."""
    path = folder / NAME
    try:
        # Unbuffered: the line goes to the system in one piece.
        with cast(BinaryIO, path.open("a+b", buffering=0)) as file:
            lock(file, wait=True)
            before = _cut_torn_line(file)
            try:
                rest = memoryview(b"".join(line + b"\n" for line in lines()))
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
                if not before:  # nothing was ever acknowledged of it, so its name may not be on the disk either
                    sync_names(folder)
            except OSError:
                with suppress(OSError):  # what is refused must not be read later on; a full disk lets a file shrink
                    file.truncate(before)
                raise
    except OSError as error:
        raise ResultsError(
            f"{path}: the correction is not kept ({(error.strerror or str(error)).lower()}); say it again"
        ) from error


def _cut_torn_line(file: BinaryIO) -> int:
    """The size that is left."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - MAX_LINE_BYTES))
    tail = file.read(MAX_LINE_BYTES)
    if tail and not tail.endswith(b"\n"):
        file.truncate(size - len(tail) + tail.rfind(b"\n") + 1)
    return file.seek(0, os.SEEK_END)


def _to_json(key: SightingKey, verdict: str, label: str, by: str, note: str, at: datetime) -> bytes:
    sighting = {name: getattr(key, name) for name in SightingKey.__dataclass_fields__}
    fields = {"at": iso_utc(at), "verdict": verdict, "label": label, "by": by, "note": note, "sighting": sighting}
    return json.dumps(fields, ensure_ascii=False, allow_nan=False).encode(errors="surrogatepass")


def _key_from_json(raw: Any) -> SightingKey:
    return SightingKey(
        file=str(raw["file"]),
        label=str(raw["label"]),
        peak_frame=int(raw["peak_frame"]),
        start_s=float(raw["start_s"]),
        end_s=float(raw["end_s"]),
        peak_s=float(raw["peak_s"]),
        recording=str(raw.get("recording", "")),
    )


def _from_json(key: SightingKey, raw: Any) -> Correction:
    return Correction(
        sighting=key,
        verdict=Verdict(raw["verdict"]),
        label=str(raw["label"]),
        by=str(raw["by"]),
        note=str(raw["note"]),
        at=datetime.fromisoformat(raw["at"]),
    )


def _moment(at: datetime | None) -> datetime:
    """In UTC, to the millisecond: as the file keeps it."""
    moment = datetime.now(UTC) if at is None else at.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _after_what_was_said(folder: Path, sighting: SightingKey) -> datetime:
    moment = _moment(None)
    # A line that cannot be read is told by whoever reads them; an undo may have been written without a zone.
    with suppress(ResultsError, OverflowError, TypeError):
        for key, at, _ in _read_lines(folder):
            if key.identity == sighting.identity:
                moment = max(moment, at + timedelta(milliseconds=1))
    return moment


def plain(text: str) -> str:
    """A text on one line: spaces, line breaks and what cannot be printed become single spaces."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
