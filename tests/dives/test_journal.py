from __future__ import annotations

import json

import numpy as np
import pytest
from raw_rows import raw

from dives import journal as journal_module
from dives.journal import Journal, pack, record_dtype, unpack
from realtime.errors import ResultsError

FACTS = {"the source": "9 bytes", "--every": None}


def opened(path, facts=FACTS, **options):
    return Journal.open(path, facts, {"batch": 8}, classes=3, cam_size=2, **options)


def same(first, second):
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert (a.index, a.media_s, a.utc, a.utc_source) == (b.index, b.media_s, b.utc, b.utc_source)
        assert (a.size_hw, a.unknown, a.explained) == (b.size_hw, pytest.approx(b.unknown), b.explained)
        np.testing.assert_array_equal(a.probabilities, b.probabilities)
        np.testing.assert_array_equal(a.cam, b.cam)


ROWS = [raw(k, k / 30, k % 3, utc=k % 2 == 0) for k in range(20)]


def test_rows_come_back_as_they_were(tmp_path):
    with opened(tmp_path / "raw.journal") as journal:
        journal.append(ROWS[:8])
        journal.append(ROWS[8:])
        same(list(journal.rows("dive.mp4")), ROWS)
    with opened(tmp_path / "raw.journal") as journal:
        assert journal.records == 20
        same(list(journal.rows("dive.mp4")), ROWS)
        assert journal.notes() == {"batch": 8}


def test_packing_has_an_inverse():
    same(list(unpack(pack(ROWS, record_dtype(3, 2)), "dive.mp4")), ROWS)


def test_rows_come_in_chunks_so_that_memory_stays_flat(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "CHUNK_RECORDS", 6)
    with opened(tmp_path / "raw.journal") as journal:
        journal.append(ROWS)
        assert [len(chunk) for chunk in journal.chunks()] == [6, 6, 6, 2]
        index, media_s = journal.moments()
    assert index.tolist() == [row.index for row in ROWS]
    assert media_s.tolist() == [row.media_s for row in ROWS]


def test_wherever_a_process_was_killed_every_whole_record_before_is_kept(tmp_path):
    path = tmp_path / "raw.journal"
    with opened(path) as journal:
        journal.append(ROWS)
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    size = record_dtype(3, 2).itemsize
    for cut in range(len(whole) - size - 2, len(whole) + 1, 5):
        path.write_bytes(whole[:cut])
        with opened(path) as journal:
            assert journal.records == (cut - start) // size
            journal.append(ROWS[journal.records :])
        assert path.read_bytes() == whole


def test_a_kill_while_the_first_line_is_written_loses_nothing(tmp_path):
    path = tmp_path / "raw.journal"
    with opened(path) as journal:
        journal.append(ROWS)
    whole = path.read_bytes()
    path.write_bytes(whole[:10])
    with opened(path) as journal:
        journal.append(ROWS)
    assert path.read_bytes() == whole


def test_a_record_that_a_loss_of_power_left_empty_is_not_taken_for_a_row(tmp_path):
    path = tmp_path / "raw.journal"
    with opened(path) as journal:
        journal.append(ROWS)
    whole = bytearray(path.read_bytes())
    size = record_dtype(3, 2).itemsize
    whole[-2 * size : -size] = bytes(size)
    path.write_bytes(bytes(whole))
    with opened(path) as journal:
        assert journal.records == 18


def test_without_resume_it_begins_anew(tmp_path):
    with opened(tmp_path / "raw.journal") as journal:
        journal.append(ROWS)
    with opened(tmp_path / "raw.journal", {"the source": "other"}, resume=False) as journal:
        assert journal.records == 0


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"the source": "7 bytes", "--every": None}, "the source was 9 bytes and is now 7 bytes"),
        ({"the source": "9 bytes", "--every": 2.0}, "--every was not given and is now 2.0"),
    ],
)
def test_other_facts_are_refused_by_name_and_nothing_is_lost(tmp_path, facts, message):
    with opened(tmp_path / "raw.journal") as journal:
        journal.append(ROWS)
    with pytest.raises(ResultsError, match=message):
        opened(tmp_path / "raw.journal", facts)
    with opened(tmp_path / "raw.journal") as journal:
        assert journal.records == 20


@pytest.mark.parametrize("content", [b"frame,media_s\n0,0\n", b'{"format": "reeflens-journal/9"}\n', b"\xff\xfe\n"])
def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "raw.journal"
    path.write_bytes(content)
    with pytest.raises(ResultsError, match="not a journal of this version"):
        opened(path)
    assert path.read_bytes() == content


def test_a_second_run_into_the_same_folder_is_refused(tmp_path):
    with opened(tmp_path / "raw.journal") as journal:
        journal.append(ROWS)
        for resume in (True, False):
            with pytest.raises(ResultsError, match="another run is writing here"):
                opened(tmp_path / "raw.journal", resume=resume)
        same(list(journal.rows("dive.mp4")), ROWS)


def test_the_first_line_can_be_read_by_anyone(tmp_path):
    with opened(tmp_path / "raw.journal") as journal:
        journal.append(ROWS)
    header = json.loads((tmp_path / "raw.journal").read_bytes().split(b"\n")[0])
    assert header == {"format": "reeflens-journal/1", "facts": FACTS, "notes": {"batch": 8}}
