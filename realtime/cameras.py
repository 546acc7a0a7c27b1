"""Cameras: a stream from the network, or one plugged in. Each connects once; realtime/reconnecting.py does it again.

Both may block in calls that nothing can interrupt (a name server, a driver), which is why nobody but a thread of
Reconnecting's opens or iterates them.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import av
import cv2
import numpy as np

from realtime.addresses import redact
from realtime.backlog import Backlog
from realtime.errors import CameraError, Cause
from realtime.frames import Frame, Picture
from realtime.mediaclock import MediaClock
from realtime.pictures import ArrayPicture, VideoPicture, displayed_hw, pixel_aspect_now
from realtime.sources import SourceInfo

log = logging.getLogger(__name__)

OPEN_S, READ_S = 5.0, 5.0
DIAGNOSIS_S = 1.0
EMPTY_READS = 10  # so many in a row and a plugged-in camera is gone; some give one or two while they warm up
ASK_HW = (720, 1280)
KEY_FRAME_S = 10.0  # a stream without a key frame for so long has none, and mends its picture by and by

# What a stream may open in turn: a playlist or a redirect must not reach a file of this machine.
_PROTOCOLS = {
    "rtsp": "tcp,udp,rtp",
    "rtsps": "tls,tcp,udp,rtp,srtp",
    "http": "http,https,tcp,tls,httpproxy,crypto",
    "https": "http,https,tcp,tls,httpproxy,crypto",
}


class _Camera:
    """What both kinds share: numbering, stamping and the end.

    damaged: what came and could not be decoded. late: frames that were not decoded because newer ones had come.
    """

    info: SourceInfo

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.name = name
        self.damaged = 0
        self.late = 0
        self._clock = clock
        self._media = MediaClock()
        self._index = 0
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the iteration at the next frame, or when the read time-out is over; the iterating thread cleans up."""
        self._stop.set()

    def _frame(self, picture: Picture, stamp_s: float | None, late_s: float = 0.0) -> Frame:
        captured_s = self._clock() - late_s
        frame = Frame(
            source=self.name,
            index=self._index,
            media_s=self._media.step(stamp_s, captured_s),
            picture=picture,
            utc=datetime.now(UTC) - timedelta(seconds=late_s),
            utc_source="clock",
            captured_s=captured_s,
        )
        self._index += 1
        return frame


