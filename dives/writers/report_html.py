"""report.html: the dive on one page that needs nothing else: to look at, to print, to send to a buddy.

Everything is in the file, the pictures as small JPEGs, and there is no script in it. Its looks are in
report_template.html.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import cv2
import jinja2
import numpy as np

from dives.divelog import in_words
from dives.partial import write_whole
from dives.run_record import COMPLETE, INCOMPLETE, INTERRUPTED, RunRecord
from dives.stills import REDUCED_BYTES, Still
from dives.writers.base import Dive
from dives.writers.stills import Stills
from realtime.frames import FrameResult, iso_utc
from realtime.sightings import Sighting

TEMPLATE = "report_template.html"
PICTURE_BYTES = 3_000_000  # of all pictures together, 4 MB as text; a page beyond that is slow on a phone and in mail
MOST_SIGHTINGS = 1000  # shown; a page of more is a table, and that is sightings.csv
MOST_PICTURES = 500  # sightings with pictures: 3 kB for each of two, below which nothing can be seen
SIDES = (360, 300, 240, 200, 160, 120)  # pixels of the longer side; the largest that fits its share is taken
QUALITY = 72
TICK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
MOST_TICKS = 8
MOST_NAMES = 20  # unreadable files that are named
# Far apart in hue and of middle lightness, for white and for dark paper; what they stand for is always written beside.
COLOURS = (
    *("#2f8fd0", "#e07b39", "#35a06a", "#d6555b", "#8f6fc4", "#b8862b"),
    *("#d977b0", "#4ba3a0", "#7d8a99", "#8fa326", "#5f74d8", "#b4695f"),
)


@dataclass(slots=True)
class Species:
    """One line of the species table: how often and for how long a label was shown."""

    label: str
    colour: str
    taxon: str
    seen_s: float
    sightings: list[Sighting] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The highest probability of any of its sightings."""
        return max(sighting.peak_probability for sighting in self.sightings)

    @property
    def first_s(self) -> float:
        """When it was first seen, media time."""
        return self.sightings[0].start_s


