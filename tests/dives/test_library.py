"""dives/library.py: the folders are the truth, the table follows them, and one server has it at a time."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from dives.corrections import Verdict, add_correction
from dives.library import (
    DATABASE,
    DIVES,
    FACTS,
    ORIGINAL,
    RESULTS,
    DiveFacts,
    Library,
    changing_facts,
    clean_title,
    new_id,
    read_facts,
    write_facts,
)
from dives.matching import read_keys
from dives.probe import Probe, write_probe
from realtime.errors import LibraryError

ROOT = Path(__file__).parents[2]
PROBE = Probe(
    codec="h264",
    pixels="yuv420p",
    size_hw=(48, 64),
    rate=25.0,
    duration_s=2.0,
    start_utc="",
    offset_s=0.0,
    unplayable="",
)


def put_dive(root: Path, title: str = "Reef", *, state: str = "", labels: tuple[str, ...] = (), **probe: object) -> str:
    """A dive's folder as uploads and jobs leave it; returns its id. state: of run.json, none without."""
    folder = root / DIVES / new_id()
    (folder / ORIGINAL).mkdir(parents=True)
    (folder / ORIGINAL / "reef.mp4").write_bytes(b"12345")
    added = f"2026-05-01T09:00:0{len(list((root / DIVES).iterdir()))}.000Z"
    write_facts(folder, DiveFacts(title=title, file_name="Reef.MP4", video="reef.mp4", added_utc=added, every_s=0.2))
    if state:
        put_results(folder, state, labels)
        write_probe(folder, Probe(**(asdict(PROBE) | probe)))
    return folder.name


def put_results(folder: Path, state: str, labels: tuple[str, ...] = ()) -> None:
    (folder / RESULTS).mkdir(exist_ok=True)
    record = {"schema_version": 1, "state": state, "reason": "", "time": {"start_utc": "2026-04-30T08:00:00.000Z"}}
    (folder / RESULTS / "run.json").write_text(json.dumps(record))
    (folder / RESULTS / "frames.csv").write_text("frame\n")
    (folder / RESULTS / "sightings.csv").write_text("label\n" + "".join(f"{label}\n" for label in labels))


def test_a_new_library_is_an_empty_one(tmp_path):
    with Library.open(tmp_path / "new" / "library") as library:
        assert library.dives() == []
        assert library.next_job() is None


def test_a_row_says_what_its_folder_holds(tmp_path):
    dive_id = put_dive(tmp_path, state="complete", labels=("Fish", "Eel", "Fish"))
    with Library.open(tmp_path) as library:
        row = library.dive(dive_id)
    assert (row.title, row.file_name, row.state, row.every_s, row.bytes) == ("Reef", "Reef.MP4", "complete", 0.2, 5)
    assert (row.species, row.sightings, row.has_results) == ({"Fish": 2, "Eel": 1}, 3, True)
    assert (row.width, row.height, row.duration_s, row.playable, row.copy) == (64, 48, 2.0, True, "")
    assert row.recorded_utc == "2026-04-30T08:00:00.000Z"


def test_species_are_counted_by_the_last_word_on_each_sighting(tmp_path):
    dive_id = put_dive(tmp_path, state="complete", labels=("Fish", "Eel", "Fish"))
    results = tmp_path / DIVES / dive_id / RESULTS
    rows = "".join(f"{label},{k},{k},{k},{k}.5\n" for k, label in enumerate(("Fish", "Eel", "Fish")))
    (results / "sightings.csv").write_text(f"label,peak_frame,start_s,peak_s,end_s\n{rows}")
    with Library.open(tmp_path) as library:
        fish, eel, _ = read_keys(results)
        add_correction(results, fish, Verdict.WRONG, "Crab")
        add_correction(results, eel, Verdict.NOTHING)
        add_correction(results, replace(fish, label="Ray", peak_frame=9, start_s=9, end_s=9), Verdict.MISSED, "Ray")
        library.refresh(dive_id)
        row = library.dive(dive_id)
        assert (row.species, row.sightings) == ({"Crab": 1, "Fish": 1, "Ray": 1}, 3)
        (results / "corrections.jsonl").write_text("{}\n")
        library.refresh(dive_id)
        assert library.dive(dive_id).species == {"Fish": 2, "Eel": 1}


