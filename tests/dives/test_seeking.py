"""What seeking gives is compared with what reading from the start gives, pixel by pixel."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import write_clip, write_noise

from dives import seeking
from dives.files import Files, RecordedFile
from dives.seeking import Moment, NotFoundError, Seeker, pictures_at
from realtime.sources import VideoFile


def linear(path: Path) -> list[tuple[Moment, bytes]]:
    with VideoFile(path) as source:
        return [(Moment(frame.index, frame.media_s), frame.picture.rgb().tobytes()) for frame in source]


def found(path: Path, moments: list[Moment]) -> list[bytes | None]:
    pictures = pictures_at(Files.one(path), moments)
    return [None if picture is None else picture.rgb().tobytes() for picture in pictures]


@pytest.fixture
def counting_forbidden(monkeypatch):
    def counted(path, moments):
        raise AssertionError(f"{path} was read from its start")

    monkeypatch.setattr(seeking, "_counted", counted)


@pytest.mark.usefixtures("counting_forbidden")
@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("plain.mp4", "libx264", {"g": "25"}),
        ("b-frames.mp4", "libx264", {"bf": "3", "g": "25"}),
        ("open-gop.mp4", "libx264", {"bf": "3", "x264-params": "open-gop=1:keyint=20"}),
        ("one-key-frame.mp4", "libx264", {"g": "1000"}),
        ("intra-refresh.mp4", "libx264", {"x264-params": "intra-refresh=1:keyint=20"}),
        ("b-frames.mkv", "libx264", {"bf": "3", "g": "25"}),
        ("b-frames.ts", "libx264", {"bf": "3", "g": "25"}),
        ("broadcast.mpg", "mpeg2video", {"bf": "2", "g": "12"}),
        ("open-gop.mp4", "libx265", {"x265-params": "open-gop=1:keyint=20:bframes=3:log-level=none"}),
    ],
)
def test_the_frame_is_exactly_the_one_that_was_counted(tmp_path, name, codec, options):
    clip = write_noise(tmp_path / name, codec, **options)
    frames = linear(clip)
    for step in (1, 7, 40):
        wanted = frames[3::step]
        assert found(clip, [moment for moment, _ in wanted]) == [picture for _, picture in wanted]


@pytest.mark.usefixtures("counting_forbidden")
def test_a_variable_rate_and_a_late_start_are_no_matter(tmp_path):
    pts_ms = [500 + 40 * k + 7 * (k % 3) + (2000 if k > 30 else 0) for k in range(60)]
    clip = write_clip(tmp_path / "phone.mp4", frames=60, pts_ms=pts_ms)
    frames = linear(clip)
    assert found(clip, [frames[k][0] for k in (2, 30, 31, 59)]) == [frames[k][1] for k in (2, 30, 31, 59)]


@pytest.mark.usefixtures("counting_forbidden")
def test_a_rotated_frame_comes_upright(tmp_path):
    clip = tmp_path / "phone.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.set_display_rotation(90)
        for _ in range(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 96, 3), np.uint8), "rgb24")))
        container.mux(stream.encode())
    (picture,) = pictures_at(Files.one(clip), [Moment(10, 0.4)])
    assert picture is not None
    assert picture.rgb().shape == (96, 64, 3)


def test_only_a_part_of_the_file_is_decoded(tmp_path):
    clip = write_noise(tmp_path / "dive.mp4", frames=250, g="10")
    with Seeker(clip) as seeker:
        for media_s in (1.0, 5.0, 9.0):
            seeker.picture_at(media_s)
        assert seeker.seeks == 3
        assert seeker.decoded <= 3 * 12  # ten frames from key frame to key frame, and one beyond


def test_frames_that_nothing_is_predicted_from_are_passed_over_on_the_way(tmp_path):
    clip = write_noise(tmp_path / "dive.mp4", frames=60, bf="3", g="60", **{"x264-params": "b-adapt=0:b-pyramid=0"})
    with Seeker(clip) as seeker:
        seeker.picture_at(1.6)
        assert seeker.decoded <= 40 / 4 + 4  # three in four are B-frames


def test_where_key_frames_are_rare_nothing_is_decoded_over_and_over(tmp_path):
    clip = write_noise(tmp_path / "screen.mp4", frames=250, g="1000")
    with Seeker(clip) as seeker:
        for k in range(40, 240, 10):
            seeker.picture_at(k / 25)
        assert seeker.decoded < 2 * 250


def test_a_time_that_is_no_frames_is_looked_up_by_counting(tmp_path):
    clip = write_noise(tmp_path / "dive.mp4", frames=30)
    frames = linear(clip)
    with Seeker(clip) as seeker, pytest.raises(NotFoundError, match="no frame at"):
        seeker.picture_at(frames[10][0].media_s + 0.01)
    guessed = [Moment(moment.frame, moment.media_s + 0.01) for moment, _ in frames[10:12]]
    assert found(clip, guessed) == [picture for _, picture in frames[10:12]]


def test_times_that_were_guessed_are_not_looked_up(tmp_path):
    clip = write_noise(tmp_path / "old.avi", "mpeg4", frames=30, bf="2", g="25")
    frames = linear(clip)
    wrong = [Moment(moment.frame, frames[k + 1][0].media_s) for k, (moment, _) in enumerate(frames[10:12])]
    assert found(clip, wrong) == [picture for _, picture in frames[10:12]]
    clip = write_noise(tmp_path / "dive.mp4", frames=30)
    frames = linear(clip)
    shifted = [Moment(moment.frame, frames[moment.frame + 5][0].media_s) for moment, _ in frames[10:12]]
    pictures = pictures_at(Files.one(clip), shifted, seek=False)
    assert [picture.rgb().tobytes() for picture in pictures if picture] == [picture for _, picture in frames[10:12]]


@pytest.mark.parametrize(("ending", "codec"), [("ts", "libx264"), ("mpg", "mpeg2video")])
def test_where_stamps_begin_anew_frames_are_counted_for_a_time_leads_elsewhere(tmp_path, ending, codec):
    """Two recordings put end to end, as cameras do that were stopped and started."""
    parts = [write_noise(tmp_path / f"{frames}.{ending}", codec, frames, bf="2", g="12") for frames in (60, 80)]
    clip = tmp_path / f"both.{ending}"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    with VideoFile(clip) as source:
        assert (sum(1 for _ in source), source.restarts) == (140, 1)
    frames = linear(clip)
    wanted = frames[3::17]
    pictures = pictures_at(Files.one(clip), [moment for moment, _ in wanted], seek=False)
    assert [picture.rgb().tobytes() for picture in pictures if picture] == [picture for _, picture in wanted]


@pytest.mark.parametrize("options", [{"bf": "2", "g": "25"}, {"g": "25"}])
def test_avi_is_counted_for_it_has_no_stamps(tmp_path, options):
    clip = write_noise(tmp_path / "old.avi", "mpeg4", frames=60, **options)
    frames = linear(clip)
    assert found(clip, [moment for moment, _ in frames[3::11]]) == [picture for _, picture in frames[3::11]]


def test_two_frames_at_one_time_are_told_apart_by_counting(tmp_path, monkeypatch):
    clip = write_noise(tmp_path / "dive.mp4", frames=30)
    frames = linear(clip)
    monkeypatch.setattr(seeking, "SAME_S", 0.06)  # as if frame 11 carried the time of frame 10
    with Seeker(clip) as seeker, pytest.raises(NotFoundError, match="two frames at"):
        seeker.picture_at(frames[10][0].media_s)
    assert found(clip, [frames[10][0], frames[11][0]]) == [frames[10][1], frames[11][1]]


def test_a_frame_that_is_not_there_is_none_and_the_rest_goes_on(tmp_path):
    clip = write_noise(tmp_path / "dive.mp4", frames=30)
    frames = linear(clip)
    moments = [frames[5][0], Moment(99, 3.96)]
    assert found(clip, moments) == [frames[5][1], None]
    clip.unlink()
    assert found(clip, moments) == [None, None]


def test_chapters_are_looked_up_on_their_own_clock(tmp_path):
    chapters = [write_noise(tmp_path / f"GX0{k}.MP4", frames=30 + k) for k in (1, 2)]
    files = Files([RecordedFile(chapters[0]), RecordedFile(chapters[1], 31, 1.24)])
    first, second = map(linear, chapters)
    moments = [Moment(7, 7 / 25), Moment(31 + 20, 1.24 + 20 / 25)]
    pictures = [picture.rgb().tobytes() for picture in pictures_at(files, moments) if picture is not None]
    assert pictures == [first[7][1], second[20][1]]


def test_pictures_of_a_folder_are_read_by_name(tmp_path):
    paths = [tmp_path / f"{k}.png" for k in range(3)]
    for k, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((24, 32, 3), 40 * k, np.uint8))
    paths[1].write_bytes(b"gone bad")
    moments = [Moment(k, float(k)) for k in range(3)]
    pictures = list(pictures_at(Files.pictures(paths, 1.0), moments, video=False))
    assert [None if picture is None else int(picture.rgb().mean()) for picture in pictures] == [0, None, 80]
