"""Both formats are read back by ffmpeg's own demuxers, which a player would use, and by libraries made for them."""

from __future__ import annotations

from datetime import timedelta

import av
import pytest
import srt
import webvtt
from raw_rows import shown, write

from dives.writers.srt import Srt
from dives.writers.subtitles import clock
from dives.writers.webvtt import WebVtt

FORMATS = pytest.mark.parametrize("writer", [WebVtt, Srt])


def cues(path):
    """(start_ms, end_ms, text) as ffmpeg reads them."""
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[0]
        return [
            (
                round(packet.pts * packet.time_base * 1000),
                round((packet.pts + packet.duration) * packet.time_base * 1000),
                bytes(packet).decode(),
            )
            for packet in container.demux(stream)
            if packet.size
        ]


@FORMATS
def test_a_cue_lasts_until_the_frame_after_its_last(dive, writer):
    to = dive(100)
    write([shown(k, k * 0.1, 0 if k < 50 else 2) for k in range(100)], to, writer())
    assert cues(to.folder / writer.name) == [(0, 5000, "Fish 90%"), (5000, 10_000, "Turtle 90%")]


@FORMATS
def test_a_cue_does_not_outlive_its_animal_over_a_hole(dive, writer):
    to = dive(20)
    rows = [shown(k, k * 0.1 + (60.0 if k >= 10 else 0.0), 0) for k in range(20)]
    write(rows, to, writer())
    assert [cue[:2] for cue in cues(to.folder / writer.name)] == [(0, 2900), (61_000, 62_000)]


@FORMATS
def test_one_frame_stays_for_as_long_as_the_video_shows_it(dive, writer):
    to = dive(1, rate=10.0)
    write([shown(0, 0.0, 1)], to, writer())
    assert cues(to.folder / writer.name) == [(0, 100, "Octopus 90%")]


@FORMATS
def test_frames_closer_than_a_millisecond_still_make_a_cue(dive, writer):
    to = dive(2, rate=None)
    write([shown(0, 0.0, 1), shown(1, 0.0001, 1)], to, writer())
    assert [cue[:2] for cue in cues(to.folder / writer.name)] == [(0, 1)]


@FORMATS
def test_samples_far_apart_are_shown_until_the_next_one(dive, writer):
    to = dive(3, merge_gap_s=15.0)
    write([shown(0, 0.0, 0), shown(300, 10.0, 0), shown(600, 20.0, None)], to, writer())
    assert cues(to.folder / writer.name) == [(0, 20_000, "Fish 90%")]


def test_markup_in_a_label_is_text_in_webvtt(dive):
    to = dive(1, labels=("Tom & <b>Jerry</b> --> x", "Two\nlines", "c"))
    write([shown(0, 0.0, 0)], to, WebVtt())
    assert "Tom &amp; &lt;b&gt;Jerry&lt;/b&gt; --&gt; x 90%\n" in (to.folder / "dive.vtt").read_text()


@FORMATS
def test_a_label_of_two_lines_does_not_end_its_cue(dive, writer):
    to = dive(1, labels=("a", "Two\n\nlines", "c"))
    write([shown(0, 0.0, 1)], to, writer())
    assert cues(to.folder / writer.name)[0][2] == "Two lines 90%"


def test_a_dive_without_animals_is_still_a_webvtt_file_and_no_subrip_which_would_be_empty(dive):
    to = dive(1)
    (to.folder / "dive.srt").write_text("of another model")
    write([shown(0, 0.0, None)], to, WebVtt(), Srt())
    assert (to.folder / "dive.vtt").read_text() == "WEBVTT\n"
    assert not list(to.folder.glob("dive.srt*"))


def test_the_clock_goes_beyond_a_day():
    assert clock(0, ".") == "00:00:00.000"
    assert clock(100 * 3_600_000 + 61_007, ",") == "100:01:01,007"


def test_other_readers_agree(dive):
    to = dive(100, labels=("Tom & <b>Jerry</b>", "b", "Großer Hai, ウミガメ"))
    write([shown(k, 3590 + k * 0.1, 0 if k < 50 else 2) for k in range(100)], to, WebVtt(), Srt())
    captions = webvtt.read(to.folder / "dive.vtt").captions
    assert [(c.start, c.end, c.raw_text) for c in captions] == [
        ("00:59:50.000", "00:59:55.000", "Tom &amp; &lt;b&gt;Jerry&lt;/b&gt; 90%"),
        ("00:59:55.000", "01:00:00.000", "Großer Hai, ウミガメ 90%"),
    ]
    subtitles = list(srt.parse((to.folder / "dive.srt").read_text(encoding="utf-8")))
    assert [(s.index, s.start, s.end, s.content) for s in subtitles] == [
        (1, timedelta(seconds=3590), timedelta(seconds=3595), "Tom & <b>Jerry</b> 90%"),
        (2, timedelta(seconds=3595), timedelta(seconds=3600), "Großer Hai, ウミガメ 90%"),
    ]
