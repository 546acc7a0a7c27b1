"""Every source yields every frame with its true time, and ends or breaks in words."""

import os
import threading
from datetime import UTC, datetime
from itertools import count, pairwise

import av
import cv2
import numpy as np
import pytest
from clips import colour_frame, truncate, write_clip
from PIL import Image

from realtime.errors import Cause, SourceError
from realtime.scene import TestScene
from realtime.sources import Paced, PictureFolder, VideoFile, open_recorded

B_FRAMES = {"preset": "medium", "bf": "3", "g": "12"}


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "avi", "ts"])
def test_every_frame_comes_once_in_order(tmp_path, suffix):
    codec = "mjpeg" if suffix == "avi" else "libx264"  # AVI stores no presentation times for H.264
    with VideoFile(write_clip(tmp_path / f"clip.{suffix}", codec=codec)) as video:
        frames = list(video)
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.media_s for frame in frames] == pytest.approx([k / 25 for k in range(30)], abs=0.002)
    assert {frame.source for frame in frames} == {f"clip.{suffix}"}
    assert {frame.captured_s for frame in frames} == {None}


def test_frames_are_in_order_of_display_with_b_frames(tmp_path):
    video = VideoFile(write_clip(tmp_path / "b.mp4", options=B_FRAMES))
    for frame in video:
        dominant = frame.picture.rgb().reshape(-1, 3).mean(0).argmax()
        assert dominant == frame.index // 10 % 3
        assert frame.media_s == pytest.approx(frame.index / 25, abs=0.001)


def test_time_is_the_stamp_and_not_index_over_rate(tmp_path):
    stamps = [0, 40, 80, 500, 520, 1300, 1333, 2000]
    video = VideoFile(write_clip(tmp_path / "vfr.mp4", frames=8, pts_ms=stamps))
    assert [round(frame.media_s * 1000) for frame in video] == stamps


def test_what_a_file_announces(tmp_path):
    path = write_clip(tmp_path / "a.mp4", metadata={"creation_time": "2024-06-01T08:30:00Z"})
    with VideoFile(path) as video:
        info = video.info
    assert (info.kind, info.size_hw, info.codec, info.frames) == ("video", (48, 64), "h264", 30)
    assert info.rate == pytest.approx(25)
    assert info.duration_s == pytest.approx(1.2, abs=0.05)
    assert (info.start_utc, info.utc_source) == (datetime(2024, 6, 1, 8, 30, tzinfo=UTC), "container")


def test_a_start_given_by_the_user_outranks_the_container(tmp_path):
    path = write_clip(tmp_path / "a.mp4", metadata={"creation_time": "2024-06-01T08:30:00Z"})
    start = datetime(2026, 1, 1, tzinfo=UTC)
    frames = list(VideoFile(path, start=start))
    assert frames[0].utc == start
    assert (frames[25].utc - start).total_seconds() == pytest.approx(1.0)
    assert frames[0].utc_source == "start"


def test_a_clock_that_was_never_set_is_no_time(tmp_path):
    path = write_clip(tmp_path / "a.mp4", metadata={"creation_time": "1970-01-01T00:00:00Z"})
    frame = next(iter(VideoFile(path)))
    assert (frame.utc, frame.utc_source) == (None, "")


def test_pictures_come_at_the_size_that_is_asked_for(tmp_path):
    picture = next(iter(VideoFile(write_clip(tmp_path / "a.mp4")))).picture
    assert picture.size_hw == (48, 64)
    assert picture.model_input(32).shape == (32, 32, 3)
    assert picture.rgb().shape == (48, 64, 3)
    assert picture.rgb(max_side=32).shape == (24, 32, 3)
    assert picture.rgb(max_side=500).shape == (48, 64, 3)


