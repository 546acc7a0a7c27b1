"""Corrected sightings become photographs to learn from: a folder per class, and a table of where each picture is from.

    TREE/Sea Turtle/reef-1a2b3c4d-000123.jpg     a sighting's best frame, or one near it
    TREE/none/...                                what somebody called nothing
    TREE/pictures.csv                            a line per picture: its group, dive, frame, time and who said so

What a picture is called follows from its dive and frame, so collecting again adds nothing twice; a word that was
changed moves the picture, one that was taken back removes it. Training keeps all pictures of a ``group``, which is a
dive, on one side of its split.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2

from dives.checked import take_in_corrections
from dives.corrections import NAME as CORRECTIONS
from dives.corrections import Correction, SightingKey, Verdict, read_corrections
from dives.files import Files, RecordedFile
from dives.matching import corrected, read_keys
from dives.partial import PartialFile, write_whole
from dives.recorded import RecordedPart, find_recording, parts_of
from dives.remaking import is_of_a_remaking
from dives.run_record import COMPLETE, read_run
from dives.seeking import Moment, pictures_at
from realtime.errors import DataError, ResultsError
from realtime.frames import iso_utc
from realtime.labels import NO_ANIMAL, label_key

TABLE = "pictures.csv"
COLUMNS = (
    *("picture", "group", "dive", "file", "frame", "media_s", "utc"),
    *("model_label", "verdict", "corrected_by", "corrected_utc"),
)
SPACING_S = 1.0  # frames nearer together than this teach next to nothing more
MAX_SIDE = 1280  # pixels; training scales to far less
QUALITY = 92
RESERVED = re.compile(r"(?i:con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # what Windows allows no folder to be called


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture that belongs into the tree. still: an existing JPEG, or None for a frame of the recording."""

    name: str
    label: str
    row: Mapping[str, str]
    of: SightingKey
    still: Path | None = None
    frame: int = 0


@dataclass(slots=True)
class Collected:
    """What came of it. pictures: by class, all that this collecting stands behind. problems: pictures not to be had."""

    pictures: Counter[str] = field(default_factory=Counter)
    added: int = 0
    moved: int = 0
    removed: int = 0
    problems: list[str] = field(default_factory=list)


def collect(
    sources: Sequence[Path], tree: Path, *, frames: int = 4, say: Callable[[str], None] = lambda _: None
) -> Collected:
    """Adds what people said of the sightings in ``sources`` to the class-per-folder ``tree``.

    sources: folders with results of dives or of live sources, or folders that hold such. frames: at most so many frames
    beside the best, for a dive whose recording is still there. say: is told which folder is at work. Brings
    what people said into the files of every dive. A dive whose tables or corrections cannot be read is a problem, and
    what was collected of it stays. Raises DataError when there are no results, ResultsError when the tree cannot be
    read or written.
    """
    folders = list(dict.fromkeys(folder for source in sources for folder in _result_folders(source)))
    if not folders:
        raise DataError(f"{', '.join(map(str, sources))}: there is no sightings.csv here; process a dive first")
    collected = Collected()
    classes = _Classes(tree)
    table = _read_table(tree)
    plans: dict[str, dict[str, tuple[_Dive, Wanted]]] = {}  # a dive that was processed twice is one dive
    names = {_known_by(row["dive"]): row["dive"] for row in table.values()}
    unread: set[str] = set()
    for folder in folders:
        say(str(folder))
        dive = _Dive.open(folder, names)
        plan = plans.setdefault(dive.name, {}) if (folder / CORRECTIONS).exists() else {}
        try:
            for picture in _wanted(dive, frames, classes, collected.problems):
                before = plan.get(picture.name)  # on one moment the last word counts
                if before is None or before[1].row["corrected_utc"] < picture.row["corrected_utc"]:
                    plan[picture.name] = dive, picture
            if dive.run is not None:
                take_in_corrections(folder)
        except ResultsError as error:  # nobody knows what was said of this dive; the others go on
            collected.problems.append(str(error))
            unread.add(dive.name)
    for name, plan in plans.items():
        if name in unread:
            continue
        _tidy(tree, table, name, {picture.name: picture for _, picture in plan.values()}, collected)
        _make(tree, table, list(plan.values()), collected)
    _write_table(tree, table)
    return collected


