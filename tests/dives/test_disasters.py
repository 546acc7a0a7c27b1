"""Processes that are killed and disks that are full: in processes of their own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from clips import write_noise
from result_files import TABLES, lines, record, results

from dives.journal import NAME as JOURNAL
from dives.process import ProcessOptions, process
from realtime.errors import ResultsError

REPOSITORY = Path(__file__).parents[2]
EVERY_FRAME = ProcessOptions()


def python(script: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]


KILLED = """
    import sys
    from pathlib import Path
    from dives.process import ProcessOptions, process
    from realtime.engine import Engine

    class Pausing(Engine):
        runs = 0
        def run(self, frames, explain=None):
            self.runs += 1
            if self.runs == 4:
                print("three batches are written", flush=True)
                sys.stdin.read()
            return super().run(frames, explain)

    clip, out, model = map(Path, sys.argv[1:])
    with Pausing.open(model, provider="cpu", threads=1) as engine:
        process(clip, out, engine, ProcessOptions(overlay=True))
"""


FULL = """
    import json, resource, sys
    from pathlib import Path
    from dives.process import ProcessOptions, process
    from realtime.engine import Engine
    from realtime.errors import ResultsError

    clip, out, model = map(Path, sys.argv[1:4])
    with Engine.open(model, provider="cpu", threads=1) as engine:
        for limit in map(int, sys.argv[4:]):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            message = ""
            try:
                process(clip, out, engine, ProcessOptions(overlay=True, resume=True))
            except ResultsError as error:
                message = str(error)
            run = json.loads((out / "run.json").read_text())
            print(json.dumps([message, run["state"], run["reason"], sorted(p.name for p in out.iterdir())]))
"""


def test_killed_and_resumed_it_ends_in_the_same_bytes(clip, engine, toy_model, tmp_path):
    whole = results(process(clip, tmp_path / "whole", engine, ProcessOptions(overlay=True)).folder)
    out = tmp_path / "out"
    with subprocess.Popen(
        python(KILLED, clip, out, toy_model),
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout.readline() == "three batches are written\n"
        running.kill()
    assert record(out)["state"] == "running"
    with (out / JOURNAL).open("ab") as journal:
        journal.write(b"half a record")
    run = process(clip, out, engine, ProcessOptions(overlay=True, resume=True))
    assert run.continued_from == 24
    assert results(out) == whole


def test_two_runs_do_not_mix_in_one_folder(clip, engine, toy_model, tmp_path):
    with subprocess.Popen(
        python(KILLED, clip, tmp_path / "out", toy_model),
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout.readline() == "three batches are written\n"
        with pytest.raises(ResultsError, match="another run is writing here"):
            process(clip, tmp_path / "out", engine, EVERY_FRAME)
        running.communicate("go on")
    assert record(tmp_path / "out")["state"] == "complete"
    assert len(lines(tmp_path / "out")) == 60


KILLED_AT = """
    import os, signal, sys
    from pathlib import Path
    from dives import partial
    from dives.process import ProcessOptions, process
    from realtime.engine import Engine

    # Killed without a last word when the file of this name is complete but not yet called so.
    commit = partial.PartialFile.commit
    def killed(file):
        if file.path.name == sys.argv[4]:
            os.kill(os.getpid(), signal.SIGKILL)
        commit(file)
    partial.PartialFile.commit = killed

    clip, out, model = map(Path, sys.argv[1:4])
    with Engine.open(model, provider="cpu", threads=1) as engine:
        process(clip, out, engine, ProcessOptions(overlay=True, resume=True))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_killed_three_times_while_results_are_written_it_ends_in_the_same_bytes(clip, engine, toy_model, tmp_path):
    whole = results(process(clip, tmp_path / "whole", engine, ProcessOptions(overlay=True)).folder)
    second_still = sorted(name for name in whole if name.startswith("stills/"))[2].removeprefix("stills/")
    for name in ("frames.parquet", second_still, "overlay.mp4"):
        ended = subprocess.run(python(KILLED_AT, clip, tmp_path / "out", toy_model, name), cwd=REPOSITORY, check=False)
        assert ended.returncode == -9
        assert record(tmp_path / "out")["state"] == "running"
        assert not list((tmp_path / "out").rglob(name))
    run = process(clip, tmp_path / "out", engine, ProcessOptions(overlay=True, resume=True))
    assert run.continued_from == 56  # the batches that were full
    assert results(tmp_path / "out") == whole


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file size")
def test_a_full_disk_keeps_what_was_written_at_every_stage(engine, toy_model, tmp_path):
    clip = write_noise(tmp_path / "dive.mp4", frames=60)
    whole = results(process(clip, tmp_path / "whole", engine, ProcessOptions(overlay=True)).folder)
    journal, overlay = (len(whole[name]) for name in (JOURNAL, "overlay.mp4"))
    table = max(len(whole[name]) for name in TABLES)
    assert 2500 < journal < table < overlay - 200
    limits = (2500, journal, table + 100, overlay - 1, 10 * overlay)  # results() shortens the report a little
    ended = subprocess.run(
        python(FULL, clip, tmp_path / "out", toy_model, *limits),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    *full, none = map(json.loads, ended.stdout.splitlines())
    stages = [JOURNAL, "", "overlay.mp4", "overlay.mp4"]
    for stage, (message, state, reason, names) in zip(stages, full, strict=True):
        why = r"(file too large|only \d+ of \d+ bytes were taken)"
        assert re.search(rf"{stage or '/out/.*'}: cannot be written \({why}\)", message)
        assert (state, reason) == ("failed", message)
        unfinished = {name for name in names if name.endswith(".partial")}
        assert unfinished <= {"frames.csv.partial", "sightings.csv.partial"}  # to look into
        assert set(names) >= TABLES or stage != "overlay.mp4"  # the tables were finished before
    assert none[:3] == ["", "complete", ""]
    assert results(tmp_path / "out") == whole