class TestRefused:
    def test_no_such_file(self, tmp_path):
        with pytest.raises(SourceError, match=r"gone\.mp4: no such file"):
            VideoFile(tmp_path / "gone.mp4")

    def test_a_folder(self, tmp_path):
        with pytest.raises(SourceError, match="a folder"):
            VideoFile(tmp_path)

    @pytest.mark.skipif(not hasattr(os, "seteuid"), reason="POSIX permissions")
    def test_no_permission(self, tmp_path):
        path = write_clip(tmp_path / "a.mp4")
        path.chmod(0)
        user = os.geteuid()
        if user == 0:  # root may read everything, so be somebody else for a moment
            os.seteuid(65534)
        try:
            with pytest.raises(SourceError, match="permission"):
                VideoFile(path)
        finally:
            os.seteuid(user)

    @pytest.mark.parametrize("content", [b"", b"hello, this is text", os.urandom(5000)])
    def test_not_a_video(self, tmp_path, content):
        path = tmp_path / "a.mp4"
        path.write_bytes(content)
        with pytest.raises(SourceError, match=r"a\.mp4: (the file is empty|not a video)"):
            VideoFile(path)

    def test_sound_only(self, tmp_path):
        path = tmp_path / "a.wav"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
            sound.rate = 8000
            container.mux(stream.encode(sound))
        with pytest.raises(SourceError, match="no video in this file"):
            VideoFile(path)

    def test_an_mp4_cut_before_its_index(self, tmp_path):
        with pytest.raises(SourceError, match="not a video"):
            VideoFile(truncate(write_clip(tmp_path / "a.mp4"), 0.5))

    def test_a_header_without_frames(self, tmp_path):
        path = tmp_path / "a.mkv"
        write_clip(path, frames=60)
        truncate(path, 0.12)
        with pytest.raises(SourceError):
            list(VideoFile(path))

    def test_a_playlist_that_names_other_files(self, tmp_path):
        inner = write_clip(tmp_path / "inner.ts")
        for text in (
            f"ffconcat version 1.0\nfile {inner}\n",
            f"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/{inner.name}\n",
        ):
            path = tmp_path / "list.mp4"
            path.write_text(text)
            with pytest.raises(SourceError):
                list(VideoFile(path))

    def test_a_playlist_of_files_that_are_there(self, tmp_path):
        write_clip(tmp_path / "inner.ts")
        for name, why in (("list.m3u8", "a list of other files"), ("list.mp4", "not a video")):
            (tmp_path / name).write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\ninner.ts\n#EXT-X-ENDLIST\n")
            with pytest.raises(SourceError, match=why):
                VideoFile(tmp_path / name)

    def test_frames_that_are_too_large_by_the_header_or_in_the_middle(self, tmp_path, monkeypatch):
        path = write_clip(tmp_path / "a.ts", frames=20, size_hw=(48, 64))
        monkeypatch.setattr("realtime.sources.MAX_PIXELS", 48 * 64 - 1)
        with pytest.raises(SourceError, match="its frames have 64 x 48 pixels; at most"):
            VideoFile(path)
        monkeypatch.setattr("realtime.sources.MAX_PIXELS", 48 * 64)
        larger = write_clip(tmp_path / "b.ts", frames=20, size_hw=(96, 128))
        path.write_bytes(path.read_bytes() + larger.read_bytes())
        with VideoFile(path) as opened:
            assert {frame.picture.size_hw for frame in opened} == {(48, 64)}
            assert opened.damaged_packets > 10


