"""The result track: what the player of a dive looks up while the video plays, as bytes that a browser reads as is.

    track.json   what the chunks hold, and where each lies
    track.bin    the chunks one after another

A chunk holds the rows of about a minute, column by column, little-endian: media_s float64 [n]; stable uint16 [n] (a
class, NONE for "nothing I know"); stable_probability, unknown uint16 [n] (65535 is 1); top uint16 [n, k] (classes, NONE
where there are fewer); top_probability uint16 [n, k]; cam uint8 [n, G, G]; zeros up to a multiple of 8. It is made from
the files that `reeflens process` leaves, of any version that writes frames.csv and cams.npy.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dives.partial import PartialFile, write_whole
from realtime.errors import ResultsError

INDEX, DATA = "track.json", "track.bin"
VERSION = 1
TOP = 5
NONE = 65535
CHUNK_ROWS = 1800  # a minute at 30 frames/s: 180 kB with maps of 8 x 8, half a megabyte with 14 x 14


def write_track(results: Path, to: Path, labels: Sequence[str], *, chunk_rows: int = CHUNK_ROWS) -> int:
    """Makes track.json and track.bin in the folder ``to`` from the results of a dive; returns the rows.

    labels: the model's. A dive without cams.npy gives maps of 0 x 0. Raises ResultsError.
    """
    number = {label: index for index, label in enumerate(labels)}
    (to / INDEX).unlink(missing_ok=True)  # it must never describe other bytes
    cams = _cams(results)
    side = cams.shape[1]
    chunks: list[dict[str, Any]] = []
    rows = offset = 0
    with PartialFile(to / DATA, "wb") as file:
        for lines in _batches(results / "frames.csv", chunk_rows):
            data, media_s = _chunk(lines, number, cams[rows : rows + len(lines)])
            file.write(data)
            chunks.append(
                {
                    "start_s": float(media_s[0]),
                    "end_s": float(media_s[-1]),
                    "rows": len(lines),
                    "offset": offset,
                    "bytes": len(data),
                }
            )
            offset += len(data)
            rows += len(lines)
        file.commit()
    index = {"version": VERSION, "labels": list(labels), "grid": side, "top": TOP, "rows": rows, "chunks": chunks}
    write_whole(to / INDEX, json.dumps(index, ensure_ascii=False) + "\n")
    return rows


def read_index(folder: Path) -> dict[str, Any] | None:
    """track.json of ``folder``, or None when there is none of this version."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return index if isinstance(index, dict) and index.get("version") == VERSION else None


def _batches(path: Path, size: int) -> Iterator[list[dict[str, str]]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            while lines := list(islice(reader, size)):
                yield lines
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ResultsError(f"{path}: cannot be read ({error})") from error


def _cams(results: Path) -> NDArray[np.uint8]:
    try:
        cams: NDArray[np.uint8] = np.load(results / "cams.npy", mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        return np.zeros((0, 0, 0), np.uint8)
    except Exception as error:  # of a damaged header numpy raises anything, from EOFError to SyntaxError
        raise ResultsError(f"{results / 'cams.npy'}: cannot be read ({error})") from error
    if cams.ndim != 3 or cams.dtype != np.uint8 or cams.shape[1] != cams.shape[2]:
        raise ResultsError(f"{results / 'cams.npy'}: expected uint8 [n, G, G], found {cams.dtype} {cams.shape}")
    return cams


def _chunk(
    lines: Sequence[dict[str, str]], number: dict[str, int], cams: NDArray[np.uint8]
) -> tuple[bytes, NDArray[np.float64]]:
    if cams.size and len(cams) != len(lines):
        raise ResultsError("cams.npy holds fewer maps than frames.csv has lines; process the dive again")
    try:
        media_s = np.array([float(line["media_s"]) for line in lines])
        if not np.isfinite(media_s).all():
            raise ValueError("media_s: expected seconds, received no finite number")
        top = [[number.get(line.get(f"label_{k}") or "", NONE) for k in range(1, TOP + 1)] for line in lines]
        best = [[float(line.get(f"probability_{k}") or 0.0) for k in range(1, TOP + 1)] for line in lines]
        columns = [
            media_s.astype("<f8"),
            np.array([number.get(line["stable_label"], NONE) for line in lines], "<u2"),
            _share([float(line["stable_probability"]) for line in lines]),
            _share([float(line["unknown"]) for line in lines]),
            np.array(top, "<u2"),
            _share(best),
            np.ascontiguousarray(cams),
        ]
    except (KeyError, ValueError, TypeError) as error:
        raise ResultsError(f"frames.csv is not a table of frames ({error}); process the dive again") from error
    data = b"".join(column.tobytes() for column in columns)
    return data + bytes(-len(data) % 8), media_s


def _share(values: Any) -> NDArray[np.uint16]:
    scaled: NDArray[np.uint16] = np.rint(np.clip(np.nan_to_num(np.array(values)), 0.0, 1.0) * 65535).astype("<u2")
    return scaled
