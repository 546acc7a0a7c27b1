"""Results that `reeflens process` left become a dive of a library, beside those that came by the browser.

A dive is put together in a folder that no server sees and then gets its name at once, so that a server may be using the
library meanwhile; it lists the newcomer within seconds, or when it starts.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dives.corrections import carry_over
from dives.joined_log import NAME as JOINED_LOG
from dives.library import (
    DIVELOG,
    DIVES,
    HIDDEN,
    ORIGINAL,
    RESULTS,
    THUMBNAIL,
    DiveFacts,
    new_id,
    now_utc,
    read_facts,
    write_facts,
)
from dives.naming import log_name, title_of, video_name
from dives.partial import SUFFIX
from dives.probe import probe_joined, probe_video, write_probe, write_thumbnail
from dives.recorded import RecordedPart, find_recording, parts_of
from dives.remaking import is_of_a_remaking
from dives.run_record import COMPLETE, INCOMPLETE, read_run
from dives.run_record import NAME as RUN
from dives.track import write_track
from realtime.errors import LibraryError, ReeflensError, SourceError

THUMBNAIL_AT = 0.1  # of the length, where nothing was seen


@dataclass(frozen=True, slots=True)
class Added:
    """A dive that is in the library. known: it was before; ``corrections`` of these results were taken over then."""

    dive_id: str
    title: str
    known: bool
    corrections: int


def result_folders(sources: Sequence[Path]) -> list[Path]:
    """The folders of results in ``sources``, or below them, in order, each once. Raises LibraryError for none."""
    found = [record.parent for source in sources for record in sorted(source.rglob(RUN))]
    found = [folder for folder in found if not is_of_a_remaking(folder)]
    if not found:
        raise LibraryError(f"{', '.join(map(str, sources))}: there are no results here; `reeflens process` makes some")
    return list(dict.fromkeys(found))


def add_results(results: Path, library: Path, *, say: Callable[[str], None] = lambda _: None) -> Added:
    """Adds the dive whose results are in ``results``, with its recording, to the library in the folder ``library``.

    Nothing is taken from where it is: results are copied, the recording is linked where the disk can do that, and else
    copied. A recording that the library has is not added again; corrections said since are. say: is told what takes
    long. Raises LibraryError when these are no finished results of videos, when one of these is not to be found, or
    when the library cannot be read or written; ResultsError when corrections cannot.
    """
    run, parts = _finished(results)
    try:
        (library / DIVES).mkdir(parents=True, exist_ok=True)
        for folder in sorted((library / DIVES).iterdir()):
            known = read_run(folder / RESULTS)
            if known is not None and known["source"].get("fingerprint") == run["source"]["fingerprint"]:
                return Added(folder.name, read_facts(folder).title, True, carry_over(results, folder / RESULTS))
        videos = [_found(results, part) for part in parts]
        dive_id = new_id()
        staged = library / DIVES / f"{HIDDEN}{dive_id}"
        try:
            _put_together(staged, results, run, parts, videos, say)
            staged.replace(library / DIVES / dive_id)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LibraryError(f"{library}: {results.name} cannot be added ({reason.lower()})") from error
    return Added(dive_id, title_of(parts[0].name), False, 0)


def _finished(results: Path) -> tuple[dict[str, Any], tuple[RecordedPart, ...]]:
    run = read_run(results)
    if run is None:
        raise LibraryError(f"{results}: its run.json is not of this version of Reeflens; process the dive again")
    if run["state"] not in (COMPLETE, INCOMPLETE):
        raise LibraryError(f"{results}: is not finished ({run['state']}); process it with --resume first")
    parts = parts_of(run)
    if run["source"]["kind"] != "video" or not parts:
        raise LibraryError(f"{results}: is of pictures, and the library plays videos")
    if lost := [chapter["name"] for chapter in run["source"].get("chapters", []) if chapter["problem"]]:
        raise LibraryError(f"{results}: {lost[0]} could not be read; join the dive without it, and add that")
    if len({video_name(part.name).casefold() for part in parts}) < len(parts):
        raise LibraryError(f"{results}: two of its files have names too alike for every disk; call one otherwise")
    if (log := run.get("divelog", {}).get("name")) and not (results / JOINED_LOG).exists():
        raise LibraryError(f"{results}: does not hold its dive log; process it with --resume --divelog {log} first")
    return run, parts


def _found(results: Path, part: RecordedPart) -> Path:
    video = find_recording(results, part)
    if video is None:
        raise LibraryError(f"{results}: its recording is not at {part.path} any more; put it into this folder")
    return video


def _put_together(
    staged: Path,
    results: Path,
    run: dict[str, Any],
    parts: Sequence[RecordedPart],
    videos: Sequence[Path],
    say: Callable[[str], None],
) -> None:
    originals = [staged / ORIGINAL / video_name(part.name) for part in parts]
    originals[0].parent.mkdir(parents=True)
    for video, original in zip(videos, originals, strict=True):
        try:
            os.link(video.resolve(), original)
        except OSError:  # another disk, or one without links
            say(f"{video.name}: copying {video.stat().st_size / 1e9:.1f} GB")
            shutil.copyfile(video, original)
    recorded = {video.resolve() for video in videos}
    own = {entry.name for entry in results.iterdir() if entry.suffix == SUFFIX or entry.resolve() in recorded}

    def left_out(folder: str, names: list[str]) -> set[str]:
        # Links too: what they lead to is none of the results, and anyone who may look could download it.
        links = {name for name in names if (Path(folder) / name).is_symlink()}
        return links | own if Path(folder) == results else links

    shutil.copytree(results, staged / RESULTS, ignore=left_out)
    log = ""
    if run.get("divelog"):  # what was joined of it: the dive is processed again here, from its facts alone
        log = log_name(f"{Path(run['divelog']['name']).stem}.csv")
        (staged / DIVELOG).mkdir()
        shutil.copyfile(staged / RESULTS / JOINED_LOG, staged / DIVELOG / log)  # which is no link
    write_facts(
        staged,
        DiveFacts(
            title=title_of(parts[0].name),
            file_name=parts[0].name,
            video=originals[0].name,
            more=tuple(original.name for original in originals[1:]),
            added_utc=now_utc(),
            every_s=run["options"]["every_s"],
            start_utc=run["options"]["start_utc"],
            divelog=log,
            divelog_offset_s=0.0 if log else None,  # it is by the camera's clock
        ),
    )
    try:
        several = len(originals) > 1
        name = parts[0].name
        probe = probe_joined(originals, name) if several else probe_video(originals[0], name)
        write_probe(staged, probe)
        write_track(staged / RESULTS, staged, run["model"]["labels"])
    except ReeflensError as error:
        raise LibraryError(f"{results}: cannot be added ({error})") from error
    with suppress(SourceError):
        peak_s = _best_s(staged / RESULTS)
        at_s = THUMBNAIL_AT * (probe.duration_s or 0.0) if peak_s is None else peak_s
        begun = max((k for k, part in enumerate(parts) if part.offset_s <= at_s), default=0)
        write_thumbnail(originals[begun], at_s - parts[begun].offset_s, staged / THUMBNAIL)


def _best_s(results: Path) -> float | None:
    """When the surest sighting was at its best; None when there is none."""
    with (results / "sightings.csv").open(encoding="utf-8", newline="") as file:
        best = max(csv.DictReader(file), key=lambda line: float(line["peak_probability"]), default=None)
    return None if best is None else float(best["peak_s"])