class ReportHtml:
    """What was seen, at a glance and one by one; what was skipped or guessed; the model, the hardware, the versions.

    stills: comes earlier in the list of writers. run: its counts are final when ``finish`` is called. state, reason:
    how the run will end. But for the element of class "run", with the times of the run, equal dives give equal bytes.
    """

    name: ClassVar[str] = "report.html"

    def __init__(self, stills: Stills, run: RunRecord, state: str = COMPLETE, reason: str = "") -> None:
        self._stills = stills
        self._run = run
        self._state = state
        self._reason = reason

    def begin(self, dive: Dive, files: ExitStack) -> None:
        """Begins to count; the file is held at the end alone, as others write what people say into the one before."""
        self._dive = dive
        self._seen_s: dict[int | None, float] = {}
        self._last: FrameResult | None = None
        self._rows = 0

    def frame(self, row: FrameResult) -> None:
        """Adds up how long each label was shown: every frame until the next, but not over holes."""
        if self._last is not None:
            gap_s = row.media_s - self._last.media_s
            label = self._last.stable.index
            self._seen_s[label] = self._seen_s.get(label, 0.0) + min(max(gap_s, 0.0), self._dive.merge_gap_s)
        self._last = row
        self._rows += 1

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Writes the page."""
        write_whole(self._dive.folder / self.name, _template().render(self._facts(sightings)))

    def _facts(self, sightings: Sequence[Sighting]) -> dict[str, Any]:
        info, contract = self._dive.info, self._dive.contract
        last_s = self._last.media_s if self._last is not None else 0.0
        length_s = max(last_s, info.duration_s or 0.0, 1e-3)
        species = self._species(sightings)
        colours = {kind.label: kind.colour for kind in species}
        read_s = sum(self._seen_s.values())
        known_s = sum(seen_s for label, seen_s in self._seen_s.items() if label is not None)
        return {
            "title": Path(self._dive.source).name,
            "state": INCOMPLETE if self._stills.interrupted else self._state,
            "reason": INTERRUPTED if self._stills.interrupted else self._reason,
            "run": self._run,
            "info": info,
            "start_utc": iso_utc(info.start_utc),
            "length_s": length_s,
            "rows": self._rows,
            "species": species,
            "known_share": known_s / read_s if read_s else float(bool(sightings)),
            "ticks": ticks(length_s),
            "lanes": [
                (
                    kind,
                    [(k, s) for k, s in enumerate(sightings, start=1) if contract.labels[s.label_index] == kind.label],
                )
                for kind in species
            ],
            "cards": list(self._cards(sightings, colours)),
            "total": len(sightings),
            "several_files": info.kind == "pictures" or len(self._dive.files.all) > 1,
            "remarks": list(self._remarks()),
            "unreadable": self._run.counts.get("unreadable", [])[:MOST_NAMES],
            "contract": contract,
            "metrics": contract.provenance.metrics,
        }

    def _species(self, sightings: Sequence[Sighting]) -> list[Species]:
        """Those seen longest first, ties by label."""
        contract = self._dive.contract
        found: dict[int, Species] = {}
        for sighting in sightings:
            index = sighting.label_index
            if index not in found:
                label = contract.labels[index]
                found[index] = Species(label, "", contract.taxonomy.get(label, ""), self._seen_s.get(index, 0.0))
            found[index].sightings.append(sighting)
        ordered = sorted(found.values(), key=lambda kind: (-kind.seen_s, kind.label))
        for k, kind in enumerate(ordered):
            kind.colour = COLOURS[k % len(COLOURS)]
        return ordered

    def _cards(self, sightings: Sequence[Sighting], colours: dict[str, str]) -> Iterator[dict[str, Any]]:
        """The surest sightings in order of time, with as many pictures as the page can hold."""
        surest = sorted(range(len(sightings)), key=lambda k: -sightings[k].peak_probability)
        shown, pictured = set(surest[:MOST_SIGHTINGS]), set(surest[:MOST_PICTURES])
        share = PICTURE_BYTES // (2 * max(1, len(pictured)))
        for k, sighting in enumerate(sightings):
            if k not in shown:
                continue
            label = self._dive.contract.labels[sighting.label_index]
            still = self._stills.of(k + 1)
            file, frame = self._dive.files.at(sighting.peak_frame)
            yield {
                "id": k + 1,
                "label": label,
                "colour": colours[label],
                "sighting": sighting,
                "at": self._dive.conditions(sighting.peak_utc),
                "utc": iso_utc(sighting.start_utc),
                "file": file.path.name,
                "frame": frame,
                "still": still,
                "pictures": self._pictures(still, share) if still is not None and k in pictured else [],
            }

    def _pictures(self, still: Still, share: int) -> list[str]:
        """The plain and the overlaid still as data addresses, each of at most ``share`` bytes; none if one is not."""
        pictures = [thumbnail(self._dive.folder / name, share) for name in (still.plain, still.overlay)]
        if any(jpeg is None for jpeg in pictures):
            return []
        return [f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" for jpeg in pictures if jpeg is not None]

    def _remarks(self) -> Iterator[str]:
        """What was left out or guessed, a sentence for each cause, those without effect left out."""
        counts, every_s = self._run.counts, self._run.options.get("every_s")
        skipped = dict(counts.get("skipped", {}))
        if between := skipped.pop("between samples", 0):
            yield f"{_count(between, 'frame')} between the samples: you asked for one every {every_s:g} s."
        if damaged := skipped.pop("damaged packets", 0):
            yield f"{_count(damaged, 'damaged piece')} of the recording could not be decoded and were skipped."
        if unreadable := skipped.pop("unreadable files", 0):
            yield f"{_count(unreadable, 'file')} of the folder could not be read as pictures."
        for cause, number in skipped.items():
            if number:
                yield f"Skipped, {cause}: {number:,}."
        if guessed := counts.get("guessed_stamps", 0):
            words = "carried no time that can be true; theirs was worked out from the frame before"
            yield f"{_count(guessed, 'frame')} {words}."
        if restarts := counts.get("restarts", 0):
            yield f"The recording's clock began anew {_count(restarts, 'time')}; the parts were put end to end."
        for gap in self._run.source.get("gaps", []):
            length = f"for {span(gap['length_s'])}" if gap["length_s"] is not None else "for how long is not known"
            yield f"Nothing is there at {clock(gap['at_s'])}, {length}: {gap['reason']}."
        if self._stills.missing:
            yield f"{_count(self._stills.missing, 'sighting')} without a picture: the frame could not be read again."
        if self._run.divelog:
            words = in_words(self._run.divelog, self._rows)
            yield f"Depth and temperature are from a dive log, by the time of day: {words}."
        match self._dive.info.utc_source:
            case "container":
                yield "The time of day is what the camera wrote into the file; check that its clock was right."
            case "gps":
                yield "The time of day is what satellites told the camera, to about a second."
            case "start":
                yield "The time of day is counted from the start that you gave."
            case "" if self._dive.info.kind == "video":
                yield "The time of day is not known: the file does not say when it was recorded (--start can)."


def thumbnail(path: Path, most_bytes: int) -> bytes | None:
    """A picture as a small JPEG of at most ``most_bytes``; None when it cannot be read or made that small."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        # A JPEG of that size has pixels enough for its decoder to leave every other one out, in half the time.
        picture = cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_2 if data.size > REDUCED_BYTES else cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
    if picture is None:
        return None
    height, width = picture.shape[:2]
    for side in SIDES:
        scale = min(1.0, side / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        done, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if done and len(data) <= most_bytes:
            return bytes(data)
    return None


def ticks(length_s: float) -> list[int]:
    """Round times, in seconds, for an axis of ``length_s``: at most MOST_TICKS of them."""
    step = next((step for step in TICK_STEPS_S if length_s / step < MOST_TICKS), None)
    if step is None:
        step = 3600 * -(-int(length_s) // (3600 * (MOST_TICKS - 1)))
    return list(range(0, int(length_s) + 1, step))


def clock(seconds: float) -> str:
    """A time in the dive as players show it: 1:05, 1:02:03."""
    minutes, second = divmod(int(max(0.0, seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def stretch(sighting: Sighting) -> str:
    """From when to when, as players show it; one time where both read alike."""
    start, end = clock(sighting.start_s), clock(sighting.end_s)
    return start if start == end else f"{start} – {end}"


def span(seconds: float) -> str:
    """A length of time in words: 0.4 s, 12 s, 3 min 05 s, 1 h 02 min."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def percent(share: float) -> str:
    """0..1 as a whole percentage that rounds neither something to nothing nor most to all."""
    if 0.0 < share < 0.005:
        return "under 1\u00a0%"
    if 0.995 <= share < 1.0:
        return "over 99\u00a0%"
    return f"{share:.0%}".replace("%", "\u00a0%")


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"clock": clock, "stretch": stretch, "span": span, "percent": percent}
    return environment.get_template(TEMPLATE)
