"""dives/times.py: another start or dive log of a dive in a library, from when it is said until it is kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from test_library import put_dive

from dives.divelog import DiveLog, MisfitError
from dives.library import DIVELOG, DIVES, WANTED, Library, read_facts
from dives.times import (
    Times,
    check_log,
    free_log_name,
    give_up_wanted,
    keep_wanted,
    read_wanted,
    write_wanted,
)
from realtime.errors import LibraryError

OTHER = Times(start_utc="2026-05-01T12:30:00.000Z", divelog="log-2.csv", divelog_offset_s=20.0)
LOG = "time,depth_m\n2026-05-01T09:29:00Z,10\n2026-05-01T09:31:00Z,10\n"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / DIVES / put_dive(tmp_path, state="complete", start_utc="2026-05-01T09:30:00.000Z")
    (folder / DIVELOG).mkdir()
    for name in ("log.csv", "log-2.csv"):
        (folder / DIVELOG / name).write_text(LOG)
    return folder


def test_it_is_wanted_past_a_restart_and_then_kept(folder, tmp_path):
    assert read_wanted(folder) is None
    write_wanted(folder, OTHER)
    with Library.open(tmp_path) as library:
        row = library.dive(folder.name)
        assert (row.state, row.times) == ("complete", "wanted")
        job = library.next_job()
        assert job is not None
        assert job.step == "times"
        keep_wanted(folder, OTHER)
        library.end_times(folder.name, joined=True)
        assert library.dive(folder.name).times == ""
    assert Times.of(read_facts(folder)) == OTHER
    assert (read_wanted(folder), [log.name for log in (folder / DIVELOG).iterdir()]) == (None, ["log-2.csv"])


def test_what_is_said_while_another_is_joined_stays_wanted(folder):
    later = Times(start_utc="", divelog="log.csv", divelog_offset_s=None)
    write_wanted(folder, OTHER)
    write_wanted(folder, later)
    keep_wanted(folder, OTHER)
    assert (Times.of(read_facts(folder)), read_wanted(folder)) == (OTHER, later)
    assert (folder / DIVELOG / "log.csv").exists()


def test_it_can_be_given_up(folder):
    write_wanted(folder, OTHER)
    give_up_wanted(folder)
    assert (read_wanted(folder), read_facts(folder).start_utc) == (None, "")
    assert not any((folder / DIVELOG).iterdir())  # nobody ever joined one
    give_up_wanted(folder)


def test_a_log_has_a_name_of_its_own(folder):
    assert [free_log_name(folder, name) for name in ("log.csv", "other.csv")] == ["log-3.csv", "other.csv"]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"start_utc": ""}', '{"start_utc": "", "divelog": "../x", "divelog_offset_s": 0}']
)
def test_what_cannot_be_read_is_said(folder, text):
    (folder / WANTED).write_text(text)
    with pytest.raises(LibraryError, match=r"wanted\.json: cannot be read"):
        read_wanted(folder)


def test_whether_a_log_fits_is_known_without_opening_the_recording(folder):
    log = DiveLog.read(folder / DIVELOG / "log.csv")
    check_log(folder, log, None)
    with pytest.raises(MisfitError, match=r"Reef\.MP4: recorded from 2026-05-01T12:30") as caught:
        check_log(folder, log, datetime(2026, 5, 1, 12, 30, tzinfo=UTC))
    assert [fit.offset_s for fit in caught.value.fits] == [-10800.0]
    (folder / "probe.json").unlink()
    with pytest.raises(LibraryError, match="nobody has looked"):
        check_log(folder, log, None)
