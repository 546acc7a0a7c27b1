"""dives/uploads.py: bytes that were acknowledged stay, names stay text, and there is room or a sentence."""

from __future__ import annotations

import os
import shutil
import time
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path

import pytest

from dives.library import DIVELOG, DIVES, FACTS, ORIGINAL, TRASH, Library, read_facts
from dives.uploads import (
    DATA,
    KEPT_S,
    MAX_OPEN,
    MIN_FREE_BYTES,
    UPLOADS,
    Limits,
    UploadError,
    Uploads,
    With,
)

MB = 1_000_000
HOSTILE = [
    "../../etc/passwd",
    "..\\..\\windows\\system32\\a.mp4",
    "/etc/passwd",
    "C:\\dive.mp4",
    "a\x00b.mp4",
    "x" * 5000 + ".mp4",
    "🐠🐠.mp4",
    "\u202e4pm.evil\u202c.mp4",
    ".",
    "..",
    "",
    " ",
    ".mp4",
    "CON.mp4",
    "nul",
    "dive.mp4/",
    "-rf.mp4",
    "file:///etc/passwd",
    "concat:a|b.mp4",
    "a.mp4.exe",
    "dive\n.mp4",
    "<script>.mp4",
    "dive.MP4 ",
]


@pytest.fixture
def library(tmp_path):
    with Library.open(tmp_path / "library") as opened:
        yield opened


@pytest.fixture
def uploads(library):
    return Uploads(library, Limits(MB), free_bytes=lambda _: 10 * MIN_FREE_BYTES)


def send(uploads: Uploads, upload_id: str, data: bytes, offset: int = 0) -> int:
    with uploads.appending(upload_id, offset) as to:
        to.write(data)
    return to.offset


def sent(uploads: Uploads, name: str, data: bytes) -> str:
    """All of a file, which is no dive yet."""
    upload = uploads.begin(name, len(data))
    send(uploads, upload.id, data)
    return upload.id


def test_a_whole_file_can_be_had_for_a_dive_that_is_there(uploads, library, tmp_path):
    log, half = sent(uploads, "log.csv", b"time"), uploads.begin("half.csv", 10)
    upload, data = uploads.whole(log)
    assert (upload.name, data.read_bytes()) == ("log.csv", b"time")
    with pytest.raises(UploadError) as caught:
        uploads.whole(half.id)
    assert caught.value.kind == "offset"
    with uploads.appending(half.id, 0), pytest.raises(UploadError, match="another page"):
        uploads.whole(half.id)
    uploads.give(log, tmp_path / "logs" / "log.csv")
    assert (tmp_path / "logs" / "log.csv").read_bytes() == b"time"
    assert [open_one.id for open_one in uploads.open()] == [half.id]
    with pytest.raises(UploadError) as caught:
        uploads.give(log, tmp_path / "logs" / "again.csv")
    assert caught.value.kind == "gone"


def test_a_whole_file_becomes_a_dive_that_waits(uploads, library):
    upload = uploads.begin("My reef_1.MP4", 6, every_s=0.2)
    assert send(uploads, upload.id, b"abc") == 3
    assert send(uploads, upload.id, b"def", 3) == 6
    row = uploads.finish(upload.id)
    assert (row.id, row.title, row.file_name, row.state) == (upload.id, "My reef 1", "My reef_1.MP4", "queued")
    assert row.every_s == 0.2
    assert library.video(row.id).read_bytes() == b"abcdef"
    assert list((library.root / UPLOADS).iterdir()) == []
    assert uploads.finish(upload.id) == row  # its answer was lost


def test_only_so_many_are_open_and_one_that_is_finished_makes_room(uploads):
    first = uploads.begin("a.mp4", 1)
    for _ in range(MAX_OPEN - 1):
        uploads.begin("a.mp4", 1)
    with pytest.raises(UploadError, match="finish or cancel one first") as refused:
        uploads.begin("a.mp4", 1)
    assert refused.value.kind == "crowded"
    send(uploads, first.id, b"a")
    uploads.finish(first.id)
    uploads.begin("a.mp4", 1)


