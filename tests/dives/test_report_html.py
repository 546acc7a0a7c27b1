"""report.html as an HTML parser sees it; tests/browser looks at it in a browser."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from clips import write_clip
from hypothesis import given
from hypothesis import strategies as st
from raw_rows import shown, write

from dives.files import Files
from dives.run_record import INCOMPLETE, RunRecord
from dives.writers import report_html
from dives.writers.report_html import MOST_TICKS, ReportHtml, clock, percent, span, thumbnail, ticks
from dives.writers.stills import Stills
from realtime.contract import Provenance

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Checks that elements close in order, and keeps text, attributes and pictures."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.open, self.ids, self.links, self.pictures, self.tags = "", [], [], [], [], set()
        self.feed(html)
        assert self.open == []
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        known = dict(attrs)
        self.ids += [known["id"]] if "id" in known else []
        self.links += [known["href"]] if "href" in known else []
        self.pictures += [known["src"]] if "src" in known else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def record(**counts):
    return RunRecord(
        source={"name": "dive.mp4"},
        time={},
        model={"name": "toy.onnx", "sha256": "ab" * 32, "provider": "CPUExecutionProvider", "provider_note": "no GPU"},
        options={"every_s": 2.0},
        counts={"decoded": 100, "skipped": {}, **counts},
        timing={"begun_utc": "2026-05-02T10:00:00.000Z", "frames_per_s": 50.0},
        versions={"python": "3.11"},
    )


def page(to, rows, *, stills=None, run=None, **ended):
    stills = stills or Stills(skip=True)
    write(rows, to, stills, ReportHtml(stills, run or record(), **ended))
    return Page((to.folder / "report.html").read_text(encoding="utf-8"))


def labelled(labels, step_s=1.0):
    return [shown(k, k * step_s, label, utc=True) for k, label in enumerate(labels)]


def test_it_says_what_was_seen_how_often_how_long_and_how_surely(dive):
    metrics = {"accuracy": 0.597, "accuracy_low": 0.571, "accuracy_high": 0.623, "pictures": 1365.0, "top3": 0.798}
    to = dive(
        21,
        taxonomy={"Turtle": "Testudines"},
        provenance=Provenance(run_id="first", data_hash="0" * 64, metrics=metrics),
    )
    found = page(to, labelled([0] * 5 + [None] * 5 + [2] * 10 + [0]))
    assert "3 sightings 2 kinds of animal" in found.text
    assert "75 % of the time something it knows" in found.text
    assert re.search(r"Turtle Testudines ?1 ?10 s ?90.% ?0:10", found.text)
    assert re.search(r"Fish ?2 ?5\.0 s ?90.% ?0:00", found.text)
    assert "right on 60 % of 1365 test photographs (95 % interval 57 % to 62 %)" in found.text
    assert [identity for identity in found.ids if identity.startswith("s")] == ["s1", "s2", "s3"]
    assert {link for link in found.links if link.startswith("#")} == {"#s1", "#s2", "#s3"}
    assert "toy.onnx" in found.text
    assert "CPUExecutionProvider (no GPU)" in found.text


def test_once_is_one_time_and_a_moment_has_one_clock(dive):
    to = dive(3)
    page(to, labelled([0, None, None], step_s=5.0))
    html = (to.folder / "report.html").read_text(encoding="utf-8")
    assert 'aria-label="Fish: 1 time"' in html
    assert 'title="Fish, 0:00"' in html
    assert "0:00 – 0:00" not in html


def test_it_stands_alone(dive, tmp_path):
    clip = write_clip(tmp_path / "dive.mp4", frames=40)
    to = dive(40, files=Files.one(clip))
    found = page(to, [shown(k, k / 25, 0 if k < 20 else 2) for k in range(40)], stills=Stills())
    assert not found.tags & {"script", "link", "iframe", "object"}
    assert len(found.pictures) == 4
    for source in found.pictures:
        kind, _, data = source.partition(",")
        assert kind == "data:image/jpeg;base64"
        assert cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR).shape == (48, 64, 3)
    assert {link for link in found.links if ":" in link} == set()  # nothing beyond this folder
    assert "stills/0001-fish-000000.jpg" in found.links


def test_what_was_skipped_or_guessed_is_said_by_cause(dive):
    skipped = {"between samples": 50, "damaged packets": 1, "unreadable files": 2, "eaten by a shark": 3}
    run = record(skipped=skipped, guessed_stamps=1, unreadable=[{"name": "a.jpg", "reason": "not a picture"}])
    found = page(dive(1), labelled([0]), run=run)
    for said in (
        "50 frames between the samples: you asked for one every 2 s.",
        "1 damaged piece of the recording could not be decoded",
        "2 files of the folder could not be read",
        "Skipped, eaten by a shark: 3.",
        "1 frame carried no time",
        "a.jpg: not a picture",
        "The time of day is not known",
    ):
        assert said in found.text


def test_a_sighting_without_a_picture_says_so(dive):
    stills = Stills()
    found = page(dive(5), labelled([0] * 5), stills=stills)  # there is no dive.mp4
    assert "1 sighting without a picture" in found.text
    assert "no picture" in found.text


def test_an_incomplete_dive_says_so_first(dive):
    found = page(dive(5), labelled([0] * 5), state=INCOMPLETE, reason="the file breaks off at 3.0 s of 9.0 s")
    assert "This dive is not complete: the file breaks off at 3.0 s of 9.0 s." in found.text


def test_nothing_seen_is_an_answer(dive):
    found = page(dive(3), labelled([None] * 3))
    assert "Nothing it knows was seen" in found.text
    assert "0 sightings" in found.text
    assert "100 % of the time nothing I know" in found.text


def test_markup_in_names_is_text(dive):
    nasty = "<script>alert('&')</script>"
    to = replace(dive(2, labels=(nasty, '"><img src=x>', "c"), taxonomy={nasty: "<b>"}), source=f"{nasty}.mp4")
    found = page(to, labelled([0, 1]), run=record(unreadable=[{"name": nasty, "reason": nasty}]))
    assert "script" not in found.tags
    assert found.pictures == []
    assert nasty in found.text


def test_equal_dives_give_equal_pages_but_for_the_times_of_the_run(dive):
    pages = []
    for begun in ("2026-05-02T10:00:00.000Z", "2026-05-03T11:11:00.000Z"):
        run = record()
        run.timing["begun_utc"] = begun
        page(dive(5), labelled([0] * 5), run=run)
        pages.append((dive(5).folder / "report.html").read_text(encoding="utf-8"))
    assert pages[0] != pages[1]
    shorn = [re.sub(r'(<dd class="run">).*?(</dd>)', r"\1\2", text) for text in pages]
    assert shorn[0] == shorn[1]


def test_a_dive_of_many_sightings_stays_small(dive, tmp_path, monkeypatch):
    """Pictures of noise, which JPEG hardly shrinks, and more sightings than the page shows."""
    rng = np.random.default_rng(1)
    noise = cv2.imencode(".jpg", rng.integers(0, 255, (90, 160, 3), np.uint8))[1].tobytes()
    (tmp_path / "noise.jpg").write_bytes(noise)
    monkeypatch.setattr(report_html, "MOST_SIGHTINGS", 30)
    monkeypatch.setattr(report_html, "MOST_PICTURES", 20)
    monkeypatch.setattr(report_html, "PICTURE_BYTES", 400_000)

    class Noise(Stills):
        def of(self, number):
            from dives.stills import Still

            return Still("noise.jpg", "noise.jpg")

    found = page(dive(40), labelled([k % 2 for k in range(40)]), stills=Noise(skip=True))
    assert "The 30 surest of 40 are shown" in found.text
    assert len(found.pictures) == 40
    assert (tmp_path / "report.html").stat().st_size < 400_000 * 4 / 3 + 60_000


def test_a_thumbnail_is_the_largest_that_fits(tmp_path):
    path = tmp_path / "still.jpg"
    cv2.imwrite(str(path), np.random.default_rng(2).integers(0, 255, (540, 960, 3), np.uint8))
    sizes = []
    for most in (200_000, 30_000, 10_000):
        small = thumbnail(path, most)
        assert small is not None
        assert len(small) <= most
        sizes.append(cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_COLOR).shape[1])
    assert sizes[0] == 360
    assert sizes == sorted(sizes, reverse=True)
    assert thumbnail(path, 100) is None
    path.write_bytes(b"no picture")
    assert thumbnail(path, 10_000) is None
    assert thumbnail(tmp_path / "gone.jpg", 10_000) is None


@given(st.floats(0.001, 1e6))
def test_an_axis_has_round_times_within_it_and_not_too_many(length_s):
    marks = ticks(length_s)
    assert marks[0] == 0
    assert marks[-1] <= length_s
    assert len(marks) <= MOST_TICKS


@pytest.mark.parametrize(
    ("seconds", "as_clock", "as_span"),
    [
        (0.0, "0:00", "0.0 s"),
        (9.96, "0:09", "10 s"),
        (65.2, "1:05", "1 min 05 s"),
        (59.7, "0:59", "1 min 00 s"),
        (3723.9, "1:02:03", "1 h 02 min"),
    ],
)
def test_times_read_as_on_a_player_and_lengths_as_words(seconds, as_clock, as_span):
    assert (clock(seconds), span(seconds)) == (as_clock, as_span)


def test_a_share_rounds_neither_something_to_nothing_nor_most_to_all():
    assert [percent(share).replace("\u00a0", " ") for share in (0.0, 0.001, 0.5, 0.999, 1.0)] == [
        *("0 %", "under 1 %", "50 %", "over 99 %", "100 %")
    ]
