"""Sightings that nobody saw, and words on them."""

from __future__ import annotations

from datetime import UTC, datetime

from dives.corrections import Correction, SightingKey, Verdict

NOW = datetime(2026, 5, 2, 20, 0, tzinfo=UTC)


def key(start_s=1.0, end_s=3.0, *, label="Fish", file="dive.mp4", peak_frame=None) -> SightingKey:
    peak_s = (start_s + end_s) / 2
    return SightingKey(file, label, int(peak_s * 25) if peak_frame is None else peak_frame, start_s, end_s, peak_s)


def said(sighting, verdict=Verdict.RIGHT, label="") -> Correction:
    return Correction(sighting, verdict, label, "", "", NOW)