def test_several_files_and_a_log_become_one_dive(uploads, library):
    one, two, log = (sent(uploads, name, name.encode()) for name in ("b 10.mp4", "b/10.mp4", "../my dives.ssrf"))
    start = datetime(2026, 5, 1, 11, 30, tzinfo=timezone(timedelta(hours=2)))
    with_ = With(more=(two,), divelog=log, divelog_offset_s=60.0, start_utc=start)
    row = uploads.finish(one, with_)
    assert [path.name for path in library.videos(row.id)] == ["b-10.mp4", "10.mp4"]
    assert [path.read_bytes() for path in library.videos(row.id)] == [b"b 10.mp4", b"b/10.mp4"]
    facts = read_facts(library.folder(row.id))
    assert (facts.start_utc, facts.divelog_offset_s) == ("2026-05-01T09:30:00.000Z", 60.0)
    assert (library.folder(row.id) / DIVELOG / facts.divelog).read_bytes() == b"../my dives.ssrf"
    assert (row.recorded_utc, row.bytes) == (facts.start_utc, 16)
    assert list((library.root / UPLOADS).iterdir()) == []
    assert uploads.finish(one, with_) == row  # its answer was lost


def test_files_of_one_name_are_told_apart(uploads, library):
    one, two = sent(uploads, "a.mp4", b"1"), sent(uploads, "A.MP4", b"2")
    row = uploads.finish(one, With(more=(two,)))
    assert [path.name for path in library.videos(row.id)] == ["a.mp4", "A-2.mp4"]


def test_a_dive_of_several_waits_until_all_are_here(uploads):
    one, two = sent(uploads, "a.mp4", b"1"), uploads.begin("b.mp4", 5).id
    with pytest.raises(UploadError, match=r"0 of 5 bytes are here; send the rest of b\.mp4"):
        uploads.finish(one, With(more=(two,)))
    with pytest.raises(UploadError, match="not here any more"):
        uploads.finish(one, With(more=("0" * 16,)))
    with pytest.raises(ValueError, match="each upload once"):
        uploads.finish(one, With(more=(one,)))
    assert {upload.id for upload in uploads.open()} == {one, two}


def failing_at(step: int, error: BaseException):
    """Path.replace, which raises at its ``step``-th call, from 1."""
    real, calls = Path.replace, count(1)

    def replace(path: Path, to: Path) -> Path:
        if next(calls) == step:
            raise error
        return real(path, to)

    return replace


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_killed_while_several_become_one_dive_it_is_completed_at_the_next_start_or_not_begun(
    uploads, library, monkeypatch, step
):
    one, two = sent(uploads, "a.mp4", b"1"), sent(uploads, "b.mp4", b"2")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", failing_at(step, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            uploads.finish(one, With(more=(two,)))
    again = Uploads(library, Limits(MB))
    if not library.folder(one).exists():  # and now somebody wants a dive of each
        assert step == 1
        again.finish(one)
        again.finish(two)
        assert [path.read_bytes() for path in library.videos(two)] == [b"2"]
    parts = [path.read_bytes() for path in library.videos(one)]
    assert parts == ([b"1"] if step == 1 else [b"1", b"2"])
    assert list((library.root / UPLOADS).iterdir()) == []


def test_what_is_becoming_a_dive_waits_for_room_and_is_given_to_no_other(library, monkeypatch):
    wall, steady = [time.time()], [0.0]
    clocks = {"clock": lambda: wall[0], "steady": lambda: steady[0]}
    uploads = Uploads(library, Limits(MB), free_bytes=lambda _: 10 * MIN_FREE_BYTES, **clocks)
    one, two, three = (sent(uploads, f"{name}.mp4", name.encode()) for name in "abc")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", failing_at(2, OSError(28, "No space left on device")))
        with pytest.raises(UploadError) as caught:
            uploads.finish(one, With(more=(two,)))
    assert caught.value.kind == "full"
    for wanted in (
        lambda: uploads.cancel(one),
        lambda: uploads.cancel(two),
        lambda: uploads.finish(two),
        lambda: uploads.finish(three, With(more=(one,))),
        lambda: uploads.finish(three, With(more=(two,))),
    ):
        with pytest.raises(UploadError, match="becoming a dive") as caught:
            wanted()
        assert caught.value.kind == "busy"
    wall[0], steady[0] = wall[0] + 2 * KEPT_S, steady[0] + 2 * KEPT_S
    uploads.begin("d.mp4", 1)  # gives up what nobody touched for a week
    with pytest.raises(UploadError, match="not here any more"):
        uploads.get(three)
    uploads.finish(one)
    assert [path.read_bytes() for path in library.videos(one)] == [b"a", b"b"]


def test_an_offset_that_is_not_where_it_stands_is_refused_with_the_place(uploads):
    upload = uploads.begin("a.mp4", 6)
    send(uploads, upload.id, b"abc")
    for offset in (0, 2, 4, 6):
        with pytest.raises(UploadError) as caught:
            send(uploads, upload.id, b"xyz", offset)
        assert (caught.value.kind, caught.value.offset) == ("offset", 3)
    with pytest.raises(UploadError, match="3 of 6 bytes are here"):
        uploads.finish(upload.id)
    assert uploads.get(upload.id).offset == 3


