"""Animals that the model missed: somebody saw one in the recording, at a frame that was classified.

What is said of it is a line of corrections.jsonl (dives/corrections.py); here is what the tables of the dive know of
its moment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dives.corrections import MAX_LABEL, Correction, SightingKey, Verdict, add_correction, plain
from dives.recorded import parts_of
from dives.run_record import read_run
from dives.timeline import merge_gap
from realtime.errors import ResultsError

TABLE = "frames.parquet"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a dive as its frames tell of it: wall clock of the first and the last, least and greatest depth."""

    start_utc: datetime | None
    end_utc: datetime | None
    min_depth_m: float | None
    max_depth_m: float | None


def add_missed(
    folder: Path,
    label: str,
    media_s: float,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    by: str = "",
    note: str = "",
) -> Correction:
    """Says that there is an animal in the dive in ``folder`` that the model did not see; on return it is on the disk.

    label: what it is; any name. media_s: when it is seen best; the nearest classified frame stands for it. start_s,
    end_s: from when to when, media times around ``media_s``; that frame alone when not given. by, note: as in
    ``add_correction``. Raises ValueError for what makes no sense, such as a time at which nothing was classified, and
    ResultsError.
    """
    label = plain(label)
    if not label or len(label) > MAX_LABEL:
        raise ValueError(f"label: expected what it is, in at most {MAX_LABEL} characters")
    run, frames = read_run(folder), _frames(folder, ("file", "frame", "media_s"))
    times = frames["media_s"].to_numpy()
    nearest = int(np.abs(times - media_s).argmin()) if len(times) and math.isfinite(media_s) else None
    every_s = run["options"]["every_s"] if run is not None else None
    if nearest is None or abs(times[nearest] - media_s) > merge_gap(every_s):
        raise ValueError(f"media_s: no frame was classified near {media_s:.3f} s")
    peak_s = float(times[nearest])
    first_s, last_s = peak_s if start_s is None else start_s, peak_s if end_s is None else end_s
    if not 0.0 <= first_s <= max(peak_s, media_s) or not min(peak_s, media_s) <= last_s < math.inf:
        raise ValueError(
            f"start_s, end_s: expected times around {media_s:.3f}, received {first_s:.3f} and {last_s:.3f}"
        )
    file = str(frames["file"][nearest].as_py())
    recording = next((part.fingerprint for part in parts_of(run) if part.name == file), "")
    key = SightingKey(
        file=file,
        label=label,
        peak_frame=int(frames["frame"][nearest].as_py()),
        start_s=min(first_s, peak_s),
        end_s=max(last_s, peak_s),
        peak_s=peak_s,
        recording=recording,
    )
    return add_correction(folder, key, Verdict.MISSED, label, by=by, note=note)


def stretches(folder: Path, keys: Sequence[SightingKey]) -> list[Stretch]:
    """What the frames of a dive tell of the stretch of each key. Raises ResultsError."""
    frames = _frames(folder, ("media_s", "utc", "depth_m"))
    times = frames["media_s"].to_numpy()
    found = []
    for key in keys:
        inside = np.flatnonzero((times >= key.start_s) & (times <= key.end_s))
        if not len(inside) and len(times):  # processed with another --every since
            inside = np.array([np.abs(times - key.peak_s).argmin()])
        rows = frames.take(inside)
        utc = rows["utc"].to_pylist() or [None]
        depths = [depth for depth in rows["depth_m"].to_pylist() if depth is not None]
        found.append(Stretch(utc[0], utc[-1], min(depths, default=None), max(depths, default=None)))
    return found


def _frames(folder: Path, columns: Sequence[str]) -> pa.Table:
    path = folder / TABLE
    try:
        return pq.read_table(path, columns=list(columns))
    except (OSError, pa.ArrowException) as error:
        raise ResultsError(f"{path}: cannot be read; process the dive again") from error