class NetworkStream(_Camera):
    """A stream by RTSP, or by HTTP as MJPEG, MPEG-TS or HLS; passwords in ``url`` stay there.

    open_s, read_s: seconds for connecting until the stream is known, and for each read. Whatever delivers faster than
    it was recorded (HLS, a file on a web server) is held to its own pace. Where decoding is slower than the camera, or
    the network held frames up, frames are let go by until the picture is of now again. Iterating ends well at the end
    of a recording only. Raises CameraError, with its cause, from the constructor and from the iterator.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        open_s: float = OPEN_S,
        read_s: float = READ_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name, clock)
        self._url = url
        self._read_s = read_s
        log.debug("source %s: connecting to %s", name, redact(url))
        self._container = self._open(open_s)
        playable = [stream for stream in self._container.streams.video if "attached_pic" not in str(stream.disposition)]
        if not playable or playable[0].codec_context is None:
            self._container.close()
            raise CameraError(name, Cause.NOT_VIDEO, "there is no video in this stream that can be decoded")
        self._stream = playable[0]
        self._stream.thread_type = "SLICE"  # threads by frame would hold back a frame per thread
        formats = self._container.format.name.split(",")
        recorded_s = self._container.duration / av.time_base if self._container.duration else None
        self._recording = recorded_s is not None and "rtsp" not in formats
        self._paced = self._recording or "hls" in formats
        self._stamped = "mpjpeg" not in formats  # its stamps are made up, 25 to the second
        rate = self._stream.guessed_rate or self._stream.average_rate
        self.info = SourceInfo(
            kind="stream",
            size_hw=displayed_hw(self._stream.height, self._stream.width, pixel_aspect_now(self._stream)),
            rate=float(rate) if rate and self._stamped else None,
            duration_s=recorded_s if self._recording else None,
            codec=self._stream.codec_context.name,
        )

    def __iter__(self) -> Iterator[Frame]:
        try:
            yield from self._read()
        finally:
            self._container.close()

    def _read(self) -> Iterator[Frame]:
        begun_s, first_s = self._clock(), None
        backlog, skipping_since_s = Backlog(), None
        packets = self._container.demux()  # of every stream: one with sound but no picture must not hold us in there
        while not self._stop.is_set():
            error = None
            asked_s = self._clock()
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError, ValueError) as caught:
                error = _broken(self.name, caught, self._read_s)
            if error is not None:
                raise error  # out here, so that no traceback shows ffmpeg's text, which holds the address
            if packet is None:
                if self._recording:
                    return
                raise CameraError(self.name, Cause.ENDED, "the camera ended the stream")
            if packet.stream is not self._stream:
                continue
            if self._stamped and not self._paced and packet.dts is not None and packet.time_base is not None:
                now_s = self._clock()
                if backlog.step(float(packet.dts * packet.time_base), now_s, now_s - asked_s):
                    skipping_since_s = skipping_since_s if skipping_since_s is not None else now_s
                # What follows a gap can be decoded from the next key frame on.
                elif packet.is_keyframe or (skipping_since_s is not None and now_s - skipping_since_s > KEY_FRAME_S):
                    skipping_since_s = None
                if skipping_since_s is not None and not packet.is_keyframe:
                    self.late += 1
                    continue
            try:
                decoded = [picture for picture in packet.decode() if isinstance(picture, av.VideoFrame)]
            except (av.error.FFmpegError, ValueError):
                self.damaged += 1
                continue
            aspect = pixel_aspect_now(self._stream)
            for picture in decoded:
                stamp_s = picture.time if self._stamped else None
                if self._paced and stamp_s is not None:
                    first_s = stamp_s if first_s is None else first_s
                    early_s = begun_s + (stamp_s - first_s) - self._clock()
                    if early_s < -1.0 or early_s > 60.0:  # late, or its stamps jumped: the schedule moves
                        begun_s, first_s = self._clock(), stamp_s
                    elif self._stop.wait(max(0.0, early_s)):
                        return
                yield self._frame(VideoPicture(picture, aspect), stamp_s, backlog.late_s)

    def _open(self, open_s: float) -> av.container.InputContainer:
        scheme = urlsplit(self._url).scheme.lower()
        micros = str(int(open_s * 1e6))
        options = {
            "protocol_whitelist": _PROTOCOLS[scheme],
            # Without counting frames to learn the rate the first picture is there at once, not after a second.
            "fpsprobesize": "0",
            "analyzeduration": "1000000",
            "flags": "low_delay",
            "timeout": micros,
        }
        if scheme.startswith("rtsp"):
            options["rtsp_flags"] = "prefer_tcp"  # UDP loses packets, and a heat map of torn blocks is worth nothing
        started_s = time.monotonic()
        try:
            return av.open(self._url, options=options, timeout=(open_s, self._read_s), metadata_errors="replace")
        except (av.error.FFmpegError, OSError, ValueError) as caught:
            error = _refusal(self.name, self._url, caught, late=time.monotonic() - started_s >= 0.95 * open_s)
        raise error


class UsbCamera(_Camera):
    """A camera that the system knows: a number, or a device such as `/dev/video2`.

    Asks for Motion-JPEG at 1280 x 720, without which most cameras give five frames a second over USB, and takes what
    comes. capture: makes the VideoCapture. Raises CameraError, with its cause, from the constructor and the iterator.
    """

    def __init__(
        self,
        device: int | str,
        *,
        name: str,
        capture: Callable[[], Any] = cv2.VideoCapture,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name, clock)
        _check_device(name, device)
        self._capture = capture()
        if not self._capture.open(device, cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY):
            self._capture.release()
            raise CameraError(
                name,
                Cause.UNAVAILABLE,
                "the camera cannot be opened; another program may be using it, or it is no camera",
            )
        height, width = ASK_HW
        for key, value in (
            (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        ):
            self._capture.set(key, value)
        size_hw = (
            int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        )
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.info = SourceInfo(kind="camera", size_hw=size_hw, rate=rate if rate > 0 else None)

    def __iter__(self) -> Iterator[Frame]:
        empty = 0
        try:
            while not self._stop.is_set():
                taken = self._read()
                if taken is None:
                    empty, self.damaged = empty + 1, self.damaged + 1
                    if empty >= EMPTY_READS:
                        raise CameraError(self.name, Cause.GONE, "the camera gives no more pictures; is it plugged in?")
                    continue
                empty = 0
                yield self._frame(*taken)
        finally:
            self._capture.release()

    def _read(self) -> tuple[ArrayPicture, float | None] | None:
        """The next picture with its time; None where there is none. A driver in trouble may raise anything."""
        try:
            got, bgr = self._capture.read()
            if not got:
                return None
            stamp_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1e3
            return ArrayPicture(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)), stamp_s or None
        except Exception:
            log.debug("source %s: the camera's driver", self.name, exc_info=True)
            return None


def _check_device(name: str, device: int | str) -> None:
    """Tells apart what OpenCV reports as "not opened". Elsewhere than on Linux there is no file to look at."""
    if sys.platform != "linux":
        return
    path = Path(f"/dev/video{device}" if isinstance(device, int) else device)
    if not path.exists():
        raise CameraError(name, Cause.NOT_FOUND, f"there is no camera {path}")
    if not os.access(path, os.R_OK | os.W_OK):
        raise CameraError(
            name, Cause.UNAUTHORISED, f"no permission to use {path}; members of the group `video` have it"
        )


def _refusal(name: str, url: str, error: Exception, *, late: bool) -> CameraError:
    """Why a stream did not open. late: it took as long as it was allowed to."""
    match error:
        case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
            return CameraError(name, Cause.UNAUTHORISED, "the camera does not accept this user name and password")
        case av.error.HTTPNotFoundError():
            return CameraError(name, Cause.NOT_FOUND, "the camera has no stream at this path")
        case av.error.HTTPServerError():
            return CameraError(name, Cause.UNAVAILABLE, "the camera reports an error of its own")
        case av.error.HTTPClientError() | av.error.HTTPError():
            return CameraError(name, Cause.UNAVAILABLE, "the camera turns the request down")
    if found := _by_number(name, error):
        return found
    if late:
        return CameraError(name, Cause.TIMEOUT, "the camera does not answer in time")
    # ffmpeg says "input/output error" or "invalid data" for an unknown name and for much else: look for ourselves.
    if found := _unreachable(name, url):
        return found
    return CameraError(name, Cause.NOT_VIDEO, "what comes from this address is not a video that can be read")


def _broken(name: str, error: Exception, read_s: float) -> CameraError:
    """Why an open stream broke."""
    if isinstance(error, (av.error.ExitError, TimeoutError)) or getattr(error, "errno", None) == errno.ETIMEDOUT:
        return CameraError(name, Cause.SILENT, f"nothing has come for {read_s:.0f} s")
    if isinstance(error, av.error.InvalidDataError):
        return CameraError(name, Cause.NOT_VIDEO, "what comes is not a video that can be read")
    return _by_number(name, error) or CameraError(name, Cause.GONE, "the connection broke")


def _by_number(name: str, error: Exception) -> CameraError | None:
    match getattr(error, "errno", None):
        case errno.ECONNREFUSED:
            return CameraError(name, Cause.REFUSED, "the connection is refused; is the camera on, and the port right?")
        case errno.EHOSTUNREACH | errno.ENETUNREACH | errno.ENETDOWN | errno.EHOSTDOWN:
            return CameraError(name, Cause.UNREACHABLE, "there is no way to the camera's address")
        case errno.ETIMEDOUT:
            return CameraError(name, Cause.TIMEOUT, "the camera does not answer in time")
        case errno.ECONNRESET | errno.EPIPE | errno.ECONNABORTED:
            return CameraError(name, Cause.GONE, "the connection broke")
    return None


def _unreachable(name: str, url: str) -> CameraError | None:
    parts = urlsplit(url)
    port = parts.port or {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}[parts.scheme.lower()]
    try:
        socket.create_connection((parts.hostname or "", port), timeout=DIAGNOSIS_S).close()
    except socket.gaierror:
        return CameraError(name, Cause.UNREACHABLE, "no machine of this name is known")
    except TimeoutError:
        return CameraError(name, Cause.TIMEOUT, "the camera does not answer in time")
    except OSError as error:
        return _by_number(name, error) or CameraError(
            name, Cause.UNREACHABLE, "there is no way to the camera's address"
        )
    return None