def test_a_server_that_comes_back_knows_how_far_an_upload_is(uploads, library):
    upload = uploads.begin("a.mp4", 6, modified_ms=5)
    send(uploads, upload.id, b"abc")
    again = Uploads(library, Limits(MB), free_bytes=lambda _: 10 * MIN_FREE_BYTES)
    (found,) = again.open()
    assert (found.id, found.offset, found.size, found.modified_ms) == (upload.id, 3, 6, 5)
    send(again, upload.id, b"def", 3)
    assert again.finish(upload.id).state == "queued"


@pytest.mark.parametrize("step", ["facts", "moved"])
def test_a_server_killed_while_an_upload_became_a_dive_completes_it(uploads, library, step):
    upload = uploads.begin("a.mp4", 3)
    send(uploads, upload.id, b"abc")
    folder = library.root / UPLOADS / upload.id
    uploads.finish(upload.id)
    # Back to the state that a kill in between leaves.
    library.delete(upload.id)
    upload = uploads.begin("a.mp4", 3)
    send(uploads, upload.id, b"abc")
    folder = library.root / UPLOADS / upload.id
    (folder / ORIGINAL).mkdir()
    facts = (
        '{"schema_version": 1, "title": "a", "file_name": "a.mp4", "video": "a.mp4", "added_utc": "", "every_s": null}'
    )
    (folder / FACTS).write_text(facts)
    if step == "moved":
        (folder / DATA).replace(folder / ORIGINAL / "a.mp4")
    again = Uploads(library, Limits(MB))
    assert library.video(upload.id).read_bytes() == b"abc"
    assert again.open() == []
    assert [row.id for row in library.dives()] == [upload.id]


@pytest.mark.parametrize("plan", ["", "[]", '{"joins": {}}', '{"video": "a.mp4", "joins": 5}'])
def test_a_plan_that_cannot_be_read_keeps_nobody_from_the_rest(uploads, library, plan):
    broken, whole = sent(uploads, "a.mp4", b"abc"), sent(uploads, "b.mp4", b"abc")
    (library.root / UPLOADS / broken / FACTS).write_text(plan)
    again = Uploads(library, Limits(MB), free_bytes=lambda _: 10 * MIN_FREE_BYTES)
    with pytest.raises(UploadError, match="the library cannot take it") as caught:
        again.finish(broken)
    assert str(library.root) not in str(caught.value)
    assert again.finish(whole).state == "queued"


def test_two_pages_do_not_write_one_file(uploads):
    upload = uploads.begin("a.mp4", 6)
    with uploads.appending(upload.id, 0) as to:
        to.write(b"abc")
        with pytest.raises(UploadError) as caught, uploads.appending(upload.id, 3):
            pass
        assert caught.value.kind == "busy"
        with pytest.raises(UploadError) as caught:
            uploads.cancel(upload.id)
        assert caught.value.kind == "busy"
    send(uploads, upload.id, b"def", 3)


