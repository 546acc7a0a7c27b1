"""Where frames come from: a recorded video, a folder of pictures, the test scene, or one of these played live.

A source is a context manager that is iterated once. Iterating yields every frame in order and ends in one of two
ways: it stops (the end), or it raises SourceError after the last good frame (the break).
"""

from __future__ import annotations

import itertools
import logging
import re
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import av
import numpy as np
from numpy.typing import NDArray

from realtime.decode import EXTENSIONS, UndecodableError, decode, picture_bytes, strict_decoding
from realtime.errors import Cause, SourceError
from realtime.fileclock import FileClock
from realtime.frames import Frame
from realtime.gpmf import is_telemetry, satellite_start
from realtime.mpegts import torn
from realtime.pictures import ArrayPicture, VideoPicture, pixel_aspect

log = logging.getLogger(__name__)

UNKNOWN_INTERVAL_S = 1.0 / 30.0  # between frames, when a file says nothing of its rate
MAX_PIXELS = 1 << 26  # of a frame, twice that of 8K; a header may ask for gigabytes
# Formats that name other files: somebody who hands us one could have us read what is none of his.
# image2: a picture called p%03d.jpg stands for p000.jpg and so on; vobsub: subtitles that lie in a file beside it.
PLAYLISTS = frozenset(
    {"hls", "concat", "dash", "imf", "sdp", "rtsp", "rtp", "sap", "webm_dash_manifest", "image2", "vobsub"}
)
SINGLE_FILES = ",".join(sorted(av.formats_available - PLAYLISTS))  # for ffmpeg, before it opens what a list names
TEXT = frozenset({"tty", "bin", "adf", "idf", "xbin"})  # to ffmpeg any text file is a video of its letters
_TAGGED = re.compile(r"(\d{1,6}):(\d{1,6}):(\d{1,6}(?:\.\d{1,12})?)")  # how Matroska says how long a track is
CORRUPT_END = 4  # frames; a picture that was cut off may be shown before some that are whole (B-frames)


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source announces about itself before it is read; any of it may turn out otherwise.

    kind: "video", "pictures", "scene", "stream" or "camera". size_hw: pixels as displayed. rate: frames/s. frames: how
    many. start_utc: wall clock of media time 0, and utc_source where that is from ("start", "gps", "container", "").
    clock_utc: what the container alone says of it, by the camera's clock.
    """

    kind: str
    size_hw: tuple[int, int]
    rate: float | None = None
    duration_s: float | None = None
    frames: int | None = None
    codec: str = ""
    start_utc: datetime | None = None
    utc_source: str = ""
    clock_utc: datetime | None = None


class Source(Protocol):
    """Frames in order. ``close`` may be called from any thread and wakes a blocked iterator, which then stops."""

    name: str

    @property
    def info(self) -> SourceInfo:
        """What the source announces."""

    def __iter__(self) -> Iterator[Frame]:
        """Yields every frame once."""

    def close(self) -> None:
        """Ends the source; safe to call twice."""

    def __enter__(self) -> Self:
        """The source itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the source."""


class _Closing:
    """The context-manager half of a source."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class VideoFile(_Closing):
    """A recorded video, every frame, in the order in which the decoder gives them (which is that of display).

    Frame k is the k-th frame that decodes, counted from 0. ``media_s`` is its presentation time stamp relative to
    the start of the container, which is what a browser's ``currentTime`` shows. It never goes back: see FileClock for
    stamps that are missing or do; ``guessed_stamps`` and ``restarts`` count these. A packet that does not
    decode is skipped and counted in ``damaged_packets``.

    start: the wall clock at media time 0; it outranks what the container says. Must carry its zone. threads: of the
    decoder, which works ahead on all but one of them; 0 for as many as suit it.
    Raises SourceError when there is no such file, no permission, no video in it, or no decodable frame.
    """

    def __init__(
        self, path: Path | str, *, name: str | None = None, start: datetime | None = None, threads: int = 0
    ) -> None:
        self.path = Path(path)
        self.name = name if name is not None else self.path.name
        self.damaged_packets = 0
        self._corrupt = -CORRUPT_END - 1  # the last frame of which a part was missing
        self._stop = threading.Event()
        self._claim_lock = threading.Lock()
        self._claimed = False
        self._container = _open_container(self.path, self.name)
        streams = self._container.streams.video
        # A cover picture in an audio file is a video stream to ffmpeg.
        playable = [stream for stream in streams if "attached_pic" not in str(stream.disposition)]
        if not playable:
            self._container.close()
            raise SourceError(self.name, "there is no video in this file", Cause.NOT_VIDEO)
        if playable[0].codec_context is None:
            self._container.close()
            raise SourceError(self.name, "no decoder here reads the video in this file", Cause.NOT_VIDEO)
        self._stream = playable[0]
        if self._stream.width * self._stream.height > MAX_PIXELS:
            self._container.close()
            raise SourceError(
                self.name,
                f"its frames have {self._stream.width} x {self._stream.height} pixels; "
                f"at most {MAX_PIXELS // 1_000_000} million are taken",
                Cause.NOT_VIDEO,
            )
        self._stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # for frames that the header kept quiet of
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = threads
        self._aspect = pixel_aspect(self._stream)
        self._origin_s = (self._container.start_time or 0) / av.time_base
        self._length_s = self._container.duration / av.time_base if self._container.duration else None
        self._frames = self._decode()
        try:
            self._first = next(self._frames, None)
        except SourceError:
            self._container.close()
            raise
        if self._first is None:
            self._container.close()
            raise SourceError(self.name, "no frame in this file can be decoded", Cause.NOT_VIDEO)
        self.info = self._announced(self._first, start)
        self._interval_s = 1.0 / self.info.rate if self.info.rate else UNKNOWN_INTERVAL_S
        self._clock = FileClock(self._interval_s)

    def __iter__(self) -> Iterator[Frame]:
        if not self._claim():
            if self._stop.is_set():
                return
            raise RuntimeError("a source is iterated once")
        first, self._first = [self._first] if self._first is not None else [], None
        media_s, index = 0.0, 0
        try:
            for decoded in itertools.chain(first, self._frames):
                if self._stop.is_set():
                    return
                if decoded.is_corrupt:
                    self._corrupt = index
                media_s = self._clock.step(None if decoded.time is None else decoded.time - self._origin_s)
                yield Frame(
                    source=self.name,
                    index=index,
                    media_s=media_s,
                    picture=VideoPicture(decoded, self._aspect),
                    utc=moment_after(self.info.start_utc, media_s),
                    utc_source=self.info.utc_source,
                )
                index += 1
            self._check_length(media_s, index)
        finally:
            self._container.close()

    @property
    def guessed_stamps(self) -> int:
        """Frames so far whose time is not that of a stamp of their own."""
        return self._clock.guessed

    @property
    def restarts(self) -> int:
        """How often so far the stamps began anew."""
        return self._clock.restarts

    @property
    def length_s(self) -> float | None:
        """How long the container says the recording is, sound included, in seconds; None when it does not say."""
        return self._length_s

    def close(self) -> None:
        """Stops the iteration; a file never blocks for long. From any thread, and safe to call twice.

        The iterating thread releases the file: closed under a decoder at work, a container takes the process with it.
        """
        self._stop.set()
        if self._claim():  # never iterated, and now it never will be
            self._first = None
            self._frames.close()
            self._container.close()

    def _claim(self) -> bool:
        """Whether the caller is the first; it alone may touch, and must release, the container."""
        with self._claim_lock:
            claimed, self._claimed = self._claimed, True
            return not claimed

    def _decode(self) -> Generator[av.VideoFrame]:
        # AVI has no presentation stamps, and ffmpeg's guesses are in order of decoding. But its packets are counted,
        # and the k-th frame to be shown is due when the k-th packet is.
        counted = self._container.format.name == "avi"
        due: deque[int | None] = deque()
        try:
            for packet in self._container.demux(self._stream):
                if counted and packet.size:
                    due.append(packet.dts)
                try:
                    for frame in packet.decode():
                        if counted:
                            frame.pts = due.popleft() if due else None
                        yield frame
                except av.error.InvalidDataError:
                    self.damaged_packets += 1
        except av.error.FFmpegError as error:
            raise SourceError(self.name, f"reading stopped: {error.strerror or error}", Cause.CUT_OFF) from error

    def _announced(self, first: av.VideoFrame, start: datetime | None) -> SourceInfo:
        stream, container = self._stream, self._container
        rate = stream.average_rate or stream.guessed_rate
        # A program that cut or packed it anew may have set the one of the stream.
        clock_utc = _container_utc(container.metadata) or _container_utc(stream.metadata)
        start_utc: datetime | None
        if start is not None:
            start_utc, utc_source = start.astimezone(UTC), "start"
        elif any(is_telemetry(track.metadata) for track in container.streams.data) and (
            by_satellites := satellite_start(self.path)
        ):
            start_utc, utc_source = by_satellites, "gps"
        else:
            start_utc, utc_source = clock_utc, "container" if clock_utc else ""
        return SourceInfo(
            kind="video",
            size_hw=VideoPicture(first, self._aspect).size_hw,
            rate=float(rate) if rate else None,
            duration_s=self._duration_s(),
            frames=stream.frames or None,
            codec=stream.codec_context.name,
            start_utc=start_utc,
            utc_source=utc_source,
            clock_utc=clock_utc,
        )

    def _duration_s(self) -> float | None:
        if self._stream.duration and self._stream.time_base:
            return float(self._stream.duration * self._stream.time_base)
        if tagged := _TAGGED.fullmatch(self._stream.metadata.get("DURATION", "")):
            hours, minutes, seconds = tagged.groups()
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        return self._container.duration / av.time_base if self._container.duration else None

    def _check_length(self, last_s: float, frames: int) -> None:
        """A cut file often just ends: ffmpeg reports no error, but the announced end was never reached."""
        duration_s, interval_s = self.info.duration_s, self._interval_s
        if self._container.format.name in ("mpegts", "mpeg"):
            # These have no header that announces a length: what ffmpeg says is estimated from the bytes found.
            if frames - self._corrupt <= CORRUPT_END or torn(self.path):
                raise SourceError(
                    self.name,
                    f"the file breaks off in the middle of a frame, at {last_s:.1f} s, after {frames} frames",
                    Cause.CUT_OFF,
                )
            return
        if duration_s is None:
            return
        missing_s = duration_s - (last_s + interval_s)
        if missing_s > max(0.5, 0.02 * duration_s, 3 * interval_s):
            raise SourceError(
                self.name,
                f"the file breaks off at {last_s:.1f} s of {duration_s:.1f} s, after {frames} frames",
                Cause.CUT_OFF,
            )


