"""Real cameras: one that speaks RTSP, one that sends JPEGs over HTTP, and drivers that misbehave."""

import contextlib
import logging
import os
import socket
import subprocess
import threading
import time
from fractions import Fraction
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, groupby

import av
import cv2
import numpy as np
import pytest
from clips import write_clip
from rtsp_server import RtspCamera, need_gstreamer

from realtime.cameras import NetworkStream, UsbCamera
from realtime.errors import CameraError, Cause
from realtime.live import LiveRunner, LiveStatus
from realtime.reconnecting import Patience, Reconnecting

WAIT_S = 40.0  # machines that test are busy; nothing here takes long by itself
SECRET = "hUnt3r-Zw0"
# Quick enough for a test, slow enough not to call a camera silent because this machine is busy.
PATIENCE = Patience(answer_s=6, stall_s=1, silent_s=2.5, first_s=0.1, most_s=0.4, lost_s=0.2)
NETWORK = {"open_s": 5.0, "read_s": 4.0}


class Live:
    """A runner with one camera, and everything it said of it."""

    def __init__(self, engine, open_camera, patience=PATIENCE):
        self.said: list[LiveStatus] = []
        self.results = []
        self.changed = threading.Condition()
        self.runner = LiveRunner(engine, {}, self.on_result, self.on_status)
        self.runner.attach("reef", lambda: Reconnecting(open_camera, name="reef", kind="stream", patience=patience))
        self.runner.start()

    def on_result(self, frame, result, status):
        with self.changed:
            self.results.append(result)
            self.changed.notify_all()

    def on_status(self, name, status):
        with self.changed:
            self.said.append(status)
            self.changed.notify_all()

    @property
    def status(self) -> LiveStatus:
        return self.runner.status()["reef"]

    def until(self, state, *, cause="", after=0) -> int:
        """Waits for a state said after the ``after``-th; how many were said by then."""

        def found():
            return [
                k for k, status in enumerate(self.said) if k >= after and (status.state, status.cause) == (state, cause)
            ]

        with self.changed:
            assert self.changed.wait_for(found, WAIT_S), self.said
            return found()[0] + 1

    def label(self, index) -> None:
        """Waits for a new result with this label."""
        with self.changed:
            seen = len(self.results)
            reached = lambda: any(int(r.probabilities.argmax()) == index for r in self.results[seen:])  # noqa: E731
            assert self.changed.wait_for(reached, WAIT_S), self.said


@contextlib.contextmanager
def live(engine, open_camera, **options):
    watched = Live(engine, open_camera, **options)
    try:
        yield watched
    finally:
        began_s = time.monotonic()
        watched.runner.stop(timeout=3.0)
        assert time.monotonic() - began_s < 3.5
        leftover = [t for t in threading.enumerate() if t.name in ("capture-reef", "inference")]
        assert not leftover  # a thread inside ffmpeg or a driver may need its time-out, ours never do


def stream(url, **options):
    return lambda: NetworkStream(url, name="reef", **{**NETWORK, **options})


def refusal(url, **options) -> CameraError:
    with pytest.raises(CameraError) as caught:
        NetworkStream(url, name="reef", **{**NETWORK, **options})
    return caught.value


@pytest.fixture(scope="module")
def gstreamer():
    need_gstreamer()


def test_an_rtsp_camera_is_seen_lost_when_killed_and_back_as_another_one(engine, gstreamer):
    """Killed, and restarted with another picture at another size on the same port."""
    with RtspCamera(pattern="red", size="160x120") as camera, live(engine, stream(camera.url)) as watched:
        said = watched.until("live")
        watched.label(0)
        assert (watched.status.size_hw, watched.status.kind) == ((120, 160), "stream")
        camera.kill()
        said = watched.until("retrying", cause="refused", after=said)
        camera.start(pattern="green", size="320x240")
        watched.until("live", after=said)
        watched.label(1)
        status = watched.status
        assert (status.size_hw, status.reconnects, status.reason) == ((240, 320), 1, "")
        times = [result.media_s for result in watched.results]
        assert times == sorted(set(times))
        assert all(result.utc_source == "clock" and result.captured_s is not None for result in watched.results)
        indices = [result.index for result in watched.results]
        assert indices == sorted(set(indices))


