"""dives/copying.py and dives/probe.py: what browsers play, and a copy in step where they do not."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import truncate, write_clip

from dives.copying import copy_for_browsers
from dives.probe import frame_near, probe_video, read_probe, write_probe, write_thumbnail
from realtime.errors import SourceError
from realtime.sources import VideoFile

SHARED = Path(__file__).parents[3] / "shared" / "data" / "video"


def times(path: Path) -> list[float]:
    with VideoFile(path) as source:
        return [frame.media_s for frame in source]


def stamps(path: Path) -> list[float]:
    """What a browser's clock shows, which does not begin at 0 where the first frame comes later."""
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


def browsers_play(path: Path) -> bool:
    return probe_video(path, path.name).unplayable == ""


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_h264_in_an_mp4_or_mov_is_played_as_it_is(tmp_path, suffix):
    assert browsers_play(write_clip(tmp_path / f"a{suffix}"))


@pytest.mark.parametrize(
    ("name", "codec", "why"),
    [
        ("a.mkv", "libx264", "its container is Matroska"),
        ("a.avi", "libx264", "its container is AVI"),
        ("a.ts", "libx264", "its container is MPEG-TS"),
        ("a.mp4", "libx265", "it is HEVC"),
        ("a.mp4", "mpeg4", "it is MPEG4"),
        ("a.avi", "mjpeg", "it is MJPEG"),
    ],
)
def test_what_browsers_do_not_play_is_said_and_copied_in_step(tmp_path, name, codec, why):
    clip = write_clip(tmp_path / name, codec=codec)
    probe = probe_video(clip, name)
    assert why in probe.unplayable
    copy_for_browsers(clip, tmp_path / "copy.mp4")
    assert browsers_play(tmp_path / "copy.mp4")
    assert stamps(tmp_path / "copy.mp4") == pytest.approx(times(clip), abs=1e-4)


def test_ten_bits_are_copied_to_eight(tmp_path):
    path = tmp_path / "deep.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        for k in range(10):
            grey = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * k, np.uint8), "rgb24")
            container.mux(stream.encode(grey.reformat(format="yuv420p10le")))
        container.mux(stream.encode())
    assert "yuv420p10le" in probe_video(path, "deep.mp4").unplayable
    copy_for_browsers(path, tmp_path / "copy.mp4")
    with VideoFile(tmp_path / "copy.mp4") as source:
        means = [frame.picture.rgb().mean() for frame in source]
    assert means == pytest.approx([20 * k for k in range(10)], abs=4)


def test_a_variable_rate_stays_variable_in_the_copy(tmp_path):
    stamps_ms = [0, 40, 55, 200, 210, 215, 900, 905, 1000, 1500]
    clip = write_clip(tmp_path / "vfr.mkv", frames=10, pts_ms=stamps_ms)
    copy_for_browsers(clip, tmp_path / "copy.mp4")
    assert stamps(tmp_path / "copy.mp4") == pytest.approx([ms / 1000 for ms in stamps_ms], abs=1e-4)


def test_b_frames_are_no_trouble(tmp_path):
    clip = write_clip(tmp_path / "b.mkv", options={"bf": "3", "g": "12"})
    copy_for_browsers(clip, tmp_path / "copy.mp4")
    assert stamps(tmp_path / "copy.mp4") == pytest.approx(times(clip), abs=1e-3)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_rotated_recording_comes_out_upright(tmp_path, rotation):
    clip = write_clip(tmp_path / "lying.mp4", frames=5, size_hw=(48, 96))
    turned = tmp_path / "turned.mp4"
    with av.open(str(clip)) as source, av.open(str(turned), "w") as container:
        out = container.add_stream_from_template(source.streams.video[0])
        try:
            out.set_display_rotation(rotation)
        except AttributeError:
            pytest.skip("this PyAV cannot write a rotation")
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = out
                container.mux(packet)
    self_check = probe_video(turned, "turned.mp4")
    copy_for_browsers(turned, tmp_path / "copy.mp4")
    assert probe_video(tmp_path / "copy.mp4", "copy").size_hw == self_check.size_hw
    with VideoFile(turned) as one, VideoFile(tmp_path / "copy.mp4") as other:
        for before, after in zip(one, other, strict=True):
            gap = np.abs(before.picture.rgb().astype(int) - after.picture.rgb())
            assert gap.mean() < 6


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="no shared clips here")
def test_a_phones_recording_is_copied_upright_and_in_step(tmp_path):
    clip = SHARED / "phone-portrait-hevc.mp4"
    copy_for_browsers(clip, tmp_path / "copy.mp4")
    before, after = probe_video(clip, "a"), probe_video(tmp_path / "copy.mp4", "b")
    assert before.unplayable
    assert after.unplayable == ""
    assert after.size_hw[0] > after.size_hw[1]
    assert stamps(tmp_path / "copy.mp4") == pytest.approx(times(clip), abs=1e-4)


def test_a_recording_that_breaks_off_gives_a_copy_up_to_there(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "cut.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(60):
            noise = rng.integers(0, 255, (48, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, "rgb24")))
        container.mux(stream.encode())
    copy_for_browsers(truncate(path, 0.5), tmp_path / "copy.mp4")
    assert 5 < len(times(tmp_path / "copy.mp4")) < 60


def test_a_copy_appears_whole_or_not_at_all(tmp_path):
    clip = write_clip(tmp_path / "a.mkv")

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_for_browsers(clip, tmp_path / "copy.mp4", stop)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


PLAYLISTS = {
    "list.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{secret}\n#EXT-X-ENDLIST\n",
    "list.ffconcat": "ffconcat version 1.0\nfile {secret}\n",
    "list.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
    "text.mp4": "hello " * 100,
    "empty.mp4": "",
    "page.mp4": "<!doctype html><title>no</title>",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_file_that_is_no_video_or_names_another_one_is_refused(tmp_path, name):
    secret = write_clip(tmp_path / "secret.ts")
    path = tmp_path / name
    path.write_text(PLAYLISTS[name].format(secret=secret))
    with pytest.raises(SourceError, match="dive: not a video that can be read"):
        probe_video(path, "dive")


def test_a_recording_that_announces_years_is_refused(tmp_path):
    path = write_clip(tmp_path / "long.mkv", frames=2, pts_ms=[0, 10 * 86_400_000])
    with pytest.raises(SourceError, match="dive: it announces 10 days; at most 7 are taken"):
        probe_video(path, "dive")


def test_a_probe_is_read_back_and_one_of_another_version_is_not(tmp_path):
    probe = probe_video(write_clip(tmp_path / "a.mp4", frames=50), "a.mp4")
    write_probe(tmp_path, probe)
    assert read_probe(tmp_path) == probe
    assert (probe.size_hw, probe.rate, probe.duration_s) == ((48, 64), 25.0, 2.0)
    text = (tmp_path / "probe.json").read_text()
    (tmp_path / "probe.json").write_text(text.replace('"version": 1', '"version": 2'))
    assert read_probe(tmp_path) is None


def test_a_thumbnail_is_the_frame_at_its_moment(tmp_path):
    clip = write_clip(tmp_path / "a.mp4")  # red, green, blue, ten frames each
    for media_s, channel in ((0.1, 0), (0.6, 1), (1.1, 2), (99.0, 2)):
        assert frame_near(clip, media_s).mean(axis=(0, 1)).argmax() == channel
    write_thumbnail(clip, 0.6, tmp_path / "thumbnail.jpg")
    assert cv2.imread(str(tmp_path / "thumbnail.jpg")).mean(axis=(0, 1)).argmax() == 1