class PictureFolder(_Closing):
    """The pictures of a folder in natural order (dive2 before dive10), one every ``interval_s`` of media time.

    They are decoded as in training (``realtime.decode``): EXIF orientation is applied, alpha laid on white, grey
    becomes RGB. ``paths``: all in order. A file that is no readable picture is left out and named, with the reason, in
    ``skipped``; hidden files and folders are passed over. Raises SourceError when the folder holds no picture at all.
    """

    def __init__(self, path: Path | str, *, name: str | None = None, interval_s: float = 1.0) -> None:
        self.path = Path(path)
        self.name = name if name is not None else self.path.name
        self.skipped: list[tuple[str, str]] = []
        self.interval_s = interval_s
        self._stop = threading.Event()
        try:
            files = [entry for entry in self.path.iterdir() if entry.is_file() and not entry.name.startswith(".")]
        except OSError as error:
            raise _unreadable(self.name, error) from error
        files.sort(key=lambda entry: natural_order(entry.name))
        self.paths = [entry for entry in files if entry.suffix.lower() in EXTENSIONS]
        first = next((rgb for rgb in map(self._read, self.paths) if rgb is not None), None)
        if first is None:
            count = len(self.paths)
            why = f"none of its {count} pictures can be read" if count else "there is no picture in this folder"
            raise SourceError(self.name, why, Cause.NO_PICTURES)
        self.skipped = [(entry.name, "not a picture by its name") for entry in files if entry not in self.paths]
        self.info = SourceInfo(
            kind="pictures",
            size_hw=(first.shape[0], first.shape[1]),
            rate=1.0 / interval_s,
            duration_s=len(self.paths) * interval_s,
            frames=len(self.paths),
        )

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        for path in self.paths:
            if self._stop.is_set():
                return
            rgb = self._read(path)
            if rgb is not None:
                yield Frame(self.name, index, index * self.interval_s, ArrayPicture(rgb))
                index += 1

    def close(self) -> None:
        """Stops the iteration after the picture in hand."""
        self._stop.set()

    def _read(self, path: Path) -> NDArray[np.uint8] | None:
        try:
            with strict_decoding():
                return decode(picture_bytes(path))
        except (OSError, UndecodableError) as error:
            reason = _unreadable(self.name, error).reason if isinstance(error, OSError) else str(error)
            self.skipped.append((path.name, reason))
            return None


