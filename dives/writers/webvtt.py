"""dive.vtt: the sightings as WebVTT, for the browser's ``<track>`` and every modern player."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dives.writers.subtitles import Cue, SubtitleWriter, clock


class WebVtt(SubtitleWriter):
    """WebVTT as the W3C defines it, UTF-8, line feeds."""

    name = "dive.vtt"

    def lines(self, cues: Sequence[Cue]) -> Iterator[str]:
        """The signature line, then one block per cue."""
        yield "WEBVTT\n"
        for cue in cues:
            text = cue.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            yield f"\n{clock(cue.start_ms, '.')} --> {clock(cue.end_ms, '.')}\n{text}\n"