def test_the_last_added_comes_first_and_the_first_added_is_worked_on_first(tmp_path):
    first, second = put_dive(tmp_path, "first"), put_dive(tmp_path, "second")
    for dive_id, when in ((first, 1), (second, 2)):
        os.utime(tmp_path / DIVES / dive_id / "dive.json", (when, when))
    with Library.open(tmp_path) as library:
        assert [row.id for row in library.dives()] == [second, first]
        job = library.next_job()
        assert job is not None
        assert (job.dive.id, job.step) == (first, "dive")


class TestTheTableIsLost:
    """What people gave and what was worked out is in the folders; all of it comes back."""

    def check(self, root: Path, complete: str, waiting: str) -> None:
        with Library.open(root) as library:
            rows = {row.id: row for row in library.dives()}
            assert rows[complete].state == "complete"
            assert rows[complete].species == {"Fish": 1}
            assert rows[waiting].state == "queued"
            library.rename(waiting, "renamed")
        with Library.open(root) as library:
            assert library.dive(waiting).title == "renamed"

    @pytest.mark.parametrize(
        "damage", ["gone", "garbage", "half", "empty", "other version", "a page", "no table", "a row", "its letters"]
    )
    def test_it_is_made_anew_from_the_folders_and_kept_aside(self, tmp_path, damage, caplog):
        complete, waiting = put_dive(tmp_path, state="complete", labels=("Fish",)), put_dive(tmp_path)
        Library.open(tmp_path).close()
        database = tmp_path / DATABASE
        whole = database.read_bytes()
        match damage:
            case "gone":
                database.unlink()
            case "garbage":
                database.write_bytes(b"not a database" * 500)
            case "half":
                database.write_bytes(whole[: len(whole) // 2])
            case "empty":
                database.write_bytes(b"")
            case "other version":
                with sqlite3.connect(database) as connection:
                    connection.execute("PRAGMA user_version = 99")
                connection.close()
            case "a page":
                database.write_bytes(whole[:100] + b"\xff" * 400 + whole[500:])
            case "no table":
                self.change(database, "DROP TABLE dives")
            case "a row":
                self.change(database, "UPDATE dives SET species = '{\"Fish'")
            case "its letters":
                self.change(database, "UPDATE dives SET title = CAST(x'ff52' AS TEXT)")
        damaged = database.read_bytes() if damage != "gone" else None
        self.check(tmp_path, complete, waiting)
        if damaged is not None:
            assert (tmp_path / f"{DATABASE}.damaged").read_bytes() == damaged
            (told,) = caplog.messages
            assert told.startswith(f"{database}: ")
            assert told.endswith("; made anew from the folders, and kept as library.db.damaged")

    def change(self, database: Path, statement: str) -> None:
        with sqlite3.connect(database) as connection:
            connection.execute(statement)
        connection.close()

    def test_wherever_bits_flip_in_it_the_library_opens_and_lists_every_dive(self, tmp_path):
        complete, waiting = put_dive(tmp_path, state="complete", labels=("Fish",)), put_dive(tmp_path)
        Library.open(tmp_path).close()
        database = tmp_path / DATABASE
        whole, rng = database.read_bytes(), random.Random(4)
        for _ in range(150):
            at, bit = rng.randrange(len(whole)), 1 << rng.randrange(8)
            database.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            with Library.open(tmp_path) as library:
                assert {row.id for row in library.dives()} == {complete, waiting}, at

    @pytest.mark.parametrize("leftover", ["-journal", "-wal", "-shm"])
    def test_what_a_killed_writer_left_beside_it_does_no_harm(self, tmp_path, leftover):
        complete, waiting = put_dive(tmp_path, state="complete", labels=("Fish",)), put_dive(tmp_path)
        Library.open(tmp_path).close()
        (tmp_path / f"{DATABASE}{leftover}").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\xff" * 4000)
        self.check(tmp_path, complete, waiting)

    def test_one_that_another_program_switched_to_write_ahead_files_and_left_open_is_taken_over(self, tmp_path):
        complete, waiting = put_dive(tmp_path, state="complete", labels=("Fish",)), put_dive(tmp_path)
        Library.open(tmp_path).close()
        script = f"""
            import os, sqlite3
            database = sqlite3.connect({str(tmp_path / DATABASE)!r})
            database.execute("PRAGMA journal_mode = WAL")
            with database:
                database.execute("UPDATE dives SET reason = 'Wall'")
            os.kill(os.getpid(), 9)
        """
        subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
        assert (tmp_path / f"{DATABASE}-wal").exists()
        with Library.open(tmp_path) as library:
            assert {row.reason for row in library.dives()} == {"Wall"}
        assert not (tmp_path / f"{DATABASE}-wal").exists()
        self.check(tmp_path, complete, waiting)

    def test_a_folder_in_its_place_is_a_sentence_and_stays(self, tmp_path):
        (tmp_path / DATABASE).mkdir()
        with pytest.raises(LibraryError, match=r"library\.db: cannot be used \(unable to open database file\)$"):
            Library.open(tmp_path)
        assert (tmp_path / DATABASE).is_dir()

    def test_a_copied_library_works_elsewhere(self, tmp_path):
        complete, waiting = put_dive(tmp_path / "a", state="complete", labels=("Fish",)), put_dive(tmp_path / "a")
        with Library.open(tmp_path / "a"):
            shutil.copytree(tmp_path / "a", tmp_path / "b")  # while it is in use
        shutil.rmtree(tmp_path / "a")
        self.check(tmp_path / "b", complete, waiting)

    def test_a_folder_that_came_or_went_is_noticed_and_one_that_is_no_dive_is_left_out(self, tmp_path):
        gone = put_dive(tmp_path)
        Library.open(tmp_path).close()
        shutil.rmtree(tmp_path / DIVES / gone)
        came = put_dive(tmp_path, state="complete")
        (tmp_path / DIVES / new_id()).mkdir()
        (tmp_path / DIVES / "notes").mkdir()
        newer = put_dive(tmp_path)
        facts = asdict(read_facts(tmp_path / DIVES / newer)) | {"schema_version": 99}
        (tmp_path / DIVES / newer / "dive.json").write_text(json.dumps(facts))
        with Library.open(tmp_path) as library:
            assert [row.id for row in library.dives()] == [came]


def test_no_file_of_the_library_names_its_place(tmp_path):
    put_dive(tmp_path, state="complete")
    Library.open(tmp_path).close()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert str(tmp_path).encode() not in path.read_bytes(), path


@pytest.mark.parametrize("video", ["../secret.mp4", "/etc/passwd", "..", "", "a/b.mp4"])
def test_a_dive_that_names_a_video_elsewhere_is_refused(tmp_path, video):
    folder = tmp_path / DIVES / put_dive(tmp_path)
    facts = asdict(read_facts(folder)) | {"video": video}
    (folder / "dive.json").write_text(json.dumps(facts))
    with pytest.raises(LibraryError, match="no file name"):
        read_facts(folder)


def test_a_second_server_is_refused_with_one_sentence_until_the_first_ends(tmp_path):
    script = f"""
        import sys
        from pathlib import Path
        from dives.library import Library
        library = Library.open(Path({str(tmp_path)!r}))
        print("open", flush=True)
        sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(LibraryError, match=r"another server uses this library; stop it, or name another folder$"):
            Library.open(tmp_path)
        other.kill()
    Library.open(tmp_path).close()


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(LibraryError, match="no library can be kept here"):
        Library.open(tmp_path / "file")


class TestQueue:
    @pytest.fixture
    def library(self, tmp_path):
        self.id = put_dive(tmp_path)
        with Library.open(tmp_path) as opened:
            yield opened

    def test_what_was_running_when_the_server_died_is_queued_again(self, library):
        library.begin(self.id)
        assert library.next_job() is None
        library.close()
        with Library.open(library.root) as again:
            row = again.dive(self.id)
            assert (row.state, row.attempts) == ("queued", 1)

    def test_a_stop_in_good_order_is_no_attempt(self, library):
        library.begin(self.id)
        library.put_back(self.id)
        assert (library.dive(self.id).state, library.dive(self.id).attempts) == ("queued", 0)

    def test_an_end_is_kept_with_its_reason_and_what_the_folder_now_holds(self, library):
        library.begin(self.id)
        put_results(library.folder(self.id), "incomplete", ("Fish",))
        library.end(self.id, "incomplete", "it breaks off")
        row = library.dive(self.id)
        assert (row.state, row.reason, row.species, row.attempts) == ("incomplete", "it breaks off", {"Fish": 1}, 0)

    def test_again_goes_to_the_end_of_the_queue_and_can_be_anew(self, library):
        library.end(self.id, "failed", "broken")
        row = library.queue(self.id, anew=True)
        assert (row.state, row.reason, row.anew) == ("queued", "", True)
        library.begin(self.id)
        library.end(self.id, "complete")
        assert not library.dive(self.id).anew

    def test_a_copy_is_made_after_the_dives_and_not_again_when_it_failed(self, library):
        write_probe(library.folder(self.id), Probe(**(asdict(PROBE) | {"unplayable": "it is HEVC"})))
        library.end(self.id, "complete")
        job = library.next_job()
        assert job is not None
        assert job.step == "copy"
        library.set_copy(self.id, "failed", "no room")
        library.refresh(self.id)
        assert library.next_job() is None
        assert library.dive(self.id).copy_reason == "no room"
        (library.folder(self.id) / "copy.mp4").touch()
        library.refresh(self.id)
        assert library.dive(self.id).copy == "ready"


def test_the_list_follows_every_change(tmp_path):
    dive_id = put_dive(tmp_path, "Reef", state="incomplete")
    with Library.open(tmp_path) as library:

        def told():
            (row,) = library.dives()
            return row

        assert told().title == "Reef"
        library.rename(dive_id, "Wall")
        assert told().title == "Wall"
        library.queue(dive_id)
        assert told().state == "queued"
        put_results(library.folder(dive_id), "complete", ("Fish",))
        library.end(dive_id, "complete")
        assert (told().state, told().species) == ("complete", {"Fish": 1})
        library.dives().clear()  # a list of the caller's own
        assert told().id == dive_id
        library.delete(dive_id)
        assert library.dives() == []


def test_a_title_and_an_order_that_are_written_at_once_both_stay(tmp_path):
    """As by the server and by a job, which puts the files of a dive in order."""
    dive_id = put_dive(tmp_path)
    rounds = 50
    with Library.open(tmp_path) as library, ThreadPoolExecutor(1) as job:
        folder = library.folder(dive_id)

        def order() -> list[tuple[str, ...]]:
            kept = []
            for number in range(rounds):
                with changing_facts(folder) as facts:
                    write_facts(folder, replace(facts, more=(f"{number}.mp4",)))
                kept.append(read_facts(folder).more)
            return kept

        ordered = job.submit(order)
        titles = []
        for number in range(rounds):
            library.rename(dive_id, f"Reef {number}")
            titles.append(read_facts(folder).title)
        assert ordered.result() == [(f"{number}.mp4",) for number in range(rounds)]
    assert titles == [f"Reef {number}" for number in range(rounds)]


def test_a_title_whose_server_was_killed_in_between_is_one_from_the_next_start_on(tmp_path):
    dive_id = put_dive(tmp_path)
    Library.open(tmp_path).close()
    script = f"""
        import os, signal
        from pathlib import Path
        import dives.library as library
        write = library.write_facts
        def killed(folder, facts):
            write(folder, facts)
            os.kill(os.getpid(), signal.SIGKILL)
        library.write_facts = killed
        library.Library.open(Path({str(tmp_path)!r})).rename({dive_id!r}, "Wall")
    """
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, check=False)
    assert died.returncode == -signal.SIGKILL
    with Library.open(tmp_path) as library:
        assert library.dive(dive_id).title == "Wall"
        library.refresh(dive_id)
        assert library.dive(dive_id).title == "Wall"
    with Library.open(tmp_path) as library:
        (library.folder(dive_id) / FACTS).write_text("no JSON")
    with Library.open(tmp_path) as library:  # what is said of one folder keeps nobody from the others
        assert library.dive(dive_id).title == "Wall"


def test_a_deleted_dive_is_gone_from_table_and_disk(tmp_path):
    dive_id, other = put_dive(tmp_path), put_dive(tmp_path)
    with Library.open(tmp_path) as library:
        library.delete(dive_id)
        assert [row.id for row in library.dives()] == [other]
        with pytest.raises(KeyError):
            library.delete(dive_id)
    assert [entry.name for entry in (tmp_path / DIVES).iterdir()] == [other]
    assert list((tmp_path / "trash").iterdir()) == []


@pytest.mark.parametrize(
    "dive_id", ["", ".", "..", "../dives", "0" * 15, "0" * 17, "g" * 16, "0" * 15 + "\n", "A" * 16]
)
def test_a_text_that_is_no_id_reaches_no_folder(tmp_path, dive_id):
    with Library.open(tmp_path) as library, pytest.raises(KeyError):
        library.folder(dive_id)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (" a\n b ", "a b"),
        ("\x00\x1b[31m", "[31m"),
        ("\u202egpj.exe", "gpj.exe"),
        ("🐠 reef", "🐠 reef"),
        ("x" * 5000, "x" * 200),
        ("\n", ""),
    ],
)
def test_a_title_is_one_line_of_text(text, title):
    assert clean_title(text) == title
