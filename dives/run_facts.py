"""What run.json tells of a dive, asked of those who know it: the recording, the model, the log and the rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dives.chapters import JoinedVideo
from dives.divelog import LoggedDive
from dives.fingerprint import fingerprint_of_all
from dives.journal import Journal
from dives.profile import Profile
from dives.wall_clock import clock_of
from realtime.engine import Engine
from realtime.frames import iso_utc
from realtime.sources import Source


def source_facts(paths: Sequence[Path], opened: Source) -> dict[str, Any]:
    """What the dive was recorded in. Raises SourceError when the only file went away meanwhile."""
    info = opened.info
    return {
        "name": paths[0].name,
        "path": str(paths[0].resolve()),
        "fingerprint": fingerprint_of_all(paths),
        "kind": info.kind,
        "codec": info.codec,
        "size_hw": list(info.size_hw),
        "rate": info.rate,
        "duration_s": info.duration_s,
        "frames": info.frames,
        **chapter_facts(opened),
    }


def chapter_facts(opened: Source) -> dict[str, Any]:
    """Of a dive in several files, as far as it is read: its gaps, and where each chapter begins. Else empty."""
    if not isinstance(opened, JoinedVideo):
        return {}
    return {
        "chapters": [
            {
                "name": chapter.path.name,
                "path": str(chapter.path.resolve()),
                "offset_s": round(chapter.offset_s, 6),
                "length_s": round(chapter.length_s, 6),
                "frames": chapter.frames,
                "first_frame": chapter.first_frame,
                "timed": chapter.timed,
                "problem": chapter.problem,
            }
            for chapter in opened.chapters
        ],
        "gaps": [asdict(gap) for gap in sorted(opened.gaps, key=lambda gap: gap.at_s)],
    }


def model_facts(engine: Engine, begun_on: str) -> dict[str, Any]:
    """begun_on: the provider that classified the first rows."""
    return {
        "name": engine.path.name,
        "sha256": engine.sha256,
        "labels": list(engine.contract.labels),
        "taxonomy": dict(engine.contract.taxonomy),
        "precision": engine.contract.precision,
        **provider_facts(engine),
        "begun_on": begun_on,
    }


def provider_facts(engine: Engine) -> dict[str, Any]:
    """What really runs the model by now: a GPU may be lost on the way."""
    provider = engine.provider
    return {
        "provider": provider.name,
        "provider_share": round(provider.share, 4),
        "provider_note": provider.note,
    }


def log_facts(logged: LoggedDive | None) -> dict[str, Any]:
    """Which dive of a log was joined; empty without a log."""
    if logged is None:
        return {}
    return {
        "name": logged.log,
        "dive": logged.number,
        "dives": logged.of,
        "first_utc": iso_utc(logged.profile.first_utc),
        "last_utc": iso_utc(logged.profile.last_utc),
        "offset_s": logged.offset_s,
        "frames": 0,  # until they are classified
    }


def frames_with_depth(profile: Profile, journal: Journal, opened: Source) -> int:
    """Of the rows in the journal, by the clock of the recording that they are of."""
    clock = clock_of(opened)
    moments = (clock(int(index), float(media_s)) for index, media_s in zip(*journal.moments(), strict=True))
    plain = [moment and moment.replace(tzinfo=None) for moment in moments]
    return int(profile.covers(np.array(plain, "datetime64[us]")).sum())


def read_s(journal: Journal, merge_gap_s: float, announced_s: float | None) -> float:
    """Seconds of the recording that its rows stand for: each until the next, but not over holes."""
    _, media_s = journal.moments()
    apart_s = np.clip(np.diff(media_s), 0.0, merge_gap_s)
    last_s = float(apart_s[-1]) if len(apart_s) else 0.0
    found_s = float(apart_s.sum()) + last_s
    return round(min(found_s, announced_s) if announced_s else found_s, 3)


def until_now(began_s: float) -> dict[str, Any]:
    """How long a run took that began at ``began_s`` of time.monotonic, and when that was over."""
    return {"finished_utc": iso_utc(datetime.now(UTC)), "wall_s": round(time.monotonic() - began_s, 3)}