@dataclass(frozen=True, slots=True)
class _Dive:
    """A folder of results. run: its run.json, None for a live source. name: of its pictures, wherever it lies."""

    folder: Path
    run: Mapping[str, Any] | None
    name: str
    _found: dict[str, tuple[Path, RecordedPart] | None] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, names: dict[str, str]) -> _Dive:
        """names: of dives that were met before, by what they are known by; a recording may be called otherwise now."""
        run = read_run(folder)
        if run is not None:
            source = run["source"]
            what, known_by = Path(source["name"]).stem, source.get("fingerprint", source["path"])
        else:
            first = next(iter(_lines(folder / "sightings.csv")), {})  # of a table that only grows
            what, known_by = folder.resolve().name, f"{first.get('start_utc')} {first.get('label')}"
        name = _file_name(f"{what}-{hashlib.sha256(known_by.encode()).hexdigest()[:8]}")
        return cls(folder, run, names.setdefault(_known_by(name), name))

    @property
    def file(self) -> str:
        """The file that needs no naming: the only one, or the first."""
        return str(self.run["source"]["name"]) if self.run is not None else ""

    @property
    def times_prove(self) -> bool:
        """Whether a time leads to one frame alone: not where stamps were mended, or not all of them were seen."""
        counts = self.run["counts"] if self.run is not None else {}
        return (
            self.run is not None
            and self.run["state"] == COMPLETE
            and not counts.get("guessed_stamps")
            and not counts.get("restarts")
        )

    def named(self, key: SightingKey) -> SightingKey:
        """A key with the name that its recording has here."""
        part = next((part for part in parts_of(self.run) if part.fingerprint == key.recording), None)
        return key if part is None else replace(key, file=part.name)

    def recording(self, key: SightingKey) -> tuple[Path, RecordedPart] | None:
        """The video that a sighting is in, if it is still there and still the same."""
        known_by = key.recording or key.file
        if known_by not in self._found:
            parts = parts_of(self.run)
            meant = (part for part in parts if known_by in (part.fingerprint, part.name) or not known_by)
            part = next(meant, None) if known_by or len(parts) == 1 else None
            place = find_recording(self.folder, part) if part is not None else None
            self._found[known_by] = (place, part) if place is not None and part is not None else None
        return self._found[known_by]


class _Classes:
    """The folders of the tree: one class has one folder, however people spell it."""

    def __init__(self, tree: Path) -> None:
        try:
            tree.mkdir(parents=True, exist_ok=True)
            self._names = {label_key(entry.name): entry.name for entry in sorted(tree.iterdir()) if entry.is_dir()}
        except OSError as error:
            raise ResultsError(f"{tree}: cannot be written ({(error.strerror or str(error)).lower()})") from error

    def folder(self, label: str) -> str:
        return self._names.setdefault(label_key(label), _file_name(label))


def _result_folders(source: Path) -> Iterator[Path]:
    for table in sorted(source.rglob("sightings.csv")):
        if not is_of_a_remaking(table.parent):
            yield table.parent


def _wanted(dive: _Dive, frames: int, classes: _Classes, problems: list[str]) -> Iterator[Wanted]:
    keys = read_keys(dive.folder)
    lines = _lines(dive.folder / "sightings.csv")
    laid = corrected(keys, read_corrections(dive.folder))
    said = [(word, key, line) for word, key, line in zip(laid.words, keys, lines, strict=True) if word is not None]
    said += [(word, dive.named(word.sighting), {}) for word in (*laid.left_over, *laid.missed)]
    if not said:
        return
    near = _moments(dive) if frames and dive.run is not None else {}
    for word, key, line in said:
        pictures = list(_of_sighting(dive, word, key, line, near.get(key.file, ()), frames, classes))
        yield from pictures
        if not pictures:
            problems.append(f"{dive.folder.name}: {key.label} at {key.peak_s:.1f} s has no still, and no recording")


