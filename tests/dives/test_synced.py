"""What is acknowledged is on the disk itself: which system calls were made, in which order, before the answer."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from test_library import put_dive

from dives.corrections import NAME as CORRECTIONS
from dives.corrections import SightingKey, Verdict, add_correction
from dives.library import DIVES, FACTS, ORIGINAL, Library
from dives.partial import SUFFIX
from dives.uploads import DATA, UPLOADS, Limits, UploadError, Uploads, With

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="asks the system which file a descriptor is")


class Calls:
    """``made``: ("sync", path) and ("name", path), as they were called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[str, Path]] = []
        sync, name = os.fsync, Path.replace

        def fsync(descriptor: int) -> None:
            sync(descriptor)
            self.made.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink()))

        def replace(path: Path, to: Path) -> Path:
            if path.suffix == SUFFIX:  # content before its name
                assert ("sync", path) in self.made
            self.made.append(("name", Path(to)))
            return name(path, to)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(Path, "replace", replace)

    def names(self) -> list[Path]:
        """What got its name since it was asked last; each must have outlived a loss of power by now."""
        made, self.made = self.made, []
        for at, (what, path) in enumerate(made):
            assert what == "sync" or ("sync", path.parent) in made[at:], f"{path}: its name is not on the disk"
        return [path for what, path in made if what == "name"]


@pytest.fixture
def calls(monkeypatch):
    return Calls(monkeypatch)


def test_every_answer_to_an_upload_waits_for_the_disk(tmp_path, calls):
    root = tmp_path.resolve()
    with Library.open(root) as library:
        uploads = Uploads(library, Limits(1000), free_bytes=lambda _: 1 << 40)
        calls.made.clear()
        ids = []
        for name in ("a.mp4", "b.mp4"):
            ids.append(uploads.begin(name, 3).id)
            folder = root / UPLOADS / ids[-1]
            assert ("sync", folder.parent) in calls.made  # it was made there
            assert calls.names() == [folder / "upload.json"]
            with uploads.appending(ids[-1], 0) as to:
                to.write(b"abc")
            assert calls.made == [("sync", folder / DATA)]
            calls.made.clear()
        one, two = ids
        uploads.finish(one, With(more=(two,)))
        folder = root / UPLOADS / one
        plan = calls.made.index(("name", folder / FACTS))
        assert calls.made[plan + 1] == ("sync", folder)  # before the first file moves
        moved = [folder / ORIGINAL / "b.mp4", folder / ORIGINAL / "a.mp4", root / DIVES / one]
        assert calls.names() == [folder / FACTS, *moved]


@pytest.mark.parametrize("where", [f"{UPLOADS}/{{}}/{ORIGINAL}", f"{UPLOADS}/{{}}", DIVES])
def test_what_could_not_be_synced_is_synced_before_the_next_answer(tmp_path, calls, monkeypatch, where):
    root = tmp_path.resolve()
    with Library.open(root) as library:
        uploads = Uploads(library, Limits(1000), free_bytes=lambda _: 1 << 40)
        one = uploads.begin("a.mp4", 3).id
        with uploads.appending(one, 0) as to:
            to.write(b"abc")
        folder, works = root / where.format(one), os.fsync

        def fsync(descriptor: int) -> None:
            if Path(f"/proc/self/fd/{descriptor}").readlink() == folder:
                raise OSError(errno.EIO, "Input/output error")
            works(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(UploadError, match="input/output error"):
            uploads.finish(one)
        monkeypatch.setattr(os, "fsync", works)
        calls.made.clear()
        assert uploads.finish(one).state == "queued"
        assert ("sync", folder) in calls.made


def test_a_word_is_on_the_disk_when_it_is_acknowledged_and_so_is_the_name_of_the_file(tmp_path, calls):
    root = tmp_path.resolve()
    table = root / CORRECTIONS
    sighting = SightingKey("", "Fish", 3, 0.0, 1.0, 0.3)
    for _ in range(2):
        table.write_bytes(b'{"torn')  # by whoever was killed before it was acknowledged
        add_correction(root, sighting, Verdict.RIGHT)
        assert calls.made == [("sync", table), ("sync", root)]
        calls.made.clear()
    add_correction(root, sighting, Verdict.NOTHING)
    assert calls.made == [("sync", table)]


def test_a_title_is_on_the_disk_when_it_is_acknowledged(tmp_path, calls):
    root = tmp_path.resolve()
    dive_id = put_dive(root)
    with Library.open(root) as library:
        calls.made.clear()
        library.rename(dive_id, "Wreck")
    assert calls.names() == [root / DIVES / dive_id / FACTS]
