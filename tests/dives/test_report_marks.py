"""A report gets what people said where it has room for it, and is left alone where it has none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from dives.matching import Corrected
from dives.partial import PartialFile
from dives.report_marks import mark_report
from realtime.errors import ResultsError

NOBODY = Corrected((None,), ())


def test_a_report_without_places_or_none_at_all_is_left_as_it_is(tmp_path):
    mark_report(tmp_path, NOBODY)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "report.html").write_text("<p>of an earlier version</p>")
    mark_report(tmp_path, NOBODY)
    assert (tmp_path / "report.html").read_text() == "<p>of an earlier version</p>"


def test_a_place_that_is_of_no_sighting_any_more_is_emptied(tmp_path):
    (tmp_path / "report.html").write_text("<!--said 1-->right<!--/said--> <!--said 7-->right<!--/said-->")
    mark_report(tmp_path, NOBODY)
    assert (tmp_path / "report.html").read_text() == "<!--said 1--><!--/said--> <!--said 7--><!--/said-->"


def test_one_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "report.html").write_bytes(b"\xff")
    with pytest.raises(ResultsError, match=r"report\.html: cannot be read"):
        mark_report(tmp_path, NOBODY)


def test_a_page_that_is_made_anew_meanwhile_is_the_one_that_is_marked(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old <!--said 7-->right<!--/said-->")
    with ThreadPoolExecutor(1) as aside, PartialFile(path, "w") as anew:
        marking = aside.submit(mark_report, tmp_path, NOBODY)
        anew.write("new <!--said 7-->right<!--/said-->")
        anew.commit()
        marking.result()
    assert path.read_text() == "new <!--said 7--><!--/said-->"
    assert list(tmp_path.iterdir()) == [path]
