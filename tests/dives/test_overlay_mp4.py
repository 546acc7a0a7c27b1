"""What was encoded is decoded again and looked at."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from functools import partial

import av
import numpy as np
import pytest
from clips import write_clip
from raw_rows import raw

from dives.files import Files
from dives.timeline import write_results
from dives.writers import overlay_mp4
from dives.writers.base import Dive
from dives.writers.overlay_mp4 import SOFTWARE, OverlayMp4, canvas, encodes, place
from realtime.errors import ResultsError
from realtime.pictures import ArrayPicture, VideoPicture
from realtime.sources import VideoFile


def overlaid(clip, rows, contract):
    """Draws ``rows`` into ``clip`` and returns the decoded frames of the result."""
    with VideoFile(clip) as source:
        dive = Dive(clip.parent, clip.name, contract, source.info, len(rows), 2.0, Files.one(clip))
    write_results(rows, dive, [OverlayMp4(partial(VideoFile, clip))])
    with av.open(f"file:{clip.parent / 'overlay.mp4'}") as container:
        return list(container.decode(video=0))


def times_s(path):
    with VideoFile(path) as source:
        return [frame.media_s for frame in source]


def plain(count, times):
    """Rows without a heat map."""
    return [replace(raw(k, times[k], None), cam=np.zeros((2, 2), np.uint8)) for k in range(count)]


@pytest.fixture
def contract(engine):
    return engine.contract


def test_it_is_what_a_browser_plays(tmp_path, contract):
    clip = write_clip(tmp_path / "dive.mp4", frames=12)
    overlaid(clip, plain(12, times_s(clip)), contract)
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert not video.codec_context.has_b_frames
        assert (video.codec_context.colorspace, video.codec_context.color_range) == (1, 1)
        packets = [packet for packet in container.demux(video) if packet.size]
        assert [packet.pts for packet in packets] == [packet.dts for packet in packets]
    content = (tmp_path / "overlay.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_a_variable_rate_keeps_its_time_stamps(tmp_path, contract):
    pts_ms = [0, 33, 100, 101, 900, 2500, 2533]
    clip = write_clip(tmp_path / "phone.mp4", frames=7, pts_ms=pts_ms)
    frames = overlaid(clip, plain(7, times_s(clip)), contract)
    assert [frame.time for frame in frames] == pytest.approx([ms / 1000 for ms in pts_ms], abs=1e-5)


def test_b_frames_in_the_original_change_nothing(tmp_path, contract):
    clip = write_clip(tmp_path / "dive.mp4", frames=24, options={"bf": "3", "g": "24"})
    times = times_s(clip)
    frames = overlaid(clip, plain(24, times), contract)
    assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-5)


def test_picture_k_belongs_to_row_k_also_when_frames_were_left_out(tmp_path, contract):
    clip = write_clip(tmp_path / "dive.mp4", frames=30)
    times = times_s(clip)
    rows = [replace(raw(k, times[k], None), cam=np.zeros((2, 2), np.uint8)) for k in (0, 12, 25)]
    frames = overlaid(clip, rows, contract)
    assert [frame.time for frame in frames] == pytest.approx([times[0], times[12], times[25]], abs=1e-5)
    strongest = [VideoPicture(frame).rgb()[:20].mean(axis=(0, 1)).argmax() for frame in frames]
    assert strongest == [0, 1, 2]  # the clip is red, then green, then blue


def test_the_last_picture_lasts_as_long_as_the_one_before(tmp_path, contract):
    clip = write_clip(tmp_path / "dive.mp4", frames=10, rate=10)
    overlaid(clip, plain(10, times_s(clip)), contract)
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        video = container.streams.video[0]
        assert video.duration * video.time_base == pytest.approx(1.0, abs=1e-3)


def test_a_picture_without_a_map_keeps_its_colours(tmp_path, contract):
    clip = write_clip(tmp_path / "dive.mp4", frames=3, size_hw=(96, 128), options={"crf": "4"})
    (drawn, *_) = overlaid(clip, plain(3, times_s(clip)), contract)
    with VideoFile(clip) as source:
        original = next(iter(source)).picture.rgb()
    ours = drawn.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
    error = np.abs(ours[:60].astype(int) - original[:60])  # above the caption
    assert error.mean() < 4.0


def test_the_map_is_drawn_where_it_is_and_nowhere_else(tmp_path, contract):
    clip = write_clip(tmp_path / "dive.mp4", frames=3, size_hw=(96, 128))
    times = times_s(clip)
    hot = np.array([[0, 255], [0, 0]], np.uint8)
    rows = [replace(row, cam=hot) for row in plain(3, times)]
    drawn = VideoPicture(overlaid(clip, rows, contract)[1]).rgb().astype(int)
    with VideoFile(clip) as source:
        original = list(source)[1].picture.rgb().astype(int)
    change = np.abs(drawn - original).mean(axis=2)
    assert change[:16, -16:].mean() > 40.0
    assert change[32:64, :16].mean() < 8.0


def test_a_rotated_video_comes_out_upright(tmp_path, contract):
    clip = tmp_path / "phone.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.set_display_rotation(90)
        picture = np.zeros((64, 96, 3), np.uint8)
        picture[:, :48] = 255  # the left half of what is stored
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    with VideoFile(clip) as source:
        upright = next(iter(source)).picture.rgb()
    assert upright.shape[:2] == (96, 64)
    frames = overlaid(clip, plain(3, times_s(clip)), contract)
    assert {(frame.height, frame.width, frame.rotation) for frame in frames} == {(96, 64, 0)}
    drawn = frames[0].reformat(format="rgb24").to_ndarray()
    for rows in (slice(4, 40), slice(56, 70)):  # above and below the middle, above the caption
        assert (drawn[rows].mean() > 128) == (upright[rows].mean() > 128)


def test_odd_sides_become_even_by_one_line(tmp_path, contract):
    clip = write_clip(tmp_path / "dive.mkv", frames=3, size_hw=(45, 63), codec="ffv1")
    frames = overlaid(clip, plain(3, times_s(clip)), contract)
    assert {(frame.height, frame.width) for frame in frames} == {(46, 64)}


def test_two_frames_at_one_time_are_both_kept(tmp_path, contract):
    clip = write_clip(tmp_path / "dive.mp4", frames=4)
    frames = overlaid(clip, plain(4, [0.0, 0.04, 0.04, 0.08]), contract)
    assert [round(frame.time * 90_000) for frame in frames] == [0, 3600, 3601, 7200]


def test_a_frame_that_does_not_come_again_leaves_no_video(tmp_path, contract):
    clip = write_clip(tmp_path / "dive.mp4", frames=4)
    rows = plain(4, times_s(clip))
    with pytest.raises(ResultsError, match="frame 99 cannot be decoded a second time"):
        overlaid(clip, [*rows[:3], replace(rows[3], index=99)], contract)
    assert [entry.name for entry in tmp_path.iterdir()] == ["dive.mp4"]


def test_a_folder_with_a_colon_is_a_folder(tmp_path, contract, monkeypatch):
    (tmp_path / "c:ard").mkdir()
    clip = write_clip(tmp_path / "dive.mp4", frames=3).rename(tmp_path / "c:ard" / "dive.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(overlaid(clip.relative_to(tmp_path), plain(3, times_s(clip)), contract)) == 3


@pytest.mark.parametrize(
    ("size_hw", "expected"),
    [((720, 1280), (720, 1280)), ((45, 63), (46, 64)), ((1, 1), (16, 16)), ((4320, 7680), (2160, 3840))],
)
def test_the_canvas_is_even_and_not_too_large(size_hw, expected):
    assert canvas(size_hw) == expected


def test_a_canvas_fits_what_a_picture_shrunk_to_it_gives():
    tall = ArrayPicture(np.zeros((4001, 2667, 3), np.uint8))
    assert place(tall.rgb(3840), canvas(tall.size_hw)).shape[:2] == canvas(tall.size_hw)


def test_another_shape_is_fitted_in_with_black_beside_it():
    placed = place(np.full((10, 10, 3), 200, np.uint8), (20, 40))
    assert (placed[:, 10:30] == 200).all()
    assert not placed[:, :10].any()
    assert not placed[:, 30:].any()


def test_the_clock_is_fine_enough_for_every_usual_rate():
    for rate in (24, 25, 30, 50, 60):
        assert (Fraction(90_000) / rate).denominator == 1


def test_an_encoder_counts_only_when_it_really_encodes(tmp_path, contract, monkeypatch):
    assert encodes(SOFTWARE, (48, 64))
    assert not encodes("h264_that_never_was", (48, 64))
    assert not encodes("h264_v4l2m2m", (48, 64))  # ffmpeg may know it, no machine of the tests has it
    monkeypatch.setattr(overlay_mp4, "GPU", "h264_that_never_was")
    clip = write_clip(tmp_path / "dive.mp4", frames=3)
    assert len(overlaid(clip, plain(3, times_s(clip)), contract)) == 3


def test_ffprobe_finds_what_a_browser_plays(tmp_path, contract):
    ffprobe = shutil.which("ffprobe")
    if ffprobe is None:
        pytest.skip("no ffprobe here")
    clip = write_clip(tmp_path / "dive.mp4", frames=12)
    overlaid(clip, plain(12, times_s(clip)), contract)
    stream = "codec_name,pix_fmt,width,height,has_b_frames,color_space,color_range,nb_read_frames"
    command = [ffprobe, "-v", "error", "-count_frames", "-show_entries", f"stream={stream}", "-of", "json"]
    found = subprocess.run([*command, tmp_path / "overlay.mp4"], capture_output=True, text=True, check=True)
    assert found.stderr == ""
    (stream,) = json.loads(found.stdout)["streams"]
    assert (stream["codec_name"], stream["pix_fmt"], stream["has_b_frames"]) == ("h264", "yuv420p", 0)
    assert (stream["width"], stream["height"], stream["nb_read_frames"]) == (64, 48, "12")
    assert (stream["color_space"], stream["color_range"]) == ("bt709", "tv")


def test_stretched_pixels_come_out_square(tmp_path, contract):
    clip = tmp_path / "tape.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((96, 96, 3), np.uint8), "rgb24")))
        container.mux(stream.encode())
    frames = overlaid(clip, plain(3, times_s(clip)), contract)
    assert {(frame.height, frame.width) for frame in frames} == {(96, 128)}
