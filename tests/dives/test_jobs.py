"""dives/jobs.py and dives/worker.py: one dive after another, each in its own process, whatever happens to it."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest
from clips import write_clip
from test_library import put_dive

from dives import uploads, worker
from dives.chapters import in_order
from dives.corrections import Verdict, add_correction
from dives.jobs import JobQueue, JobSettings
from dives.journal import NAME as JOURNAL
from dives.library import (
    COPY,
    DIVELOG,
    DIVES,
    ORIGINAL,
    RESULTS,
    THUMBNAIL,
    DiveRow,
    Library,
    read_facts,
    write_facts,
)
from dives.matching import read_keys
from dives.probe import write_thumbnail
from dives.process import ProcessOptions, process
from dives.times import Times, write_wanted
from dives.track import read_index
from realtime.errors import SourceError
from realtime.sources import VideoFile

ROOT = Path(__file__).parents[2]
WAIT_S = 60.0


@pytest.fixture
def library(tmp_path):
    with Library.open(tmp_path / "library") as opened:
        yield opened


def add(library: Library, name: str = "reef.mp4", **clip: object) -> str:
    """A dive with a real video, waiting."""
    dive_id = put_dive(library.root)
    facts = (library.folder(dive_id) / "dive.json").read_text().replace("reef.mp4", name)
    (library.folder(dive_id) / "dive.json").write_text(facts)
    (library.folder(dive_id) / ORIGINAL / "reef.mp4").unlink()
    write_clip(library.folder(dive_id) / ORIGINAL / name, **clip)
    library._take_stock()
    return dive_id


def until(reached: Callable[[], bool]) -> None:
    deadline_s = monotonic() + WAIT_S
    while not reached():
        assert monotonic() < deadline_s
        threading.Event().wait(0.01)


def done(library: Library, dive_id: str) -> DiveRow:
    """Waits until nothing is left to do for a dive."""
    until(lambda: library.dive(dive_id).state not in ("queued", "running") and library.dive(dive_id).copy != "wanted")
    return library.dive(dive_id)


@pytest.fixture
def jobs(library, toy_model):
    queue = JobQueue(library, JobSettings(toy_model, provider="cpu"))
    yield queue
    assert queue.stop(10)


def test_a_dive_is_looked_at_classified_and_given_a_track(library, jobs):
    dive_id = add(library, frames=60)
    jobs.start()
    row = done(library, dive_id)
    assert (row.state, row.reason, row.playable) == ("complete", "", True)
    assert (row.width, row.height, row.duration_s) == (64, 48, 2.4)
    assert row.thumbnail
    assert row.sightings == sum(row.species.values()) > 0
    index = read_index(library.folder(dive_id))
    assert index is not None
    assert index["rows"] == 12  # one each 0.2 s
    until(lambda: jobs.progress() is None)


def test_what_browsers_do_not_play_gets_a_copy(library, jobs):
    dive_id = add(library, "reef.mkv")
    jobs.start()
    row = done(library, dive_id)
    assert (row.state, row.copy, row.playable) == ("complete", "ready", False)


LOG = """time,depth_m
2026-05-01T09:29:00Z,0
2026-05-01T09:30:00Z,10
2026-05-01T09:31:00Z,10
"""


def add_joined(library: Library, **said: object) -> str:
    """A dive of two files that were sent in the wrong order."""
    dive_id = add(library, metadata={"creation_time": "2026-05-01T09:40:00Z"})
    folder = library.folder(dive_id)
    write_clip(folder / ORIGINAL / "first.mp4", metadata={"creation_time": "2026-05-01T09:30:00Z"})
    write_facts(folder, replace(read_facts(folder), more=("first.mp4",), **said))
    library.refresh(dive_id)
    return dive_id


def test_files_of_one_dive_are_put_end_to_end_as_recorded_and_get_a_copy_that_plays(library, jobs):
    dive_id = add_joined(library)
    jobs.start()
    row = done(library, dive_id)
    assert (row.state, row.reason, row.copy, row.unplayable_cause) == ("complete", "", "ready", "parts")
    assert (row.duration_s, row.recorded_utc) == (pytest.approx(2.4), "2026-05-01T09:30:00.000Z")
    assert [path.name for path in library.videos(dive_id)] == ["first.mp4", "reef.mp4"]
    with VideoFile(library.folder(dive_id) / COPY) as copy:
        assert sum(1 for _ in copy) == 60
    index = read_index(library.folder(dive_id))
    assert index is not None
    assert index["rows"] == 12


def test_a_title_given_while_the_files_are_put_in_order_stays(library, monkeypatch):
    dive_id = add_joined(library)

    def slowly(paths: Sequence[Path]) -> list[Path]:
        library.rename(dive_id, "Wreck")
        return in_order(paths)

    monkeypatch.setattr(worker, "in_order", slowly)
    worker._look(library.folder(dive_id))
    facts = read_facts(library.folder(dive_id))
    assert (facts.title, facts.video, facts.more) == ("Wreck", "first.mp4", ("reef.mp4",))


def test_a_list_of_files_among_those_of_a_dive_is_refused_and_a_damaged_one_is_a_gap(library):
    dive_id = add_joined(library)
    folder = library.folder(dive_id)
    listed = "ffconcat version 1.0\nfile reef.mp4\n"
    (folder / ORIGINAL / "first.mp4").write_text(listed)
    with pytest.raises(SourceError, match=r"first\.mp4 is no video of a kind that is taken"):
        worker._look(folder)
    assert not (folder / THUMBNAIL).exists()
    with pytest.raises(SourceError):
        write_thumbnail(folder / ORIGINAL / "first.mp4", 0.0, folder / THUMBNAIL)
    (folder / ORIGINAL / "first.mp4").write_bytes((folder / ORIGINAL / "reef.mp4").read_bytes()[:300])
    worker._look(folder)
    assert read_facts(folder).video == "first.mp4"


def test_a_dive_log_gives_depth_and_one_that_does_not_fit_costs_nothing_else(library, jobs):
    fits, other = (add(library, metadata={"creation_time": "2026-05-01T09:30:00Z"}) for _ in range(2))
    for dive_id, offset_s in ((fits, None), (other, 86_400.0)):
        folder = library.folder(dive_id)
        (folder / DIVELOG).mkdir()
        (folder / DIVELOG / "log.csv").write_text(LOG)
        write_facts(folder, replace(read_facts(folder), divelog="log.csv", divelog_offset_s=offset_s))
    jobs.start()
    row = done(library, fits)
    assert (row.state, row.reason) == ("complete", "")
    with (library.folder(fits) / RESULTS / "frames.csv").open(newline="") as file:
        assert {line["depth_m"] for line in csv.DictReader(file)} == {"10.00"}
    row = done(library, other)
    assert (row.state, row.cause) == ("complete", "divelog")
    assert row.reason.startswith("reef.mp4: recorded from")
    assert "the nearest dive in log.csv" in row.reason
    assert "--" not in row.reason


class TestAnotherClock:
    """A dive that is complete gets another start, another dive log, or none."""

    @pytest.fixture
    def dive_id(self, library, jobs):
        dive_id = add(library, metadata={"creation_time": "2026-05-01T09:30:00Z"})
        jobs.start()
        assert done(library, dive_id).state == "complete"
        return dive_id

    def want(self, library, jobs, dive_id, **times: object) -> DiveRow:
        """Says so and waits until it is done, or cannot be."""
        folder = library.folder(dive_id)
        write_wanted(folder, Times(**{"start_utc": "", "divelog": "", "divelog_offset_s": None, **times}))
        library.set_times(dive_id, "wanted")
        jobs.notice()
        until(lambda: library.dive(dive_id).times != "wanted")
        return library.dive(dive_id)

    def put_log(self, library, dive_id, name: str) -> str:
        logs = library.folder(dive_id) / DIVELOG
        logs.mkdir(exist_ok=True)
        (logs / name).write_text(LOG)
        return name

    def depths(self, library, dive_id) -> set[str]:
        with (library.folder(dive_id) / RESULTS / "frames.csv").open(newline="") as file:
            return {line["depth_m"] for line in csv.DictReader(file)}

    def test_it_is_in_every_file_and_stays_when_the_dive_is_classified_anew(self, library, jobs, dive_id):
        folder = library.folder(dive_id)
        index, rows = read_index(folder), (folder / RESULTS / JOURNAL).read_bytes()
        add_correction(folder / RESULTS, read_keys(folder / RESULTS)[0], Verdict.RIGHT)
        log = self.put_log(library, dive_id, "log.csv")
        start = {"start_utc": "2026-05-01T12:30:00.000Z", "divelog_offset_s": -3 * 3600.0}
        row = self.want(library, jobs, dive_id, divelog=log, **start)
        assert (row.state, row.times, row.recorded_utc) == ("complete", "", start["start_utc"])
        assert self.depths(library, dive_id) == {"10.00"}
        assert "2026-05-01T12:30:0" in (folder / RESULTS / "sightings-checked.csv").read_text()
        assert (read_index(folder), (folder / RESULTS / JOURNAL).read_bytes()) == (index, rows)
        assert not (folder / "wanted.json").exists()
        library.queue(dive_id, anew=True)
        jobs.notice()
        row = done(library, dive_id)
        assert (row.state, row.recorded_utc, self.depths(library, dive_id)) == (
            "complete",
            start["start_utc"],
            {"10.00"},
        )
        row = self.want(library, jobs, dive_id)
        assert (row.recorded_utc, self.depths(library, dive_id)) == ("2026-05-01T09:30:00.000Z", {""})
        assert list((folder / DIVELOG).iterdir()) == []

    def test_what_cannot_be_joined_leaves_the_dive_as_it_was_and_can_be_given_up(self, library, jobs, dive_id):
        log = self.put_log(library, dive_id, "log.csv")
        row = self.want(library, jobs, dive_id, divelog=log, start_utc="2026-05-03T09:30:00.000Z")
        assert (row.state, row.times, row.times_cause) == ("complete", "failed", "divelog")
        assert row.times_reason.startswith("reef.mp4: recorded from 2026-05-03T09:30")
        assert "an offset of" not in row.times_reason  # two days are no time zone
        assert row.recorded_utc == "2026-05-01T09:30:00.000Z"
        library.refresh(dive_id)
        assert library.dive(dive_id).times == "failed"
        library.set_times(dive_id, "wanted")
        until(lambda: library.dive(dive_id).times == "failed")
        library.set_times(dive_id, "wanted")
        assert jobs.stop(10)
        jobs.cancel(dive_id)
        assert (library.dive(dive_id).times, (library.folder(dive_id) / "wanted.json").exists()) == ("", False)

    def test_a_server_that_is_killed_amid_it_goes_on_at_its_next_start(self, library, jobs, toy_model, dive_id):
        assert jobs.stop(10)
        start = "2026-05-01T12:30:00.000Z"
        folder = library.folder(dive_id)
        write_wanted(folder, Times(start_utc=start, divelog="", divelog_offset_s=None))
        library.close()
        (library.root / "library.db").unlink()  # not even the table is needed
        with Library.open(library.root) as again:
            assert again.dive(dive_id).times == "wanted"
            line = [sys.executable, "-m", "dives.worker", "times", str(folder), "--model", str(toy_model)]
            with subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as killed:
                killed.stdout.readline()  # it is at it
                killed.kill()
            queue = JobQueue(again, JobSettings(toy_model, provider="cpu"))
            queue.start()
            until(lambda: again.dive(dive_id).times == "")
            assert queue.stop(10)
            assert (again.dive(dive_id).state, again.dive(dive_id).recorded_utc) == ("complete", start)
            assert not list(folder.glob("results.*"))


def test_the_overlay_video_is_made_when_it_is_asked_for(library, jobs):
    dive_id = add(library, frames=60)
    jobs.start()
    done(library, dive_id)
    results = library.folder(dive_id) / RESULTS
    edition = (library.folder(dive_id) / "track.bin").stat().st_mtime_ns
    before = (results / "frames.csv").read_bytes()
    assert library.dive(dive_id).overlay == ""
    library.set_overlay(dive_id, "wanted")
    jobs.notice()
    until(lambda: library.dive(dive_id).overlay != "wanted")
    row = library.dive(dive_id)
    assert (row.state, row.overlay, row.overlay_reason) == ("complete", "ready", "")
    with VideoFile(results / "overlay.mp4") as drawn:
        assert sum(1 for _ in drawn) == 12  # those that were classified
    assert (results / "frames.csv").read_bytes() == before
    assert (library.folder(dive_id) / "track.bin").stat().st_mtime_ns == edition
    library.queue(dive_id, anew=True)
    jobs.notice()
    assert done(library, dive_id).overlay == ""  # it was of the results that are gone


def test_a_file_that_is_no_video_fails_alone_and_says_why_without_naming_our_folders(library, jobs):
    bad, good = add(library), add(library)
    library.video(bad).write_text("not a video")
    jobs.start()
    assert done(library, good).state == "complete"
    row = done(library, bad)
    assert (row.state, row.reason, row.cause) == ("failed", "not a video that can be read", "not-video")


def test_a_job_that_is_asked_for_again_goes_on_and_gives_the_same_results(library, jobs, engine, tmp_path):
    dive_id = add(library, frames=60)
    whole = process(library.video(dive_id), tmp_path / "whole", engine, ProcessOptions(every_s=0.2)).folder
    jobs.start()
    done(library, dive_id)
    library.queue(dive_id)
    jobs.notice()
    done(library, dive_id)
    results = library.folder(dive_id) / RESULTS
    for name in ("frames.csv", "sightings.csv", "cams.npy", JOURNAL):
        assert (results / name).read_bytes() == (whole / name).read_bytes(), name


def stubborn(library: Library, toy_model: Path, script: str, **settings: object) -> JobQueue:
    """A queue whose worker is a few lines of Python."""
    command = [sys.executable, "-c", textwrap.dedent(script)]
    return JobQueue(library, JobSettings(toy_model, **settings), command=command)  # type: ignore[arg-type]


class TestAJobThatGoesWrong:
    @pytest.mark.parametrize(
        ("script", "said"),
        [
            ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "the work was ended by SIGSEGV"),
            ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "may have run out of memory"),
            ("raise SystemExit(7)", "the work broke off with code 7"),
            ("raise ValueError('boom')", "ValueError: boom"),
            ("raise MemoryError", "more memory than a job may have"),
            ("print('no JSON'); print('[1, 2]')", "the work broke off with code 0"),
        ],
    )
    def test_it_fails_with_a_reason_and_the_queue_goes_on(self, library, toy_model, script, said):
        first, second = add(library), add(library)
        queue = stubborn(library, toy_model, script)
        queue.start()
        for dive_id in (first, second):
            row = done(library, dive_id)
            assert row.state == "failed"
            assert said in row.reason
        assert queue.stop()

    def test_one_that_falls_silent_and_one_that_takes_too_long_are_ended(self, library, toy_model):
        silent = "import time; time.sleep(600)"
        chatty = "while True: print('{\"phase\": \"classify\"}', flush=True); __import__('time').sleep(0.1)"
        for script, limits, said in (
            (silent, {"silent_s": 0.5}, "no progress"),
            (chatty, {"limit_s": 0.5}, "took longer"),
        ):
            dive_id = add(library)
            queue = stubborn(library, toy_model, script, **limits)
            queue.start()
            row = done(library, dive_id)
            assert (row.state, said in row.reason) == ("failed", True), row.reason
            assert queue.stop()

    def test_one_that_would_take_the_last_of_the_disk_says_so_and_goes_on_when_there_is_room(
        self, library, jobs, monkeypatch
    ):
        dive_id = add(library)
        monkeypatch.setattr(uploads, "MIN_FREE_BYTES", 10 << 60)
        jobs.start()
        row = done(library, dive_id)
        assert (row.state, row.cause) == ("failed", "results")
        assert re.fullmatch(r"the disk has \d+ MB left, and a job leaves \d+ MB to .*; make room and go on", row.reason)
        monkeypatch.setattr(uploads, "MIN_FREE_BYTES", 0)
        library.queue(dive_id)
        jobs.notice()
        assert done(library, dive_id).state == "complete"

    def test_it_is_told_none_of_the_servers_secrets(self, library, toy_model, monkeypatch):
        monkeypatch.setenv("REEFLENS_SERVE_TOKEN", "operate-0123456789")
        dive_id = add(library)
        queue = stubborn(library, toy_model, "import os; raise SystemExit(3 + ('REEFLENS_SERVE_TOKEN' in os.environ))")
        queue.start()
        assert "code 3" in done(library, dive_id).reason
        assert queue.stop()

    @pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux")
    def test_one_that_wants_too_much_memory_fails_alone(self, library, toy_model):
        dive_id = add(library)
        queue = JobQueue(library, JobSettings(toy_model, provider="cpu", memory_bytes=300 << 20))
        queue.start()
        row = done(library, dive_id)
        assert row.state == "failed"
        assert row.reason
        assert queue.stop()

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
    def test_one_that_takes_too_much_of_the_processor_is_ended_by_the_system(self, library, toy_model):
        dive_id = add(library)
        spins = """
            import sys
            from dives.worker import _be_modest
            _be_modest(None, int(sys.argv[sys.argv.index("--processor-s") + 1]))
            while True:
                pass
        """
        queue = stubborn(library, toy_model, spins, processor_s=1)
        queue.start()
        row = done(library, dive_id)
        assert (row.state, row.cause) == ("failed", "too-long"), row.reason
        assert queue.stop()

    def test_one_that_takes_the_server_with_it_is_not_tried_for_ever(self, library, toy_model):
        dive_id = add(library)
        for _ in range(3):
            library.begin(dive_id)
            library._take_stock()  # as after a crash
        queue = JobQueue(library, JobSettings(toy_model))
        queue.start()
        row = done(library, dive_id)
        assert row.state == "failed"
        assert "stopped 3 times" in row.reason
        assert row.cause == "attempts"
        assert queue.stop()


SLOW = """
import json, signal, sys, time
def leave(number, frame):
    print(json.dumps({"end": "incomplete", "reason": "stopped on request"}), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
for k in range(10**6):
    print(json.dumps({"phase": "classify", "done": k, "total": 10**6, "rate": 5.0}), flush=True)
    time.sleep(0.02)
"""


class TestStopping:
    def test_a_stop_is_quick_and_the_dive_goes_on_at_the_next_start(self, library, toy_model):
        dive_id = add(library)
        queue = stubborn(library, toy_model, SLOW)
        queue.start()
        until(lambda: (queue.progress() or False) and queue.progress().done > 0)
        began_s = monotonic()
        assert queue.stop(2.0)
        assert monotonic() - began_s < 2.0
        row = library.dive(dive_id)
        assert (row.state, row.attempts) == ("queued", 0)

    def test_one_that_hears_of_the_stop_before_its_server_goes_on_too(self, library, toy_model):
        """As systemd tells every process of a service at once."""
        dive_id = add(library)
        first_told_to_end = """
            import json, pathlib, sys
            mark = pathlib.Path(sys.argv[2], "told")
            stopped = {"end": "incomplete", "reason": "stopped on request", "cause": "stopped"}
            print(json.dumps({"end": "complete"} if mark.exists() else stopped))
            mark.touch()
        """
        queue = stubborn(library, toy_model, first_told_to_end)
        queue.start()
        row = done(library, dive_id)
        assert (row.state, row.reason) == ("complete", "")
        assert (queue.ends()["stopped"], queue.ends()["complete"]) == (1, 1)
        assert queue.stop()

    def test_a_cancelled_job_ends_and_the_next_begins(self, library, toy_model):
        first, second = add(library), add(library)
        queue = stubborn(library, toy_model, SLOW)
        queue.start()
        until(lambda: queue.progress() is not None and queue.progress().done > 0)
        running = queue.progress().dive_id
        waiting = second if running == first else first
        queue.cancel(running, timeout=10)
        assert library.dive(running).state == "cancelled"
        until(lambda: queue.progress() is not None and queue.progress().dive_id == waiting)
        queue.cancel(waiting, timeout=10)
        assert library.dive(waiting).state == "cancelled"
        assert queue.stop()

    def test_a_waiting_dive_that_is_cancelled_never_begins(self, library, toy_model):
        dive_id = add(library)
        queue = JobQueue(library, JobSettings(toy_model))
        queue.cancel(dive_id)
        assert library.dive(dive_id).state == "cancelled"
        assert library.next_job() is None

    def test_a_worker_ends_with_its_server(self, library, toy_model):
        """The pipe to its stdin closes when the server is killed, and that ends it at once."""
        dive_id = add(library, frames=2000)
        command = [sys.executable, "-m", "dives.worker", "dive", str(library.folder(dive_id).resolve())]
        with subprocess.Popen(
            [*command, "--model", str(toy_model), "--provider", "cpu"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as worker:
            assert worker.stdout is not None
            assert worker.stdin is not None
            assert worker.stdout.readline()
            worker.stdin.close()
            assert worker.wait(10) == 3


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
def test_a_server_killed_in_the_middle_goes_on_and_ends_in_the_same_bytes(tmp_path, toy_model, engine):
    """kill -9 of the process with the queue, at several moments; then another one on the same library."""
    root = tmp_path / "library"
    with Library.open(root) as library:
        dive_id = add(library, frames=1500)
        video = library.video(dive_id)
    facts = (root / DIVES / dive_id / "dive.json").read_text().replace("0.2", "null")
    (root / DIVES / dive_id / "dive.json").write_text(facts)
    (root / "library.db").unlink()
    whole = process(video, tmp_path / "whole", engine, ProcessOptions()).folder
    script = f"""
        import time
        from pathlib import Path
        from dives.jobs import JobQueue, JobSettings
        from dives.library import Library
        with Library.open(Path({str(root)!r})) as library:
            queue = JobQueue(library, JobSettings(Path({str(toy_model)!r}), provider="cpu", threads=lambda: 1))
            queue.start()
            while library.dive({dive_id!r}).state in ("queued", "running"):
                progress = queue.progress()
                print(progress.done if progress else 0, flush=True)
                time.sleep(0.01)
            queue.stop()
    """
    journal = root / DIVES / dive_id / RESULTS / JOURNAL
    for at in (1, 40_000, 80_000):
        command = [sys.executable, "-c", textwrap.dedent(script)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as server:
            until(lambda at=at: (journal.exists() and journal.stat().st_size > at) or server.poll() is not None)
            server.send_signal(signal.SIGKILL)
    with Library.open(root) as library:
        queue = JobQueue(library, JobSettings(toy_model, provider="cpu", threads=lambda: 1))
        queue.start()
        row = done(library, dive_id)
        assert (row.state, row.reason) == ("complete", "")
        assert queue.stop(10)
        results = library.folder(dive_id) / RESULTS
        for name in ("frames.csv", "sightings.csv", "cams.npy"):
            assert (results / name).read_bytes() == (whole / name).read_bytes(), name