def test_an_rtsp_camera_that_freezes_is_stalled_and_goes_on(engine, gstreamer):
    with RtspCamera() as camera, live(engine, stream(camera.url)) as watched:
        said = watched.until("live")
        camera.freeze()
        said = watched.until("stalled", cause="silent", after=said)
        camera.thaw()
        watched.until("live", after=said)
        watched.label(0)
        assert watched.status.stalls == 1


def test_an_rtsp_camera_frozen_for_long_is_left_and_found_again(engine, gstreamer):
    with RtspCamera() as camera, live(engine, stream(camera.url)) as watched:
        said = watched.until("live")
        camera.freeze()
        said = watched.until("retrying", cause="silent", after=said)
        camera.thaw()
        watched.until("live", after=said)
        assert watched.status.reconnects == 1


def test_a_camera_that_is_not_there_at_the_start_is_found_when_it_comes(engine, gstreamer):
    with RtspCamera() as camera:
        camera.kill()
        with live(engine, stream(camera.url)) as watched:
            said = watched.until("retrying", cause="refused")
            camera.start()
            watched.until("live", after=said)
            assert watched.status.reconnects == 0


def test_a_wrong_password_is_told_and_never_shown(engine, gstreamer, caplog, capfd):
    """The right one works; the wrong one is in no status, no log line and nothing that ffmpeg prints."""
    caplog.set_level(logging.DEBUG)
    with RtspCamera(user="viewer", password=SECRET) as camera:
        with live(engine, stream(camera.url_with.format(f"viewer:{SECRET}"))) as watched:
            watched.until("live")
        with live(engine, stream(camera.url_with.format(f"viewer:{SECRET}x"))) as watched:
            watched.until("retrying", cause="unauthorised")
            status = watched.status
        with live(engine, stream(camera.url)) as anonymous:
            anonymous.until("retrying", cause="unauthorised")
        error = refusal(camera.url_with.format(f"viewer:{SECRET}x"))
    assert error.cause is Cause.UNAUTHORISED
    assert error.__cause__ is None
    assert error.__context__ is None
    out, err = capfd.readouterr()
    for text in (caplog.text, out, err, repr(status), repr(watched.said), str(error)):
        assert SECRET not in text
    assert "rtsp://***@127.0.0.1" in caplog.text


def test_who_is_slower_than_the_camera_sees_fewer_frames_and_not_older_ones(gstreamer):
    slow = threading.Event()  # never set: waiting for it stands for a decoder that takes its time
    with RtspCamera(size="64x48") as camera, NetworkStream(camera.url, name="reef", **NETWORK) as stream:
        shown_s, seen_s = [], []
        for frame in stream:
            if frame.picture._frame.time is None:  # RTSP's first picture may have no stamp
                continue
            shown_s.append(frame.picture._frame.time)
            seen_s.append(time.monotonic())
            if seen_s[-1] - seen_s[0] > 6.0:
                break
            slow.wait(0.12)  # of a camera that gives 25 a second: a third would be seen, four seconds late by now
    assert stream.late > 30
    behind_s = (seen_s[-1] - seen_s[0]) - (shown_s[-1] - shown_s[0])
    assert behind_s < 2.0
    assert frame.captured_s <= seen_s[-1]


def test_an_encrypted_rtsp_camera_is_seen(gstreamer, tmp_path):
    pem = tmp_path / "camera.pem"
    ask = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=camera -keyout key.pem -out certificate.pem"
    subprocess.run(ask.split(), cwd=tmp_path, capture_output=True, check=True)
    pem.write_text((tmp_path / "key.pem").read_text() + (tmp_path / "certificate.pem").read_text())
    with (
        RtspCamera(certificate=pem) as camera,
        NetworkStream(camera.url.replace("rtsp:", "rtsps:"), name="reef", **NETWORK) as stream,
    ):
        frames = [frame for frame, _ in zip(stream, range(5), strict=False)]
    assert all(frame.picture.model_input(32)[0, 0, 0] > 200 for frame in frames)


def test_a_path_that_the_camera_does_not_have_is_told(gstreamer):
    with RtspCamera() as camera:
        assert refusal(camera.url + "/other").cause is Cause.NOT_FOUND