class Paced(_Closing):
    """Plays a recorded source at its own pace, as if a camera sent it now.

    open_source: opens the source; called again for every round when ``loop`` is set. Frame numbers and media time go on
    over the rounds. A reader that falls behind by more than a second is not chased: the schedule moves. A recording
    that breaks off is played up to there, round after round. damaged: breaks, and packets that did not decode, over all
    rounds. resting: it waits for the time of the next frame. Raises what ``open_source`` raises, from the constructor
    or, in a later round, from the iterator.
    """

    LATE_S = 1.0

    def __init__(
        self, open_source: Callable[[], Source], *, loop: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._open_source = open_source
        self._loop = loop
        self._clock = clock
        self._stop = threading.Event()
        self._started = False
        self.damaged = 0
        self.resting = False
        self._current = open_source()
        self.name = self._current.name
        self.info = self._current.info

    def __iter__(self) -> Iterator[Frame]:
        self._started = True
        index, offset_s, broke = 0, 0.0, False
        due_zero_s = self._clock()
        interval_s = 1.0 / self.info.rate if self.info.rate else 1.0 / 30.0
        while True:
            first_s, last_s, damaged_before = None, 0.0, self.damaged
            try:
                with self._current as source:
                    for frame in source:
                        self.damaged = damaged_before + getattr(source, "damaged_packets", 0)
                        first_s = frame.media_s if first_s is None else first_s
                        last_s = frame.media_s - first_s
                        media_s = offset_s + last_s
                        wait_s = due_zero_s + media_s - self._clock()
                        if wait_s < -self.LATE_S:
                            due_zero_s -= wait_s
                        self.resting = True
                        if self._stop.wait(max(0.0, wait_s)):
                            return
                        self.resting = False
                        yield Frame(
                            source=frame.source,
                            index=index,
                            media_s=media_s,
                            picture=frame.picture,
                            utc=datetime.now(UTC),
                            utc_source="clock",
                            captured_s=self._clock(),
                        )
                        index += 1
            except SourceError as error:
                if not self._loop or first_s is None:
                    raise
                if not broke:  # said once, not in every round
                    log.warning(
                        "source %s begins anew before its end: %s", self.name, error.reason, extra={"source": self.name}
                    )
                broke = True
                self.damaged += 1
            if not self._loop or self._stop.is_set() or first_s is None:
                return
            offset_s += last_s + interval_s
            self._current = self._open_source()

    def close(self) -> None:
        """Wakes the iterator, which stops and frees what is open; may be called from any thread."""
        self._stop.set()
        if not self._started:
            self._current.close()


def open_recorded(path: Path | str, *, name: str | None = None, start: datetime | None = None) -> Source:
    """A folder as PictureFolder, anything else as VideoFile. Raises SourceError as these do."""
    path = Path(path)
    return PictureFolder(path, name=name) if path.is_dir() else VideoFile(path, name=name, start=start)


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """A key to sort names by: numbers in them count as numbers (dive2 before dive10), case does not count."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def _open_container(path: Path, name: str) -> av.container.InputContainer:
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            # A pipe into which nobody writes would keep us for ever, and some devices have no end.
            raise SourceError(name, "a pipe or device, where a file was expected", Cause.NOT_VIDEO)
        with path.open("rb") as file:  # ffmpeg's own messages for these are less clear
            if not file.read(1):
                raise SourceError(name, "the file is empty", Cause.NOT_VIDEO)
    except OSError as error:
        raise _unreadable(name, error) from error
    try:
        # The prefix and the allow-lists keep names like "concat:..." and playlists from opening anything else.
        options = {"protocol_whitelist": "file", "format_whitelist": SINGLE_FILES}
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except av.error.ArgumentError as error:  # what ffmpeg says of a format that is not on the list, and of some damage
        why = "a list of other files, or damaged; of a list give the files that it names"
        raise SourceError(name, why, Cause.NOT_VIDEO) from error
    except (av.error.FFmpegError, OSError) as error:
        why = f"not a video that can be read ({error.strerror or error})"
        raise SourceError(name, why, Cause.NOT_VIDEO) from error
    if container.format.name in TEXT:
        container.close()
        raise SourceError(name, "not a video that can be read (it is text)", Cause.NOT_VIDEO)
    return container


def _unreadable(name: str, error: OSError) -> SourceError:
    match error:
        case FileNotFoundError():
            return SourceError(name, "no such file or folder", Cause.NOT_FOUND)
        case PermissionError():
            return SourceError(name, "no permission to read it", Cause.UNAUTHORISED)
        case IsADirectoryError():
            return SourceError(name, "a folder, where a file was expected", Cause.NOT_VIDEO)
        case NotADirectoryError():
            return SourceError(name, "a file, where a folder was expected", Cause.NOT_FOUND)
    return SourceError(name, (error.strerror or type(error).__name__).lower(), Cause.UNAVAILABLE)


def moment_after(start_utc: datetime | None, media_s: float) -> datetime | None:
    """``media_s`` after a start; None also where the calendar ends, as a damaged stamp may be of any age."""
    try:
        return start_utc + timedelta(seconds=media_s) if start_utc else None
    except OverflowError:
        return None


def _container_utc(metadata: dict[str, str]) -> datetime | None:
    """When a container says it was made, which cameras set to the start of the recording; None when unset."""
    text = metadata.get("com.apple.quicktime.creationdate") or metadata.get("creation_time") or ""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the year 1, or 9999, in another zone
        return None
    return moment if moment.year >= 1990 else None  # 1904 and 1970 are unset clocks