def _of_sighting(
    dive: _Dive,
    word: Correction,
    key: SightingKey,
    line: Mapping[str, str],
    near: Sequence[Mapping[str, str]],
    frames: int,
    classes: _Classes,
) -> Iterator[Wanted]:
    label = classes.folder(word.truth or NO_ANIMAL)
    live = dive.run is None
    utc = key.file if live else ""
    row = {
        "group": f"{dive.name} {utc[:10]}".strip(),  # a live source goes on for months: a day is its dive
        "dive": dive.name,
        "file": "" if live else key.file,
        "model_label": "" if word.verdict is Verdict.MISSED else key.label,
        "verdict": word.verdict.value,
        "corrected_by": word.by,
        "corrected_utc": iso_utc(word.at),
    }
    stem = _file_name(f"{dive.name}-{re.sub(r'[^0-9TZ]', '', utc)}" if live else dive.name)
    recording = dive.recording(key)
    chosen = _spread(near, key, frames) if recording is not None else []
    peak = next((moment for moment in near if int(moment["frame"]) == key.peak_frame), None)
    moments = [{"frame": str(key.peak_frame), "media_s": f"{key.peak_s:.6f}", "utc": utc} if peak is None else peak]
    still = dive.folder / line["still"] if line.get("still") else None
    for place, moment in enumerate([*moments, *chosen]):
        frame = int(moment["frame"])
        # The whole name: reef.jpg and reef.png can lie in one folder of pictures.
        file = stem if live or key.file in ("", dive.file) else f"{stem}-{_file_name(key.file)}"
        picture = still if place == 0 and still is not None and still.is_file() else None
        if picture is not None or recording is not None:
            times = {name: moment.get(name, "") for name in ("frame", "media_s", "utc")}
            yield Wanted(f"{file}-{frame:06d}.jpg", label, {**row, **times}, key, picture, frame)


def _spread(near: Sequence[Mapping[str, str]], key: SightingKey, most: int) -> list[Mapping[str, str]]:
    """The classified frames of a sighting nearest to its peak, none nearer than SPACING_S to it or to each other."""
    inside = [moment for moment in near if key.start_s <= float(moment["media_s"]) <= key.end_s]
    chosen: list[Mapping[str, str]] = []
    taken = [key.peak_s]
    for moment in sorted(inside, key=lambda moment: abs(float(moment["media_s"]) - key.peak_s)):
        if len(chosen) == most:
            break
        media_s = float(moment["media_s"])
        if all(abs(media_s - other) >= SPACING_S - 1e-6 for other in taken):
            chosen.append(moment)
            taken.append(media_s)
    return chosen


def _moments(dive: _Dive) -> dict[str, list[Mapping[str, str]]]:
    """The classified frames by file."""
    found: dict[str, list[Mapping[str, str]]] = {}
    for line in _lines(dive.folder / "frames.csv"):
        moment = {name: line[name] for name in ("frame", "media_s", "utc")}
        found.setdefault(line.get("file", ""), []).append(moment)
    return found


def _tidy(
    tree: Path, table: dict[str, Mapping[str, str]], dive: str, now: Mapping[str, Wanted], done: Collected
) -> None:
    """Moves or removes what earlier collecting made of this dive and nobody says any more."""
    for path in [path for path, row in table.items() if row["dive"] == dive]:
        before = tree / path
        picture = now.get(before.name)
        if picture is not None and picture.label == before.parent.name:
            continue
        del table[path]
        if not before.is_file():
            continue  # somebody took it out
        try:
            if picture is None:
                before.unlink()
                done.removed += 1
            else:
                (tree / picture.label).mkdir(exist_ok=True)
                before.replace(tree / picture.label / picture.name)
                done.moved += 1
        except OSError as error:
            raise ResultsError(f"{before}: cannot be moved ({(error.strerror or str(error)).lower()})") from error