def write_cut(path, options=None):
    """Four seconds of video, of which the file holds a good half."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.options = {"g": "5", "preset": "ultrafast"}
        for index in range(100):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(colour_frame(index, 48, 64), "rgb24")))
        container.mux(stream.encode())
    return truncate(path, 0.6)


@pytest.mark.parametrize(("suffix", "options"), [("mkv", None), ("mp4", {"movflags": "faststart"})])
def test_a_file_cut_half_way_gives_what_is_there_and_then_says_that_it_breaks(tmp_path, suffix, options):
    path = write_cut(tmp_path / f"cut.{suffix}", options)
    frames = []
    with pytest.raises(SourceError, match=r"breaks off at .* of 4\.0 s|reading stopped") as caught:  # noqa: PT012
        for frame in VideoFile(path):
            frames.append(frame)  # noqa: PERF402 - what came before the break is the point
    assert caught.value.cause is Cause.CUT_OFF
    assert 10 < len(frames) < 90
    assert [frame.index for frame in frames] == list(range(len(frames)))


def test_damage_in_the_middle_loses_frames_and_not_the_file(tmp_path):
    path = write_clip(tmp_path / "a.ts", frames=100)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 600] = bytes(600)
    path.write_bytes(content)
    frames = list(VideoFile(path))
    assert 60 < len(frames) <= 100
    assert frames[-1].media_s == pytest.approx(99 / 25, abs=0.1)


def test_closing_early_stops_the_iteration(tmp_path):
    video = VideoFile(write_clip(tmp_path / "a.mp4"))
    taken = []
    for frame in video:
        taken.append(frame)
        if len(taken) == 3:
            video.close()
    assert len(taken) == 3
    VideoFile(tmp_path / "a.mp4").close()  # never iterated


class Released:
    """A container that remembers which threads closed it."""

    def __init__(self, container):
        self._container = container
        self.by = []

    def __getattr__(self, name):
        return getattr(self._container, name)

    def close(self):
        self.by.append(threading.current_thread().name)
        self._container.close()


def test_closing_from_another_thread_leaves_the_file_to_the_thread_that_decodes(tmp_path):
    video = VideoFile(write_clip(tmp_path / "a.mp4"))
    video._container = released = Released(video._container)
    at_work, go_on, decoder = threading.Event(), threading.Event(), video._frames

    def slow():
        at_work.set()
        assert go_on.wait(20)
        yield from decoder

    video._frames = slow()
    taken = []
    reader = threading.Thread(target=lambda: taken.extend(video), name="reader")
    reader.start()
    assert at_work.wait(20)
    video.close()
    assert released.by == []
    go_on.set()
    reader.join(20)
    assert released.by == ["reader"]
    assert len(taken) == 1


def test_closed_while_its_first_frame_is_fetched_the_file_is_released_once_by_one_of_the_two(tmp_path):
    path = write_clip(tmp_path / "a.mp4", frames=3)
    for _ in range(40):
        video = VideoFile(path)
        video._container = released = Released(video._container)
        together = threading.Barrier(2)

        def read(video=video, together=together):
            frames = iter(video)
            together.wait(20)
            list(frames)

        reader = threading.Thread(target=read, name="reader")
        reader.start()
        together.wait(20)
        video.close()
        reader.join(20)
        assert len(released.by) == 1
        assert list(video) == []  # closed is over, not broken


class TestPictureFolder:
    def test_pictures_come_in_natural_order_whatever_their_kind(self, tmp_path):
        red = np.zeros((20, 30, 3), np.uint8)
        red[..., 2] = 255  # OpenCV writes BGR
        cv2.imwrite(str(tmp_path / "dive2.png"), red)
        cv2.imwrite(str(tmp_path / "dive10.jpg"), np.zeros((25, 25), np.uint8))
        cv2.imwrite(str(tmp_path / "dive1.png"), np.dstack([red, np.full((20, 30), 255, np.uint8)]))
        cv2.imwrite(str(tmp_path / "dive3.bmp"), np.full((1, 1, 3), 9, np.uint8))
        (tmp_path / "dive4.jpg").write_bytes(b"broken")
        (tmp_path / "dive5.jpg").write_bytes(b"")
        (tmp_path / "dive6.png").write_bytes((tmp_path / "dive2.png").read_bytes()[:60])
        (tmp_path / "notes.txt").write_text("not a picture")
        (tmp_path / ".hidden.png").write_bytes(b"")
        lying = Image.fromarray(red[..., ::-1])
        turned = lying.getexif()
        turned[0x0112] = 6  # as displayed: a quarter turn clockwise
        lying.save(tmp_path / "dive7.jpg", exif=turned)
        lying.save(tmp_path / "dive8.mpo", save_all=True, append_images=[lying])
        Image.new("1", (20000, 15000)).save(tmp_path / "dive9.png")  # 300 megapixels in 40 kB
        with PictureFolder(tmp_path) as folder:
            frames = list(folder)
        assert [frame.picture.size_hw for frame in frames] == [(20, 30), (20, 30), (30, 20), (20, 30), (25, 25)]
        assert [frame.media_s for frame in frames] == [0.0, 1.0, 2.0, 3.0, 4.0]
        assert frames[1].picture.rgb()[0, 0].tolist() == [255, 0, 0]
        assert frames[0].picture.rgb()[0, 0].tolist() == [255, 0, 0]
        assert all(frame.picture.model_input(32).shape == (32, 32, 3) for frame in frames)
        reasons = dict(folder.skipped)
        assert reasons.keys() == {"dive3.bmp", "dive4.jpg", "dive5.jpg", "dive6.png", "dive9.png", "notes.txt"}
        assert "megapixels" in reasons["dive9.png"]
        assert "1 x 1" in reasons["dive3.bmp"]

    def test_an_empty_or_missing_folder_is_refused(self, tmp_path):
        with pytest.raises(SourceError, match="no picture in this folder"):
            PictureFolder(tmp_path)
        with pytest.raises(SourceError, match="no such"):
            PictureFolder(tmp_path / "gone")
        (tmp_path / "a.jpg").write_bytes(b"broken")
        with pytest.raises(SourceError, match="none of its 1 pictures"):
            PictureFolder(tmp_path)


def test_a_path_opens_as_what_it_is(tmp_path):
    clip = write_clip(tmp_path / "a.mp4")
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((24, 24, 3), np.uint8))
    assert isinstance(open_recorded(clip), VideoFile)
    assert isinstance(open_recorded(tmp_path), PictureFolder)


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class TestPaced:
    def test_it_plays_on_the_clock_stamps_capture_and_goes_on_over_the_rounds(self, tmp_path):
        path = write_clip(tmp_path / "a.mp4", frames=5, rate=100)
        source = Paced(lambda: VideoFile(path, name="reef"), loop=True)
        frames = []
        for frame in source:
            frames.append(frame)
            if len(frames) == 12:
                source.close()
        assert [frame.index for frame in frames] == list(range(12))
        assert [frame.media_s for frame in frames] == pytest.approx([k / 100 for k in range(12)], abs=0.002)
        captured = [frame.captured_s for frame in frames]
        assert captured == sorted(captured)
        assert captured[-1] - captured[0] >= 0.1
        assert {frame.utc_source for frame in frames} == {"clock"}
        assert source.name == "reef"

    def test_without_loop_it_ends(self, tmp_path):
        path = write_clip(tmp_path / "a.mp4", frames=5, rate=100)
        assert len(list(Paced(lambda: VideoFile(path), loop=False))) == 5

    def test_one_that_breaks_off_is_played_up_to_there_again_and_again_and_the_damage_counted(self, tmp_path, caplog):
        path = write_cut(tmp_path / "cut.mkv")
        with pytest.raises(SourceError):
            list(Paced(lambda: VideoFile(path), loop=False, clock=count(0.0, 10.0).__next__))  # late: nothing waits
        source = Paced(lambda: VideoFile(path, name="reef"), loop=True, clock=count(0.0, 10.0).__next__)
        frames = []
        for frame in source:
            frames.append(frame)
            if len(frames) == 200:
                source.close()
        assert [frame.index for frame in frames] == list(range(200))
        assert all(before.media_s < after.media_s for before, after in pairwise(frames))
        assert source.damaged >= 2
        assert len(caplog.records) == 1

    def test_one_that_is_gone_when_the_next_round_begins_fails(self, tmp_path):
        path = write_clip(tmp_path / "a.mp4", frames=3)
        taken = iter(Paced(lambda: VideoFile(path), loop=True, clock=count(0.0, 10.0).__next__))
        next(taken)
        path.unlink()
        with pytest.raises(SourceError, match="no such file"):
            list(taken)

    def test_a_reader_far_behind_is_not_chased(self):
        clock = FakeClock()
        source = Paced(lambda: TestScene(size_hw=(36, 64), frames=10), loop=False, clock=clock)
        taken = iter(source)
        next(taken)
        clock.now += 60.0  # the machine slept; without a new schedule the next frames would come in one burst
        assert next(taken).captured_s == 160.0
        waiting = threading.Thread(target=lambda: next(taken, None))
        waiting.start()
        waiting.join(0.02)
        assert waiting.is_alive()  # the third frame is due 40 ms after the second
        waiting.join(5)
        source.close()

    def test_closing_wakes_it_while_it_waits(self):
        source = Paced(lambda: TestScene(size_hw=(36, 64)), loop=False, clock=FakeClock())
        taken, ended = iter(source), threading.Event()
        next(taken)

        def drain():
            for _ in taken:
                pass
            ended.set()

        thread = threading.Thread(target=drain)
        thread.start()
        source.close()
        assert ended.wait(5)
        thread.join(5)

    def test_a_file_that_cannot_be_opened_fails_at_once(self, tmp_path):
        with pytest.raises(SourceError):
            Paced(lambda: VideoFile(tmp_path / "gone.mp4"), loop=True)
