"""Single frames of a dive, read again without reading all of it: by seeking, and exactly the frames that were meant.

A frame is known by its number and its time. Seeking finds it by time, from a key frame on; where time does not
identify a frame (two have the same, a file has none, a container cannot seek), the file is read from its start and
frames are counted, which is slower and always right.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

import av

from dives.files import Files
from realtime.decode import UndecodableError, decode, strict_decoding
from realtime.errors import SourceError
from realtime.frames import Picture
from realtime.pictures import ArrayPicture, VideoPicture, pixel_aspect
from realtime.sources import VideoFile

log = logging.getLogger(__name__)

SAME_S = 2e-6  # a time that went through sums of floats is still that time; no container's clock is this fine
REACH_S = 1.0  # nearer than this decoding on is quicker than seeking
GUESSED_STAMPS = ("avi",)  # has none for presentation; what ffmpeg says of B-frames is in order of decoding
MARKED = ("h264",)  # tells of each frame whether others are predicted from it; HEVC, with its layers, less simply
STEPS_BACK_S = (0.0, 2.0, 10.0)  # some demuxers land behind the key frame that was asked for


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame of a dive: its number, and its media time in seconds."""

    frame: int
    media_s: float


class NotFoundError(Exception):
    """Time does not lead to the frame; counting will."""


def pictures_at(
    files: Files, moments: Sequence[Moment], *, video: bool = True, seek: bool = True
) -> Iterator[Picture | None]:
    """The picture of every moment, in the order given, which is that of frame numbers; None for one that is unreadable.

    video: False for a folder of pictures. seek: False when times of frames were guessed, so that they prove nothing.
    """
    for path, group in groupby(moments, key=lambda moment: files.at(moment.frame)[0].path):
        inside = []
        for moment in group:
            file, frame = files.at(moment.frame)
            inside.append(Moment(frame, moment.media_s - file.first_s))
        if not video:
            yield from (_of_picture(path) for _ in inside)
        else:
            yield from _of_video(path, inside) if seek else _counted(path, inside)


def _of_video(path: Path, moments: Sequence[Moment]) -> Iterator[Picture | None]:
    done = 0
    try:
        with Seeker(path) as seeker:
            for moment in moments:
                yield seeker.picture_at(moment.media_s)
                done += 1
        return
    except (NotFoundError, SourceError, av.error.FFmpegError) as error:
        log.info("%s: reading it from its start for the rest of the stills (%s)", path, error)
    yield from _counted(path, moments[done:])


def _counted(path: Path, moments: Sequence[Moment]) -> Iterator[Picture | None]:
    """As frames were counted the first time."""
    done = 0
    try:
        with VideoFile(path) as source:
            for frame in source:
                while done < len(moments) and frame.index >= moments[done].frame:
                    yield frame.picture if frame.index == moments[done].frame else None
                    done += 1
                if done == len(moments):
                    return
    except SourceError as error:
        log.info("%s", error)
    for _ in moments[done:]:
        yield None


def _of_picture(path: Path) -> Picture | None:
    try:
        with strict_decoding():
            return ArrayPicture(decode(path.read_bytes()))
    except (OSError, UndecodableError) as error:
        log.info("%s: %s", path, error)
        return None


class Seeker:
    """A video file in which one frame after the other is looked up, each later than the last. A context manager.

    It goes by the stamps as they are in the file: where these begin anew on the way, a time leads to another frame, and
    only who has read all of the file knows that (VideoFile.restarts). Raises SourceError when it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.seeks = 0
        self.decoded = 0
        try:
            self._container = av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
        except (av.error.FFmpegError, OSError) as error:
            raise SourceError(str(path), str(error.strerror or error)) from error
        streams = [s for s in self._container.streams.video if "attached_pic" not in str(s.disposition)]
        if not streams:
            self._container.close()
            raise SourceError(str(path), "there is no video in this file")
        self._stream = streams[0]
        self._stream.thread_type = "AUTO"
        self._aspect = pixel_aspect(self._stream)
        self._origin_s = (self._container.start_time or 0) / av.time_base
        self._frames: Iterator[av.VideoFrame] = iter(())
        self._held: tuple[float, av.VideoFrame] | None = None  # read, and later than what was asked for last
        self._reach_s = REACH_S
        self._wanted_s = 0.0

    def picture_at(self, media_s: float) -> VideoPicture:
        """The frame at ``media_s`` seconds. Raises NotFoundError where not exactly one frame has this time."""
        self._wanted_s = media_s
        if self._held is None or not -SAME_S <= media_s - self._held[0] <= self._reach_s:
            self._seek(media_s)
        while self._held is not None and self._held[0] < media_s - SAME_S:
            self._step()
        if self._held is None or self._held[0] > media_s + SAME_S:
            raise NotFoundError(f"no frame at {media_s:.6f} s")
        found = self._held[1]
        self._step()
        if self._held is not None and self._held[0] <= media_s + SAME_S:
            raise NotFoundError(f"two frames at {media_s:.6f} s")
        return VideoPicture(found, self._aspect)

    def _seek(self, media_s: float) -> None:
        if self._stream.time_base is None or self._container.format.name in GUESSED_STAMPS:
            raise NotFoundError("its frames carry no times")
        for back_s in STEPS_BACK_S:
            target = round((media_s - back_s + self._origin_s) / self._stream.time_base)
            self._container.seek(target, stream=self._stream)
            self.seeks += 1
            self._frames = self._decode()
            self._step()
            if self._held is not None and self._held[0] <= media_s + SAME_S:
                # Where key frames are rare, decoding on saves decoding the same again.
                self._reach_s = max(self._reach_s, media_s - self._held[0])
                return
        raise NotFoundError(f"seeking to {media_s:.3f} s lands behind it")

    def _step(self) -> None:
        frame = next(self._frames, None)
        if frame is None:
            self._held = None
            return
        self.decoded += 1
        if frame.time is None or frame.is_corrupt:
            raise NotFoundError("a frame without a time, or damaged")
        self._held = frame.time - self._origin_s, frame

    def _decode(self) -> Iterator[av.VideoFrame]:
        decoder = self._stream.codec_context
        marked = decoder.name in MARKED
        for packet in self._container.demux(self._stream):
            if marked:  # what nothing is predicted from, as most B-frames, need not be decoded on the way
                decoder.skip_frame = "NONREF" if self._is_before(packet) else "DEFAULT"
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                continue

    def _is_before(self, packet: av.Packet[av.VideoStream]) -> bool:
        """Whether the frame in it is shown before the one that is looked for."""
        if packet.pts is None or packet.time_base is None:
            return False
        return float(packet.pts * packet.time_base) - self._origin_s < self._wanted_s - SAME_S

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()