def _make(
    tree: Path, table: dict[str, Mapping[str, str]], plan: Sequence[tuple[_Dive, Wanted]], done: Collected
) -> None:
    frames: dict[Path, _Frames] = {}
    for dive, picture in plan:
        path = tree / picture.label / picture.name
        try:
            path.parent.mkdir(exist_ok=True)
            if path.exists():
                continue
            if picture.still is not None:
                _save(path, picture.still.read_bytes())
                done.added += 1
            elif (found := dive.recording(picture.of)) is not None:
                recording, part = found
                wanted = frames.setdefault(recording, _Frames(part, seek=dive.times_prove))
                wanted.places[Moment(picture.frame, float(picture.row["media_s"]))] = path
        except OSError as error:
            raise ResultsError(f"{path}: cannot be written ({(error.strerror or str(error)).lower()})") from error
    for recording, wanted in frames.items():
        done.added += _save_frames(recording, wanted, done.problems)
    for _, picture in plan:
        place = f"{picture.label}/{picture.name}"
        if (tree / place).exists():
            table[place] = {"picture": place, **picture.row}
            done.pictures[picture.label] += 1


@dataclass(slots=True)
class _Frames:
    """What is wanted of a recording. places: a frame by its number in the file and its time in the dive -> picture."""

    part: RecordedPart
    seek: bool
    places: dict[Moment, Path] = field(default_factory=dict)


def _save_frames(recording: Path, wanted: _Frames, problems: list[str]) -> int:
    """Saves the frames that can be read; how many these were."""
    saved = 0
    files = Files([RecordedFile(recording, first_s=wanted.part.offset_s)])
    moments = sorted(wanted.places, key=lambda moment: moment.frame)
    for moment, picture in zip(moments, pictures_at(files, moments, seek=wanted.seek), strict=True):
        if picture is None:
            problems.append(f"{recording.name}: frame {moment.frame} at {moment.media_s:.1f} s cannot be read")
            continue
        bgr = cv2.cvtColor(picture.rgb(MAX_SIDE), cv2.COLOR_RGB2BGR)
        jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
        _save(wanted.places[moment], jpeg.tobytes())
        saved += 1
    return saved


def _save(path: Path, jpeg: bytes) -> None:
    with PartialFile(path, "wb") as file:
        file.write(jpeg)
        file.commit()


def _lines(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from error


def _read_table(tree: Path) -> dict[str, Mapping[str, str]]:
    path = tree / TABLE
    if not path.exists():
        return {}
    lines = _lines(path)
    if not all(line.keys() >= set(COLUMNS) for line in lines):
        raise ResultsError(f"{path}: expected the columns {', '.join(COLUMNS)}; mend it or take it away")
    return {line["picture"]: line for line in lines}


def _write_table(tree: Path, table: Mapping[str, Mapping[str, str]]) -> None:
    text = io.StringIO()
    rows = csv.DictWriter(text, COLUMNS, lineterminator="\n", extrasaction="ignore")
    rows.writeheader()
    rows.writerows(table[path] for path in sorted(table))
    write_whole(tree / TABLE, text.getvalue())


def _known_by(name: str) -> str:
    """What a dive's name says of its content: "reef-1a2b3c4d" is of the recording that "dive-1a2b3c4d" is of."""
    return name.rpartition("-")[2]


def _file_name(text: str) -> str:
    """As much of a text as every disk takes for the name of a file or folder."""
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f]+', "_", text).strip(" .")[:100] or "_"
    return f"{name}_" if RESERVED.fullmatch(name) else name
