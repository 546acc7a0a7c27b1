"""Tells which pictures were taken or uploaded in one go: they show one animal, one water, one light.

Four kinds of name say so, each within one class:

    10004815975_14842bfd9d_o.jpg     a photo site's running number: close ones are one photographer's upload
    20260501_093012.jpg              the time of day, as phones and action cameras write it
    IMG_0412.jpg, DSC01234.jpg       a camera's counter, in one folder
    reef_frame_000120.jpg            a frame of a video, in one folder

Plain numbering ("fish (12).jpg") says nothing: it is how collections are counted. Whatever they are called, pictures of
one class that one camera took within a minute, by their EXIF, are a burst, too.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath

from training.photographs import PhotoFile
from training.taken import Taken

UPLOAD_IDS = 20_000  # between two pictures of one upload. The site counts everybody's, so an hour lies further apart.
CLOCK_S = 60.0  # between two pictures of one moment
COUNTS = 3  # between two pictures of one moment: some of a series are thrown away

_UPLOAD = re.compile(r"(\d{6,})_[0-9a-f]{8,12}(_[a-z0-9]+)*", re.IGNORECASE)
_CLOCK = re.compile(r"(.*?)((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)[-_. T]?(\d\d)[-_.:h]?(\d\d)[-_.:m]?(\d\d)(?:\D.*)?")
_COUNTER = re.compile(r"(_?IMG_?|_?DSC[NF]?_?|_MG_|P\d{3}|GOPR|G00\d|DJI_|PICT|CIMG|SAM_)(\d{4,5})", re.IGNORECASE)
_FRAME = re.compile(r"(.*?)[-_ ]?frame[-_ ]?\d+", re.IGNORECASE)


def bursts(files: Sequence[PhotoFile], taken: Sequence[Taken | None] = ()) -> list[str]:
    """For each file the name of its burst, "" for a picture by itself; equal names are one burst of two or more.

    taken: what the pictures say of themselves, as many as files or none. Bursts that share a picture are one.
    """
    found = [""] * len(files)
    chains: dict[tuple[str, ...], list[tuple[float, int]]] = defaultdict(list)
    for row, file in enumerate(files):
        for key, place in _clue(file):
            chains[key].append((place, row))
    for row, when in enumerate(taken):
        if when is not None:
            chains["camera", str(files[row].label), when.camera].append((when.second, row))
    for key, members in chains.items():
        apart = {"upload": UPLOAD_IDS, "clock": CLOCK_S, "camera": CLOCK_S, "counter": COUNTS, "frames": 0.0}[key[0]]
        for chain in _chained(sorted(members), apart):
            name = f"{' '.join(key)} from {PurePosixPath(files[chain[0]].path).stem}"
            met = {found[row] for row in chain} - {""}
            joined = [row for row, other in enumerate(found) if other in met] if met else []
            for row in (*chain, *joined):
                found[row] = name
    return found


def _clue(file: PhotoFile) -> Iterator[tuple[tuple[str, ...], float]]:
    """What the name is counted with, and its place there; nothing for a name that says nothing."""
    path = PurePosixPath(file.path)
    where = (str(file.label), str(file.tree / path.parent))
    if found := _UPLOAD.fullmatch(path.stem):
        yield ("upload", str(file.label)), float(found[1])
    elif found := _FRAME.fullmatch(path.stem):
        yield ("frames", *where, found[1]), 0.0
    elif (found := _CLOCK.fullmatch(path.stem)) and (moment := _moment(found)) is not None:
        yield ("clock", *where, found[1]), moment
    elif found := _COUNTER.fullmatch(path.stem):
        yield ("counter", *where, found[1]), float(found[2])


def _moment(found: re.Match[str]) -> float | None:
    try:
        year, month, day, hour, minute, second = (int(found[group]) for group in range(2, 8))
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:  # fourteen digits that are no time
        return None


def _chained(members: Sequence[tuple[float, int]], apart: float) -> Iterator[list[int]]:
    """Runs of two or more rows in which each lies at most ``apart`` behind the one before."""
    chain: list[int] = []
    last = 0.0
    for place, row in members:
        if chain and place - last > apart:
            if len(chain) > 1:
                yield chain
            chain = []
        chain.append(row)
        last = place
    if len(chain) > 1:
        yield chain
