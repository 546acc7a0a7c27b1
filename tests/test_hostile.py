"""A table of broken and malicious videos and pictures: each gives frames or one sentence, and costs nothing else."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hostile
import pytest

READER = Path(hostile.__file__).with_name("hostile_reader.py")
REPOSITORY = Path(__file__).parents[1]
TABLE_S = 300  # a guard; it takes some ten seconds
IN_OPEN = 0x20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs inotify and a limit of addresses")


@contextmanager
def watched(paths: list[Path]) -> Iterator[int]:
    """A descriptor from which something can be read once one of these was opened, whoever opened it."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.inotify_init1(os.O_NONBLOCK)
    assert handle >= 0
    try:
        for path in paths:
            assert libc.inotify_add_watch(handle, os.fsencode(path), IN_OPEN) >= 0
        yield handle
    finally:
        os.close(handle)


def test_every_one_of_them_gives_frames_or_one_sentence_and_nothing_else_is_read(
    tmp_path: Path, toy_model: Path
) -> None:
    decoys = hostile.write_decoys(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        table = write_table(tmp_path, f"127.0.0.1:{server.getsockname()[1]}")
        (tmp_path / "table.json").write_text(json.dumps([[case.name, str(path)] for case, path in table]))
        with watched(decoys) as opened:
            done = subprocess.run(
                [sys.executable, READER, tmp_path / "table.json", toy_model],
                cwd=REPOSITORY,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
                capture_output=True,
                text=True,
                timeout=TABLE_S,
                check=False,
            )
            with pytest.raises(BlockingIOError):
                print(os.read(opened, 4096))
        with pytest.raises(BlockingIOError):
            server.accept()
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"{lines[-1:]} took the process with it: {done.stderr[-500:]}"
    said = {line["name"]: line for line in lines if "name" in line}
    assert [name for name, line in said.items() if (hostile.DECOY_HW) in map(tuple, line.get("sizes", []))] == []
    wrong = {case.name: why for case, _ in table if (why := what_is_wrong(case, said[case.name]))}
    assert not wrong, json.dumps(wrong, indent=1, ensure_ascii=False)
    assert not (REPOSITORY / "ran").exists()


def write_table(folder: Path, server: str) -> list[tuple[hostile.Case, Path]]:
    """Every case in a folder of its own below ``folder``."""
    table = []
    for number, case in enumerate(hostile.cases()):
        here = folder / f"{number:03}"
        here.mkdir()
        path = case.write(here)
        for file in here.iterdir():
            if not file.is_symlink() and file.is_file() and file.stat().st_size < 10_000:
                file.write_bytes(file.read_bytes().replace(hostile.WEB.encode(), server.encode()))
        table.append((case, path))
    assert len({case.name for case, _ in table}) == len(table) > 300
    return table


def what_is_wrong(case: hostile.Case, said: dict[str, Any]) -> str:
    if "unexpected" in said:
        return str(said["unexpected"])
    for sentence in (said["error"], said.get("dive"), *said.get("photographs", ())):
        if sentence is not None and not (0 < len(sentence) < 400 and sentence.isprintable()):
            return f"not one sentence: {sentence!r}"
    if not said["frames"] and said["error"] is None:
        return "neither frames nor a sentence"
    if case.gives == hostile.FRAMES and (not said["frames"] or said["error"]):
        return f"{said['frames']} frames, {said['error']}"
    if case.gives == hostile.SENTENCE and said["frames"]:
        return f"{said['frames']} frames of {said['sizes']}"
    if "photographs" in said and bool(said["photographs"]) != (not said["frames"]) and said["sizes"]:
        return f"training says {said['photographs']}"
    return ""
