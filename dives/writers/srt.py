"""dive.srt: the sightings as SubRip, for players that know no WebVTT."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dives.partial import writing
from dives.writers.subtitles import Cue, SubtitleWriter, clock
from realtime.sightings import Sighting


class Srt(SubtitleWriter):
    """SubRip: numbered from 1, a comma before the milliseconds, UTF-8, line feeds."""

    name = "dive.srt"

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Writes the file; none where nothing was seen, since players take one without a cue for a broken one."""
        if sightings:
            super().finish(sightings)
            return
        path = self._dive.folder / self.name
        with writing(path):
            path.unlink(missing_ok=True)

    def lines(self, cues: Sequence[Cue]) -> Iterator[str]:
        """One numbered block per cue."""
        for number, cue in enumerate(cues, start=1):
            yield f"{number}\n{clock(cue.start_ms, ',')} --> {clock(cue.end_ms, ',')}\n{cue.text}\n\n"
