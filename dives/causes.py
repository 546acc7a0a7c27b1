"""Why the work on a dive of a library ended without its results, or the browser does not play it: a word for each.

The sentence beside it says more, in English; where that is not read, the page has its own sentence for the word. What
is wrong with the recording itself is one of RECORDING.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from realtime.errors import Cause

RECORDING = (Cause.NOT_FOUND, Cause.UNAUTHORISED, Cause.UNAVAILABLE, Cause.NOT_VIDEO, Cause.CUT_OFF)


class JobCause(StrEnum):
    """Why a job failed."""

    MEMORY = "memory"  # it needs more than a job may have
    TOO_LONG = "too-long"
    SILENT = "silent"  # it made no progress
    CRASHED = "crashed"  # its process ended by itself, or was ended by the system
    ATTEMPTS = "attempts"  # the server stopped several times while it worked on this
    INTERNAL = "internal"  # an error of ours
    MODEL = "model"  # it fails while it runs, or what runs it does
    STOPPED = "stopped"  # on request
    RESULTS = "results"  # they cannot be written, or not be continued
    DIVELOG = "divelog"  # it does not fit the recording, and was left out


class Unplayable(StrEnum):
    """What of a video browsers do not play."""

    CODEC = "codec"
    PIXELS = "pixels"
    CONTAINER = "container"
    PARTS = "parts"  # there are several


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended. state: as in run.json. reason: a sentence; cause: a word for it, or "" where there is none."""

    state: str
    reason: str = ""
    cause: str = ""