class TestRoom:
    def test_a_file_above_the_limit_is_refused_before_a_byte_is_sent(self, uploads, library):
        with pytest.raises(UploadError, match=r"1\.1 MB is more than one file may have \(1\.0 MB\)") as caught:
            uploads.begin("a.mp4", MB + 100_000)
        assert caught.value.kind == "too-big"
        assert list((library.root / UPLOADS).iterdir()) == []

    def test_more_bytes_than_announced_are_refused_and_those_before_are_kept(self, uploads):
        upload = uploads.begin("a.mp4", 4)
        with pytest.raises(UploadError, match="more bytes than the 4"):
            send(uploads, upload.id, b"abcde")
        assert uploads.get(upload.id).offset == 0

    @pytest.mark.parametrize("size", [0, -1])
    def test_a_size_that_makes_no_sense_is_refused(self, uploads, size):
        with pytest.raises(ValueError, match="at least 1 byte"):
            uploads.begin("a.mp4", size)

    def test_the_quota_counts_what_is_there_and_what_was_promised(self, library):
        uploads = Uploads(library, Limits(MB, quota=500_000), free_bytes=lambda _: 10 * MIN_FREE_BYTES)
        uploads.begin("a.mp4", 300_000)
        with pytest.raises(UploadError, match="the library may hold") as caught:
            uploads.begin("b.mp4", 300_000)
        assert caught.value.kind == "full"

    def test_what_is_deleted_while_the_quota_is_counted_does_not_count_and_nobody_who_sends_waits(
        self, library, monkeypatch
    ):
        uploads = Uploads(library, Limits(MB, quota=500_000), free_bytes=lambda _: 10 * MIN_FREE_BYTES)
        going, seen, real = library.root / TRASH / "going", [], os.scandir
        going.mkdir()

        def scandir(path):
            if Path(path) == going:
                seen.append(uploads._guard.locked())
                going.rmdir()
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)
        uploads.begin("a.mp4", 300_000)
        assert seen == [False]

    def test_a_disk_that_is_nearly_full_is_said_before_and_while_it_fills(self, library):
        free = MIN_FREE_BYTES + 500_000
        uploads = Uploads(library, Limits(MB), free_bytes=lambda _: free)
        with pytest.raises(UploadError, match="the disk has"):
            uploads.begin("a.mp4", 600_000)
        upload = uploads.begin("a.mp4", 400_000)
        free = MIN_FREE_BYTES - 1
        with pytest.raises(UploadError, match="nearly full") as caught:
            send(uploads, upload.id, b"abc")
        assert caught.value.kind == "full"
        free = 2 * MIN_FREE_BYTES
        assert send(uploads, upload.id, b"abc") == 3

    def test_an_upload_that_nobody_touched_for_a_week_is_given_up(self, library, uploads):
        old, young = uploads.begin("a.mp4", 5), uploads.begin("b.mp4", 5)
        for path in (*(library.root / UPLOADS / old.id).iterdir(), library.root / UPLOADS / old.id):
            os.utime(path, (1, 1))
        assert [upload.id for upload in Uploads(library, Limits(MB), clock=lambda: KEPT_S + 2).open()] == [young.id]
        with pytest.raises(UploadError, match="not here any more"):
            uploads.get(old.id)

    def test_a_clock_that_is_set_forward_is_no_week(self, library):
        """As of a machine without a battery for its clock, which starts in 1970 and then finds the network."""
        wall, steady = [100.0], [5.0]
        clocks = {"clock": lambda: wall[0], "steady": lambda: steady[0]}
        uploads = Uploads(library, Limits(MB), free_bytes=lambda _: 10 * MIN_FREE_BYTES, **clocks)
        upload = uploads.begin("a.mp4", 5)
        for path in (*(library.root / UPLOADS / upload.id).iterdir(), library.root / UPLOADS / upload.id):
            os.utime(path, (100, 100))
        wall[0] = 1.8e9
        uploads.begin("b.mp4", 5)
        assert uploads.get(upload.id).id == upload.id
        wall[0], steady[0] = wall[0] + KEPT_S + 1, steady[0] + KEPT_S + 1
        uploads.begin("c.mp4", 5)
        with pytest.raises(UploadError, match="not here any more"):
            uploads.get(upload.id)

    def test_a_cancelled_upload_leaves_nothing_and_nobody_waits_while_it_is_removed(
        self, library, uploads, monkeypatch
    ):
        upload = uploads.begin("a.mp4", 5)
        send(uploads, upload.id, b"abc")
        real, seen = shutil.rmtree, []

        def rmtree(path, **options):
            seen.append((uploads._guard.locked(), [each.name for each in (library.root / UPLOADS).iterdir()]))
            real(path, **options)

        monkeypatch.setattr(shutil, "rmtree", rmtree)
        uploads.cancel(upload.id)
        assert seen == [(False, [])]  # a kill now leaves no half of it where uploads are
        assert list((library.root / TRASH).iterdir()) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_text_and_touches_no_other_file(uploads, library, name, tmp_path):
    before = {path for path in tmp_path.rglob("*") if library.root not in path.parents}
    upload = uploads.begin(name, 3)
    send(uploads, upload.id, b"abc")
    row = uploads.finish(upload.id)
    assert {path for path in tmp_path.rglob("*") if library.root not in path.parents} == before
    facts = read_facts(library.root / DIVES / row.id)
    assert facts.video.isascii()
    assert Path(facts.video).name == facts.video
    assert 1 <= len(facts.video) <= 80
    assert not facts.video.startswith((".", "-"))
    assert row.title
    assert row.title.isprintable()
    assert len(row.file_name) <= 255
    assert (library.root / DIVES / row.id / ORIGINAL / facts.video).read_bytes() == b"abc"


@pytest.mark.parametrize("upload_id", ["", "..", "../dives/x", "0" * 16, "0" * 15 + "/", "x" * 16])
def test_an_id_that_is_none_is_gone(uploads, upload_id):
    for do in (uploads.get, uploads.cancel, uploads.finish):
        with pytest.raises((UploadError, KeyError)):
            do(upload_id)