def test_a_camera_that_ends_its_stream_is_told(gstreamer):
    with RtspCamera(frames=30) as camera, stream(camera.url)() as source:
        frames, error = [], None
        try:
            frames.extend(iter(source))
        except CameraError as caught:
            error = caught
    assert len(frames) >= 20
    assert error is not None
    assert error.cause in (Cause.ENDED, Cause.GONE)
    steps = np.diff([frame.media_s for frame in frames[2:]])
    assert np.median(steps) == pytest.approx(0.04, abs=0.002)  # the camera's own stamps


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_closed_port_is_a_refusal(scheme):
    assert refusal(f"{scheme}://u:{SECRET}@127.0.0.1:{closed_port()}/x").cause is Cause.REFUSED


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_what_never_answers_is_a_time_out(scheme):
    with socket.create_server(("127.0.0.1", 0)) as hole:
        began_s = time.monotonic()
        assert refusal(f"{scheme}://127.0.0.1:{hole.getsockname()[1]}/x", open_s=0.5).cause is Cause.TIMEOUT
        assert time.monotonic() - began_s < 10


def test_a_name_that_nobody_knows_is_unreachable():
    assert refusal("rtsp://no-such-camera.invalid/x").cause is Cause.UNREACHABLE


def test_stopping_does_not_wait_for_a_camera_that_never_answers(engine):
    """``live`` checks that it takes less than three seconds; the connection has a minute."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        hole.settimeout(WAIT_S)
        slow = Patience(answer_s=60)
        url = f"rtsp://127.0.0.1:{hole.getsockname()[1]}/x"
        with live(engine, stream(url, open_s=60.0), patience=slow) as watched:
            accepted, _ = hole.accept()
            assert watched.status.state == "connecting"
        assert watched.status.state == "stopped"
        accepted.close()


def test_a_playlist_or_redirect_cannot_reach_a_file_of_this_machine(tmp_path):
    """Both a redirect and a playlist that name a local video are refused; by HTTP the same playlist plays."""
    clip = write_clip(tmp_path / "private.ts", frames=25)
    with JpegCamera() as camera:
        camera.answers["/redirect"] = (302, "text/plain", f"file://{clip}", b"")
        playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
        for path, place in (("/bad.m3u8", f"file://{clip}"), ("/good.m3u8", "/clip.ts")):
            camera.answers[path] = (200, "application/vnd.apple.mpegurl", "", playlist.format(place).encode())
        camera.answers["/clip.ts"] = (200, "video/mp2t", "", clip.read_bytes())
        for path in ("/redirect", "/bad.m3u8"):
            assert refusal(camera.url(path)).cause is Cause.NOT_VIDEO
        with stream(camera.url("/good.m3u8"))() as source:
            frames = list(source)
    assert len(frames) == 25
    assert frames[-1].captured_s - frames[0].captured_s > 0.8  # at its own pace, not as fast as it can be had


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (401, Cause.UNAUTHORISED),
        (403, Cause.UNAUTHORISED),
        (404, Cause.NOT_FOUND),
        (410, Cause.UNAVAILABLE),
        (503, Cause.UNAVAILABLE),
        (200, Cause.NOT_VIDEO),
    ],
)
def test_what_a_web_server_answers_is_told_apart(code, cause):
    with JpegCamera() as camera:
        camera.answers["/x"] = (code, "text/html", "", b"<html>please log in</html>" * 200)
        assert refusal(camera.url("/x")).cause is cause


class JpegCamera:
    """Motion-JPEG over HTTP, 25 pictures a second at most, as cheap cameras send it; clear `flowing`: silence."""

    def __init__(self):
        self.answers = {}
        self.flowing = threading.Event()
        self.flowing.set()
        self.colour = (10, 10, 250)  # BGR
        self.size = (48, 64)
        self.over = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path in camera.answers:
                    code, kind, location, body = camera.answers[self.path]
                    self.send_response(code)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(body)))
                    if location:
                        self.send_header("Location", location)
                    self.end_headers()
                    self.wfile.write(body)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                with contextlib.suppress(OSError):
                    while not camera.over.wait(0.04):
                        if camera.flowing.wait(0.2):
                            self.wfile.write(camera.part())

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def part(self) -> bytes:
        jpeg = cv2.imencode(".jpg", np.full((*self.size, 3), self.colour, np.uint8))[1].tobytes()
        return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)

    def url(self, path="/stream") -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self._server.shutdown()
        self._thread.join(WAIT_S)
        self._server.server_close()


def test_a_jpeg_camera_is_seen_stalls_and_goes_on(engine):
    with JpegCamera() as camera, live(engine, stream(camera.url())) as watched:
        said = watched.until("live")
        watched.label(0)
        camera.flowing.clear()
        said = watched.until("stalled", cause="silent", after=said)
        camera.flowing.set()
        watched.until("live", after=said)
        watched.label(0)


def test_a_jpeg_camera_may_change_its_size_while_it_runs(engine):
    with JpegCamera() as camera, live(engine, stream(camera.url())) as watched:
        watched.label(0)
        camera.size, camera.colour = (96, 128), (10, 250, 10)
        watched.label(1)
        assert watched.status.size_hw == (96, 128)
        assert [status.state for status in watched.said if status.state not in ("connecting", "live")] == []


def test_the_time_of_jpegs_is_that_of_the_clock_whatever_rate_ffmpeg_makes_up():
    with JpegCamera() as camera, stream(camera.url())() as source:
        frames = [frame for frame, _ in zip(source, range(20), strict=False)]
    first = frames[0]
    for frame in frames:
        assert frame.media_s == pytest.approx(frame.captured_s - first.captured_s, abs=0.01)


def test_a_recording_on_a_web_server_plays_at_its_own_pace_and_ends(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", frames=13)
    with JpegCamera() as camera:
        camera.answers["/clip.mp4"] = (200, "video/mp4", "", clip.read_bytes())
        with stream(camera.url("/clip.mp4"))() as source:
            frames = list(source)
    assert len(frames) == 13
    played_s = frames[-1].captured_s - frames[0].captured_s
    assert played_s >= 0.9 * (frames[-1].media_s - frames[0].media_s) > 0.3


def test_a_camera_whose_pixels_are_not_square_is_shown_as_it_films_also_after_a_change(tmp_path):
    film, sizes = b"", []
    for aspect, size_hw in ((Fraction(4, 3), (48, 64)), (Fraction(8, 9), (96, 64)), (Fraction(1), (48, 48))):
        path = tmp_path / f"{aspect.numerator}.h264"
        film += write_clip(path, frames=6, size_hw=size_hw, aspect=aspect).read_bytes()
    with JpegCamera() as camera:
        camera.answers["/film.h264"] = (200, "video/h264", "", film)
        with stream(camera.url("/film.h264"))() as source, pytest.raises(CameraError, match="ended"):
            sizes.extend(frame.picture.rgb().shape[:2] for frame in source)
    assert [size for size, _ in groupby(sizes)] == [(48, 85), (108, 64), (48, 48)]


def test_a_live_playlist_is_watched_from_segment_to_segment_at_its_own_pace(tmp_path):
    rate, stop = 10, threading.Event()

    def film():
        options = {"hls_time": "1", "hls_list_size": "4", "hls_flags": "delete_segments"}
        with av.open(str(tmp_path / "live.m3u8"), "w", format="hls", options=options) as out:
            stream = out.add_stream("libx264", rate=rate, options={"tune": "zerolatency"})
            stream.width, stream.height, stream.pix_fmt, stream.codec_context.gop_size = 64, 48, "yuv420p", rate
            begun_s = time.monotonic()
            for number in range(40 * rate):
                if stop.wait(max(0.0, begun_s + number / rate - time.monotonic())):
                    break
                shade = 250 if number < 2.5 * rate else 20
                picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8), format="rgb24")
                picture.pts, picture.time_base = number, Fraction(1, rate)
                out.mux(stream.encode(picture))
            out.mux(stream.encode(None))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    camera = threading.Thread(target=film)
    camera.start()
    try:
        with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            patience = time.monotonic() + WAIT_S
            while not (tmp_path / "live.m3u8").exists():
                assert time.monotonic() < patience
                stop.wait(0.05)
            with NetworkStream(f"http://127.0.0.1:{server.server_port}/live.m3u8", name="reef", **NETWORK) as stream:
                frames = []
                for frame in stream:
                    frames.append(frame)
                    if frame.picture.model_input(32).max() < 60:  # filmed when the list was already being read
                        break
            server.shutdown()
    finally:
        stop.set()
        camera.join(WAIT_S)
    assert stream.info.duration_s is None
    assert np.diff([frame.media_s for frame in frames]) == pytest.approx(1 / rate, abs=0.002)
    assert frames[-1].captured_s - frames[0].captured_s > 0.8 * (frames[-1].media_s - frames[0].media_s)


class FakeCapture:
    """A VideoCapture whose device does what the test says.

    No subclass of the real one: freeing an instance of such a class corrupts the heap (opencv-python 5.0 frees it as if
    it were no object of the garbage collector).
    """

    def __init__(self, script, opens=True):
        self._script, self._opens = iter(script), opens
        self.released = threading.Event()

    def open(self, device, api):
        if isinstance(self._opens, threading.Event):
            assert self._opens.wait(WAIT_S)
            return True
        return self._opens

    def read(self):
        item = next(self._script, False)
        if isinstance(item, threading.Event):
            assert item.wait(WAIT_S)
            return False, None
        if isinstance(item, Exception):
            raise item
        return (False, None) if item is False else (True, np.full((48, 64, 3), item, np.uint8))

    def set(self, key, value):
        return True

    def get(self, key):
        return 0.0

    def release(self):
        self.released.set()


RED, GREEN = (10, 10, 250), (10, 250, 10)  # BGR
DEVICE = os.devnull  # something that exists and may be opened, as /dev/video0 would be


def usb(*captures):
    made = iter(captures)
    return lambda: UsbCamera(DEVICE, name="reef", capture=lambda: next(made))


def endless(colour):
    while True:
        yield colour
        time.sleep(0.001)  # a device has a rate; without one the test would only fight for the interpreter


def test_a_plugged_in_camera_is_seen_and_an_empty_read_is_counted(engine):
    capture = FakeCapture([False, False, RED, *[RED] * 3, False, *[RED] * 3, threading.Event()])
    with live(engine, usb(capture)) as watched:
        watched.until("live")
        with watched.changed:
            assert watched.changed.wait_for(lambda: watched.results, WAIT_S)
        assert int(watched.results[0].probabilities.argmax()) == 0
        assert watched.status.size_hw == (48, 64)
        assert watched.status.damaged >= 2


def test_a_camera_that_is_unplugged_is_lost_and_found_when_plugged_in(engine):
    unplugged, back = FakeCapture([RED] * 5), FakeCapture(endless(GREEN))
    with live(engine, usb(unplugged, FakeCapture([], opens=False), back)) as watched:
        said = watched.until("retrying", cause="gone")
        said = watched.until("retrying", cause="unavailable", after=said)
        watched.until("live", after=said)
        watched.label(1)
        assert unplugged.released.is_set()
    assert back.released.wait(WAIT_S)


def test_a_driver_that_raises_costs_a_picture(engine):
    trouble = [cv2.error("Requested pixel format is not supported"), RuntimeError("the bus was reset"), SystemError()]
    with live(engine, usb(FakeCapture(chain([RED, *trouble], endless(GREEN))))) as watched:
        watched.label(1)
        assert watched.status.damaged >= 2
        assert "retrying" not in [status.state for status in watched.said]


def test_a_driver_that_goes_on_raising_is_lost_and_the_camera_tried_again(engine):
    def broken():
        yield RED
        while True:
            yield cv2.error("(-215:Assertion failed) !_src.empty()")

    with live(engine, usb(FakeCapture(broken()), FakeCapture(endless(GREEN)))) as watched:
        said = watched.until("retrying", cause="gone")
        watched.until("live", after=said)
        watched.label(1)


def test_a_driver_that_hangs_in_open_is_told_and_left_behind(engine):
    release = threading.Event()
    stuck, good = FakeCapture([], opens=release), FakeCapture(endless(RED))
    quick = Patience(answer_s=0.3, first_s=0.05)
    with live(engine, usb(stuck, good), patience=quick) as watched:
        watched.until("retrying", cause="timeout")
        watched.until("live")
        release.set()
        assert stuck.released.wait(WAIT_S)


def test_a_driver_that_hangs_in_read_is_stalled_and_left_behind(engine):
    release = threading.Event()
    stuck, good = FakeCapture([RED, release]), FakeCapture(endless(GREEN))
    with live(engine, usb(stuck, good)) as watched:
        said = watched.until("stalled", cause="silent")
        said = watched.until("retrying", cause="silent", after=said)
        watched.until("live", after=said)
        watched.label(1)
        release.set()
        assert stuck.released.wait(WAIT_S)


def test_a_camera_that_does_not_exist_is_told_by_name():
    with pytest.raises(CameraError, match=r"there is no camera /dev/video987$") as caught:
        UsbCamera(987, name="scope")
    assert caught.value.cause is Cause.NOT_FOUND


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_device_without_permission_is_told(tmp_path):
    (device := tmp_path / "video0").touch(mode=0o000)
    with pytest.raises(CameraError, match="group `video`"):
        UsbCamera(str(device), name="scope")
