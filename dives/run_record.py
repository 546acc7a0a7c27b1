"""run.json: what a dive folder says about its own making, and whether it is finished."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av

from dives.partial import write_whole
from realtime.errors import ResultsError

NAME = "run.json"
SCHEMA_VERSION = 1
RUNNING, COMPLETE, INCOMPLETE, FAILED = "running", "complete", "incomplete", "failed"
INTERRUPTED = "interrupted; --resume continues"
PACKAGES = ("reeflens", "numpy", "opencv-python-headless", "av", "pyarrow", "onnxruntime-gpu", "onnxruntime")


@dataclass(slots=True, kw_only=True)
class RunRecord:
    """The content of run.json, filled in as it becomes known; docs/results.md explains every field."""

    schema_version: int = SCHEMA_VERSION
    state: str = RUNNING
    reason: str = ""
    source: Mapping[str, Any]
    time: Mapping[str, str]
    model: Mapping[str, Any]
    options: Mapping[str, Any]
    counts: dict[str, Any] = field(default_factory=dict)
    timing: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    overlay_encoder: str = ""
    divelog: dict[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


class RunLog:
    """Keeps a folder's run.json true while a run goes on: a context manager around the work.

    The file says "running" from the start, which it stays at when the process is killed. An exception on the way
    makes it "failed" with the reason, Ctrl-C "incomplete"; ``end`` says how it went otherwise.

    stands: of a finished run, to which this one only adds, such as an overlay. Then the file says all the while that it
    is complete, however this run ends.
    """

    def __init__(self, folder: Path, record: RunRecord, *, stands: bool = False) -> None:
        self.record = record
        self._folder = folder
        self.stands = stands

    def save(self) -> None:
        """Brings run.json up to what is known by now. Raises ResultsError."""
        self.record.state = COMPLETE if self.stands else RUNNING
        self._write()

    def end(self, state: str, reason: str = "") -> None:
        """The work is over. Raises ResultsError when that cannot be written."""
        self.record.state, self.record.reason = state, reason
        self._write()

    def _write(self) -> None:
        write_whole(self._folder / NAME, self._text())

    def _text(self) -> str:
        return json.dumps(asdict(self.record), ensure_ascii=False, indent=1) + "\n"

    def __enter__(self) -> Self:
        if not self.stands:
            self.end(RUNNING)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or self.stands:
            return
        try:
            if isinstance(error, KeyboardInterrupt):
                self.end(INCOMPLETE, INTERRUPTED)
            else:
                self.end(FAILED, str(error) or type(error).__name__)
        except ResultsError:
            # A full disk has no room for a second file, but most often lets the first be written over in its block.
            with suppress(OSError), (self._folder / NAME).open("r+b") as file:
                file.write(self._text().encode())
                file.truncate()


def read_run(folder: Path) -> dict[str, Any] | None:
    """The folder's run.json, or None when there is none of this version that can be read."""
    try:
        record = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and record.get("schema_version") == SCHEMA_VERSION else None


def is_whole(record: Mapping[str, Any], classified: int) -> bool:
    """Whether a run of which ``classified`` frames are on the disk read its dive to the end."""
    return bool(record["state"] == COMPLETE and record["counts"]["classified"] == classified)


def versions() -> dict[str, str]:
    """Of Python, ffmpeg and the packages that touched the numbers; those not installed are left out."""
    found = {"python": platform.python_version(), "ffmpeg": av.ffmpeg_version_info}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
