"""divelog.csv: the depth and temperature that were joined to a dive, by the camera's clock, kept beside its results.

So the dive keeps its depth when its tables are made anew where the log itself is not: with `--resume` alone, or in a
library. It holds that one dive and nothing else of the log, and is a log that ``DiveLog.read`` takes.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from dives.divelog import LoggedDive
from dives.partial import write_whole, writing
from dives.profile import Profile
from realtime.errors import ResultsError

NAME = "divelog.csv"
COLUMNS = ("time", "depth_m", "temperature_c")


def keep_log(folder: Path, logged: LoggedDive | None) -> None:
    """Writes the joined dive into the results in ``folder``; removes what is there for None. Raises ResultsError."""
    if logged is None:
        with writing(folder / NAME):
            (folder / NAME).unlink(missing_ok=True)
    else:
        write_whole(folder / NAME, _table(logged))


def is_kept(folder: Path, logged: LoggedDive | None) -> bool:
    """Whether ``keep_log`` would change nothing there."""
    if logged is None:
        return not (folder / NAME).exists()
    try:
        return (folder / NAME).read_bytes() == _table(logged).encode()
    except OSError:
        return False


def kept_log(folder: Path, joined: Mapping[str, Any]) -> LoggedDive | None:
    """The inverse of ``keep_log``. joined: ``divelog`` of the folder's run.json; None when that is empty.

    Raises ResultsError when a log was joined and is not there any more.
    """
    if not joined:
        return None
    path = folder / NAME
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        moments = [datetime.fromisoformat(line["time"]) for line in lines]
        profile = Profile(
            start_utc=moments[0],
            seconds=np.array([(moment - moments[0]).total_seconds() for moment in moments]),
            depth_m=np.array([float(line["depth_m"]) for line in lines]),
            temperature_c=np.array([float(line["temperature_c"] or "nan") for line in lines]),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ResultsError(
            f"{folder}: {joined['name']} was joined to these results, and {NAME} with its depths is not there or "
            "cannot be read; give the log again with --divelog, or run without --resume"
        ) from error
    return LoggedDive(joined["name"], joined["dive"], joined["dives"], profile, joined["offset_s"])


def _table(logged: LoggedDive) -> str:
    text, profile = io.StringIO(), logged.profile
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    columns = (profile.seconds, profile.depth_m, profile.temperature_c)
    for second, depth, celsius in zip(*(column.tolist() for column in columns), strict=True):
        moment = profile.start_utc + timedelta(seconds=second)
        rows.writerow([moment.isoformat(), depth, "" if math.isnan(celsius) else celsius])
    return text.getvalue()
