"""Frame numbers and times of every kind of file that cameras and editors make, against what is known and ffprobe."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest
from clips import remux, write_clip

from realtime.sources import VideoFile

B_FRAMES = {"preset": "medium", "bf": "3", "g": "20"}
STAMPS_MS = [0, 40, 80, 500, 520, 1300, 1333, 2000]
EVEN = [k / 25 for k in range(60)]
SHARED = Path(__file__).parents[3] / "shared" / "data" / "video"


def plain(folder: Path) -> Path:
    """60 frames at 25/s in display order red, green, blue; decoding order is another."""
    return write_clip(folder / "plain.mp4", frames=60, options=B_FRAMES)


def appended(folder: Path) -> Path:
    once = remux(folder / "once.ts", plain(folder))
    path = folder / "twice.ts"
    path.write_bytes(once.read_bytes() * 2)
    return path


def with_sound(folder: Path) -> Path:
    """2.4 s of pictures and 6 s of sound."""
    path = folder / "sound.mp4"
    with av.open(str(plain(folder))) as before, av.open(str(path), "w") as after:
        sound = after.add_stream("aac", rate=8000, layout="mono")
        copy = after.add_stream_from_template(before.streams.video[0])
        for packet in before.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                after.mux(packet)
        for start in range(0, 48_000, 1000):
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 1000), np.float32), "fltp", "mono")
            samples.rate, samples.pts = 8000, start
            after.mux(sound.encode(samples))
        after.mux(sound.encode())
    return path


def two_videos(folder: Path) -> Path:
    """The second is smaller and has other times."""
    other = write_clip(folder / "other.mp4", frames=10, rate=10, size_hw=(32, 32))
    path = folder / "two.mkv"
    with av.open(str(plain(folder))) as first, av.open(str(other)) as second, av.open(str(path), "w") as after:
        copies = [(source, after.add_stream_from_template(source.streams.video[0])) for source in (first, second)]
        for source, copy in copies:
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = copy
                    after.mux(packet)
    return path


def with_cover(folder: Path) -> Path:
    """A cover picture, which is a video stream to ffmpeg, and comes first."""
    path = folder / "cover.mp4"
    with av.open(str(plain(folder))) as before, av.open(str(path), "w") as after:
        cover = after.add_stream("png", rate=1)
        cover.height, cover.width, cover.pix_fmt = 40, 40, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        copy = after.add_stream_from_template(before.streams.video[0])
        after.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((40, 40, 3), np.uint8), "rgb24")))
        after.mux(cover.encode())
        for packet in before.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                after.mux(packet)
    return path


CASES: dict[str, tuple[Callable[[Path], Path], list[float]]] = {
    "B-frames": (plain, EVEN),
    "rotation": (lambda f: write_clip(f / "a.mp4", frames=60, options=B_FRAMES, rotation=90), EVEN),
    "variable rate": (lambda f: write_clip(f / "a.mp4", frames=8, pts_ms=STAMPS_MS), [s / 1000 for s in STAMPS_MS]),
    "variable rate, Matroska": (
        lambda f: write_clip(f / "a.mkv", frames=8, pts_ms=STAMPS_MS),
        [s / 1000 for s in STAMPS_MS],
    ),
    "HEVC": (lambda f: write_clip(f / "a.mp4", frames=60, codec="libx265"), EVEN),
    "HEVC, 10 bits": (lambda f: write_clip(f / "a.mp4", frames=60, codec="libx265", pix_fmt="yuv420p10le"), EVEN),
    "H.264, 10 bits": (lambda f: write_clip(f / "a.mkv", frames=60, pix_fmt="yuv420p10le"), EVEN),
    # The first 12 or 13 frames come before the edit begins; players do not show them, and neither does the decoder.
    "edit list": (lambda f: remux(f / "a.mp4", plain(f), shift_s=-0.5), EVEN[:47]),
    "edit list that begins late": (lambda f: remux(f / "a.mp4", plain(f), shift_s=0.5), EVEN),
    "transport stream that begins anywhere": (lambda f: remux(f / "a.ts", plain(f), shift_s=1000.0), EVEN),
    "sound longer than pictures": (with_sound, EVEN),
    "two video streams": (two_videos, EVEN),
    "cover picture": (with_cover, EVEN),
}
# ffprobe has no stamps for these, or such as no clock has.
MENDED: dict[str, tuple[Callable[[Path], Path], list[float], dict[str, int]]] = {
    "no stamps at all": (lambda f: remux(f / "a.h264", plain(f)), EVEN, {"guessed_stamps": 60}),
    "AVI, which keeps the order of decoding": (
        lambda f: write_clip(f / "a.avi", frames=60, options=B_FRAMES),
        EVEN,
        {},
    ),
    "negative first stamps": (
        lambda f: remux(f / "a.mkv", plain(f), shift_s=-0.5),
        EVEN,
        {"guessed_stamps": 13, "restarts": 1},
    ),
    "stamps that begin anew": (appended, [*EVEN, *(2.4 + s for s in EVEN)], {"restarts": 1}),
}


def by_ffprobe(path: Path, stream: int) -> list[float | None]:
    """The stamp of each frame from the start of the container, in the order in which ffprobe gives them."""
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    command = ["ffprobe", "-v", "error", "-select_streams", str(stream), "-of", "json"]
    command += ["-show_entries", "format=start_time:frame=pts_time", str(path)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout)
    start_s = float(found["format"].get("start_time", 0.0))
    stamps = [frame.get("pts_time") for frame in found["frames"]]
    return [None if stamp is None else float(stamp) - start_s for stamp in stamps]


def playable(path: Path) -> int:
    with av.open(str(path)) as container:
        return next(s.index for s in container.streams.video if "attached_pic" not in str(s.disposition))


@pytest.mark.parametrize("case", CASES)
def test_frames_are_numbered_from_0_and_carry_their_stamps(case, tmp_path):
    make, expected_s = CASES[case]
    with VideoFile(make(tmp_path)) as video:
        frames = list(video)
    assert [frame.index for frame in frames] == list(range(len(expected_s)))
    assert [frame.media_s for frame in frames] == pytest.approx(expected_s, abs=0.0011)
    assert (video.guessed_stamps, video.restarts, video.damaged_packets) == (0, 0, 0)


@pytest.mark.parametrize("case", CASES)
def test_ffprobe_counts_and_times_the_same_frames(case, tmp_path):
    path = CASES[case][0](tmp_path)
    assert [frame.media_s for frame in VideoFile(path)] == pytest.approx(by_ffprobe(path, playable(path)), abs=1e-5)


@pytest.mark.parametrize("case", MENDED)
def test_stamps_that_no_clock_has_are_mended_and_counted(case, tmp_path):
    make, expected_s, counts = MENDED[case]
    path = make(tmp_path)
    video = VideoFile(path)
    found_s, colours = [], []
    for frame in video:
        found_s.append(frame.media_s)
        colours.append(int(frame.picture.rgb().reshape(-1, 3).mean(0).argmax()))
    assert found_s == pytest.approx(expected_s, abs=0.0011)
    assert colours == [k % 60 // 10 % 3 for k in range(len(expected_s))]
    found = {"guessed_stamps": video.guessed_stamps, "restarts": video.restarts}
    assert found == {"guessed_stamps": 0, "restarts": 0, **counts}
    assert len(by_ffprobe(path, 0)) == len(expected_s)


def test_a_turned_video_is_upright_at_its_times(tmp_path):
    video = VideoFile(write_clip(tmp_path / "a.mp4", rotation=90))
    assert video.info.size_hw == (64, 48)
    assert next(iter(video)).picture.rgb().shape == (64, 48, 3)


@pytest.mark.parametrize(
    ("metadata", "options", "utc"),
    [
        ({"creation_time": "2026-05-01T09:30:00Z"}, {}, datetime(2026, 5, 1, 9, 30, tzinfo=UTC)),
        # A phone writes both; this one knows the zone and the moment at which recording began.
        (
            {"com.apple.quicktime.creationdate": "2026-05-01T12:30:00+0300", "creation_time": "2026-05-01T09:31:00Z"},
            {"movflags": "use_metadata_tags"},
            datetime(2026, 5, 1, 9, 30, tzinfo=UTC),
        ),
        ({"creation_time": "1904-01-01T00:00:00Z"}, {}, None),
    ],
)
def test_the_wall_clock_is_what_the_container_says(tmp_path, metadata, options, utc):
    path = tmp_path / "a.mov"
    with av.open(str(path), "w", options=options) as container:
        container.metadata.update(metadata)
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")))
        container.mux(stream.encode())
    with VideoFile(path) as video:
        found = video.info
    assert (found.start_utc, found.utc_source) == (utc, "container" if utc else "")


def test_the_files_own_time_counts_before_that_of_a_stream_in_it(tmp_path):
    """A program that cut the recording set the stream's to when it did so."""
    path = write_clip(tmp_path / "a.mov", metadata={"creation_time": "2026-05-01T09:30:00Z"})
    data = bytearray(path.read_bytes())
    at = data.index(b"mdhd") + 8
    data[at : at + 4] = (int.from_bytes(data[at : at + 4]) + 86400).to_bytes(4)
    path.write_bytes(data)
    with VideoFile(path) as video:
        assert video.info.start_utc == datetime(2026, 5, 1, 9, 30, tzinfo=UTC)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared clips")
@pytest.mark.parametrize("clip", sorted(path.name for path in SHARED.glob("*.*")))
def test_ffprobe_agrees_on_real_footage(clip):
    path = SHARED / clip
    frames = [(frame.index, frame.media_s) for frame in VideoFile(path)]
    assert frames == [(k, pytest.approx(s, abs=1e-5)) for k, s in enumerate(by_ffprobe(path, playable(path)))]
