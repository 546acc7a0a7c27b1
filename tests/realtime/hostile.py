"""Videos and pictures that are broken or mean harm, at toy size: each made in the test, and what must come of it.

DECOY is what the tricks are after: a file beside them whose pictures have a size of their own (DECOY_HW). WEB stands in
them for a server of this machine. Nothing here may make a reader open either.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from clips import colour_frame, write_clip
from PIL import Image

DECOY = "decoy"  # .ts, .jpg and so on
DECOY_HW = (80, 96)
WEB = "WEB-HOST:PORT"  # replaced by where a server listens

FRAMES, SENTENCE, EITHER = "frames", "sentence", "either"


@dataclass(frozen=True, slots=True)
class Case:
    """gives: FRAMES (all that are sound), SENTENCE (one of ours and no frame), or EITHER, also one after the other.

    write: puts it into an empty folder, beside which the decoys lie, and returns what is to be opened.
    """

    name: str
    gives: str
    write: Callable[[Path], Path]


def write_decoys(folder: Path) -> list[Path]:
    """What must not be read. ``folder``: that of all cases' folders."""
    video = write_clip(folder / f"{DECOY}.ts", frames=5, size_hw=DECOY_HW)
    picture = folder / f"{DECOY}000.jpg"
    Image.new("RGB", DECOY_HW[::-1], (255, 0, 255)).save(picture)
    return [video, picture]


def cases() -> Iterator[Case]:
    """All of them; names are unique."""
    yield from _cut_and_flipped()
    yield from _odd_videos()
    yield from _mended_headers()
    yield from _tricks()
    yield from _no_videos()
    yield from _pictures()
    yield from _broken_pictures()


def _cut_and_flipped() -> Iterator[Case]:
    kinds = {"mp4": "libx264", "mkv": "libx264", "ts": "libx264", "avi": "mpeg4", "webm": "libvpx"}
    for suffix, codec in kinds.items():
        whole = _clip(suffix, codec)
        for tenth in range(1, 10):
            yield _bytes(f"cut-{tenth}0%.{suffix}", whole[: len(whole) * tenth // 10])
        for seed in range(6):
            yield _bytes(f"flipped-{seed}.{suffix}", _flipped(whole, seed, share=0.002 * 4**seed / 16))
        yield _bytes(f"head-of-zeros.{suffix}", bytes(64) + whole[64:])
        yield _bytes(f"twice.{suffix}", whole + whole)
        yield _bytes(f"noise-behind.{suffix}", whole + _noise(4000))
    fast = _clip("mp4", "libx264", movflags="faststart")
    for tenth in range(1, 10):
        yield _bytes(f"cut-{tenth}0%-index-first.mp4", fast[: len(fast) * tenth // 10])


def _odd_videos() -> Iterator[Case]:
    def made(name: str, gives: str = FRAMES, **options: object) -> Case:
        return Case(name, gives, lambda folder: write_clip(folder / name, **options))  # type: ignore[arg-type]

    for turn in (90, 180, 270, 45):
        yield made(f"turned-{turn}.mp4", rotation=turn)
    yield made("one-frame.mp4", frames=1)
    yield made("smallest.mkv", size_hw=(2, 2))
    yield made("one-pixel.mkv", size_hw=(1, 1), codec="ffv1", pix_fmt="yuv444p")
    yield made("thin.mkv", size_hw=(2, 1024))
    yield made("10-bit.mp4", pix_fmt="yuv420p10le")
    yield made("hevc.mp4", codec="libx265")
    yield made("vp9.webm", codec="libvpx-vp9")
    yield made("prores.mov", codec="prores_ks", pix_fmt="yuv422p10le")
    yield made("motion-jpeg.avi", codec="mjpeg")
    yield made("motion-png.mov", codec="png", pix_fmt="rgba")
    yield made("raw.avi", codec="rawvideo")
    yield made("dvd.mpg", codec="mpeg2video")
    yield made("animated.gif", codec="gif", pix_fmt="rgb8")
    yield made("animated.apng", codec="apng", pix_fmt="rgb24")
    yield made("stretched.mp4", aspect=Fraction(4, 1))
    yield made("stretched-without-end.mp4", aspect=Fraction(30000, 1))
    yield made("a-frame-every-32-years.mkv", frames=3, pts_ms=[0, 10**12, 2 * 10**12])
    yield made("240-thousand-frames-a-second.mkv", rate=240_000)
    yield made("made-in-the-year-9999.mp4", metadata={"creation_time": "9999-12-31T23:59:59Z"})
    yield made("made-before-all-time.mkv", metadata={"creation_time": "0001-01-01T00:00:00+14:00"})
    yield made("made-no-when.mkv", metadata={"creation_time": "\udcff\x00 yesterday".encode(errors="replace").decode()})
    yield made("names-itself-a-million-times.mkv", metadata={"title": "x" * 1_000_000})
    yield made("tag-of-a-length.mkv", metadata={"DURATION": "9" * 400 + ":00:00.0"})
    yield Case("no-frames.mkv", SENTENCE, lambda folder: _empty(folder / "no-frames.mkv"))
    yield Case("no-frames.mp4", SENTENCE, lambda folder: _empty(folder / "no-frames.mp4"))
    yield Case("sound-alone.mp4", SENTENCE, lambda folder: _sound(folder / "sound-alone.mp4"))
    yield Case("sound-alone.wav", SENTENCE, lambda folder: _sound(folder / "sound-alone.wav"))
    yield Case("size-changes.ts", FRAMES, _size_changes)
    for shift_s in (-3600, -1, 10_000_000):
        yield Case(f"stamps-from-{shift_s}-s.mkv", EITHER, lambda folder, shift_s=shift_s: _shifted(folder, shift_s))


def _mended_headers() -> Iterator[Case]:
    """Headers that lie: fields of an mp4 overwritten, by the box that they are in and where in it they lie."""
    whole = _clip("mp4", "libx264", movflags="faststart")
    most = b"\xff\xff\xff\xff"
    lies: dict[str, tuple[bytes, int, bytes]] = {
        "ends-in-4-billion": (b"mvhd", 16, most),
        "lasts-no-time": (b"mvhd", 16, bytes(4)),
        "counts-in-zeroths": (b"mvhd", 12, bytes(4)),
        "media-counts-in-zeroths": (b"mdhd", 12, bytes(4)),
        "media-lasts-for-ever": (b"mdhd", 16, most),
        "size-of-0": (b"avc1", 24, bytes(4)),
        "100-megapixels": (b"avc1", 24, struct.pack(">HH", 12_000, 9_000)),
        "4-gigapixels": (b"avc1", 24, most),
        "other-codec": (b"avc1", -4, b"hvc1"),
        "unknown-codec": (b"avc1", -4, b"\0\0\0\0"),
        "codec-of-a-list": (b"avc1", -4, b"rtsp"),
        "4-billion-samples": (b"stsz", 8, most),
        "samples-of-2-gigabytes": (b"stsz", 4, b"\x7f\xff\xff\xff"),
        "samples-elsewhere": (b"stco", 8, most),
        "4-billion-chunks": (b"stco", 4, most),
        "stamps-run-away": (b"stts", 8, b"\x7f\xff\xff\xff"),
        "4-billion-stamps": (b"stts", 4, most),
        "edits-to-nowhere": (b"elst", 12, b"\x80\x00\x00\x00"),
        "4-billion-edits": (b"elst", 4, most),
        "matrix-of-zeros": (b"tkhd", 40, bytes(36)),
        "matrix-of-ones": (b"tkhd", 40, most * 9),
        "moov-of-0-bytes": (b"moov", -8, bytes(4)),
        "moov-of-4-gigabytes": (b"moov", -8, most),
        "data-elsewhere": (b"dref", 12, b"alis"),
        "no-handler": (b"hdlr", 8, bytes(4)),
    }
    for name, (box, at, value) in lies.items():
        start = whole.index(box) + 4 + at
        yield _bytes(f"{name}.mp4", whole[:start] + value + whole[start + len(value) :])
    deep = b""
    for _ in range(5000):
        deep = struct.pack(">I4s", len(deep) + 8, b"moov") + deep
    yield _bytes("boxes-in-boxes.mp4", whole[:32] + deep + whole[32:])
    yield _bytes("5000-empty-tracks.mp4", whole[:32] + _box(b"moov", _box(b"trak", b"") * 5000), SENTENCE)
    raw = bytearray(_clip("avi", "rawvideo"))
    at = raw.index(b"strf") + 8
    raw[at + 4 : at + 12] = struct.pack("<ii", 60_000, -60_000)
    yield _bytes("gigapixels.avi", bytes(raw))


def _tricks() -> Iterator[Case]:
    """What would have us read another file, or ask a server."""
    aims = {"file": f"../{DECOY}.ts", "web": f"http://{WEB}/{DECOY}.ts", "whole": "ABSOLUTE", "url": "file:ABSOLUTE"}
    for how, aim in aims.items():
        lists = {
            "m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{aim}\n#EXT-X-ENDLIST\n",
            "master.m3u8": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{aim}\n",
            "ffconcat": f"ffconcat version 1.0\nfile '{aim}'\n",
            "mpd": _MANIFEST.format(aim),
            "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns={aim}\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
            "pls": f"[playlist]\nNumberOfEntries=1\nFile1={aim}\n",
            "asx": f'<asx version="3.0"><entry><ref href="{aim}"/></entry></asx>',
            "edl": f"# mpv EDL v0\n{aim}\n",
            "ism": f'<SmoothStreamingMedia><StreamIndex Url="{aim}"/></SmoothStreamingMedia>',
            "svg": f'<svg xmlns:x="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg" width="64" '
            f'height="48"><image x:href="{aim}" width="64" height="48"/></svg>',
        }
        for suffix, text in lists.items():
            for name in dict.fromkeys((f"list-of-{how}.{suffix}", f"{suffix.replace('.', '-')}-of-{how}.mp4")):
                yield _text(name, text)
    key = f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="../{DECOY}.ts"\n#EXTINF:2,\ndata:video/mp2t;base64,AAAA\n'
    yield _text("key.m3u8", key)
    yield _text("map.m3u8", f'#EXTM3U\n#EXT-X-MAP:URI="../{DECOY}.ts"\n#EXTINF:2,\nx.m4s\n#EXT-X-ENDLIST\n')
    yield _text("subtitles.idx", "# VobSub index file, v7\nid: en, index: 0\ntimestamp: 00:00:00:000, filepos: 0\n")
    # A name is no address and no pattern, whatever stands in it.
    names = (
        f"concat:..|{DECOY}.ts.mp4",
        "subfile,,start,0,end,0,,:x.mp4",
        "data:video,x.mp4",
        "pipe:0.mp4",
        "async:cache:crypto:x.mp4",
        "-i.mp4",
        "$(touch x).mp4",
        "a\nb.mp4",
        "Ünder wäter 🐠.mp4",
        "%03d.mp4",
    )
    for name in names:
        yield _bytes(name, _clip("mp4", "libx264"), FRAMES)
    yield Case(f"{DECOY}%03d.jpg", EITHER, lambda folder: _saved(folder.parent / f"{DECOY}%03d.jpg", _picture()))


_MANIFEST = """<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"
profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" mediaPresentationDuration="PT2S"><Period><AdaptationSet
mimeType="video/mp2t"><Representation id="1" bandwidth="1" codecs="avc1"><BaseURL>{}</BaseURL><SegmentList
duration="2"><SegmentURL/></SegmentList></Representation></AdaptationSet></Period></MPD>"""


def _no_videos() -> Iterator[Case]:
    for name, data in {
        "nothing.mp4": b"",
        "one-byte.mp4": b"\0",
        "zeros.mp4": bytes(100_000),
        "ones.mp4": b"\xff" * 100_000,
        "noise.mp4": _noise(100_000),
        "noise.mkv": b"\x1a\x45\xdf\xa3" + _noise(100_000),
        "noise.ts": b"".join(b"\x47" + _noise(187, k) for k in range(200)),
        "noise.h264": b"".join(b"\0\0\0\1" + _noise(200, k) for k in range(100)),
        "noise.flv": b"FLV\1\1\0\0\0\x09" + _noise(10_000),
        "noise.asf": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + _noise(10_000),
        "noise.ogg": b"OggS" + _noise(10_000),
        "noise.avi": b"RIFF\xff\xff\xff\xffAVI LIST\xff\xff\xff\xffhdrl" + _noise(10_000),
        "noise.mxf": bytes.fromhex("060e2b34020501010d01020101020400") + _noise(10_000),
    }.items():
        yield _bytes(name, data)
    yield _text("text.mp4", "hello " * 100)
    yield _text("page.mp4", "<!doctype html><title>no</title>")
    yield _text("program.mp4", "#!/bin/sh\ntouch ran\n")
    yield Case("folder.mp4", SENTENCE, lambda folder: _folder(folder / "folder.mp4"))
    yield Case("pipe.mp4", SENTENCE, lambda folder: _made(folder / "pipe.mp4", os.mkfifo))
    for name, target in {
        "to-zeros.mp4": "/dev/zero",
        "to-noise.mp4": "/dev/urandom",
        "to-a-terminal.mp4": "/dev/tty",
        "to-nothing.mp4": "nothing",
        "to-itself.mp4": "to-itself.mp4",
        "to-memory.mp4": "/proc/self/mem",
        "to-a-folder.mp4": "/proc/self",
    }.items():
        yield Case(name, SENTENCE, lambda folder, name=name, target=target: _link(folder / name, target))


def _pictures() -> Iterator[Case]:
    """As the only picture of a folder; it is read as training reads it, too."""

    def kept(name: str, picture: Image.Image, gives: str = FRAMES, **options: object) -> Case:
        return Case(f"pictures/{name}", gives, lambda folder: _saved(folder / name, picture, **options).parent)

    turned = Image.Exif()
    for orientation in (3, 6, 8, 9, 65535):
        turned[0x0112] = orientation
        yield kept(f"turned-{orientation}.jpg", _picture(), exif=turned.tobytes())
    yield kept("broken-exif.jpg", _picture(), exif=b"Exif\0\0" + _noise(200))
    yield kept("cmyk.jpg", _picture("CMYK"))
    yield kept("grey.jpg", _picture("L"))
    yield kept("progressive.jpg", _picture(), progressive=True)
    yield kept("two-views.mpo", _picture(), format="MPO", save_all=True, append_images=[_picture()])
    for mode in ("RGBA", "LA", "P", "1", "I;16"):
        yield kept(f"{mode.replace(';', '-')}.png", _picture(mode))
    yield kept("16-bit.tif", _picture("I;16"))
    yield kept("float.tif", _picture("F"), EITHER)
    yield kept("cmyk.tif", _picture("CMYK"))
    pages = [_picture() for _ in range(30)]
    for name in ("animated.gif", "animated.webp", "animated.png", "pages.tif"):
        yield kept(name, _picture(), save_all=True, append_images=pages)
    yield kept("lossless-with-alpha.webp", _picture("RGBA"), lossless=True)
    yield kept("bottom-up.bmp", _picture())
    yield kept("other-name.png", _picture(), format="JPEG")
    yield kept("one-pixel.png", _picture().resize((1, 1)), SENTENCE)
    yield kept("line.png", _picture().resize((60_000, 1)), SENTENCE)
    yield kept("script.jpg", _picture(), SENTENCE, format="EPS")
    yield kept("other.jpg", _picture(), SENTENCE, format="PPM")


def _broken_pictures() -> Iterator[Case]:
    for suffix in ("jpg", "png", "webp", "gif", "bmp", "tif"):
        whole = _encoded(suffix)
        for tenth in range(1, 10):
            yield _broken(f"cut-{tenth}0%.{suffix}", whole[: len(whole) * tenth // 10])
        for seed in range(4):
            yield _broken(f"flipped-{seed}.{suffix}", _flipped(whole, seed, share=0.002 * 4**seed))
    for name, data in {
        "nothing.jpg": b"",
        "noise.jpg": b"\xff\xd8\xff" + _noise(5000),
        "text.png": b"hello",
        "bomb.png": _png(20_000, 20_000),
        "largest-bomb.png": _png(2**31 - 1, 2**31 - 1),
        "bomb-of-text.png": _png(64, 48, _chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(80_000_000)))),
        "bomb.gif": b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\2\x4c\1\0;",
        "bomb.bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 50_000, 50_000, 1, 24, 0, 0, 0, 0, 0, 0),
        "bomb.jpg": _with(_encoded("jpg"), b"\xff\xc0", 5, b"\xff\xff\xff\xff"),
        "bomb.tif": _with(_encoded("tif"), b"\x00\x01\x04\x00\x01\x00\x00\x00", 8, b"\xff\xff\xff\x7f"),
    }.items():
        yield _broken(name, data, SENTENCE)
    scans = _encoded("jpg", progressive=True)
    start = scans.index(b"\xff\xda")
    yield _broken("thousands-of-scans.jpg", scans[:-2] + scans[start:-2] * 2000 + b"\xff\xd9")
    yield Case("pictures/none", SENTENCE, lambda folder: _folder(folder / "none"))
    yield Case("pictures/pipe.jpg", SENTENCE, lambda folder: _made(folder / "pipe.jpg", os.mkfifo).parent)
    yield Case("pictures/to-zeros.jpg", SENTENCE, lambda folder: _link(folder / "to-zeros.jpg", "/dev/zero").parent)
    yield Case("pictures/300-megabytes.jpg", SENTENCE, lambda folder: _sparse(folder / "300-megabytes.jpg").parent)


@cache
def _clip(suffix: str, codec: str, **options: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"clip.{suffix}"
        if options:
            write_clip(path.with_suffix(".mkv"), codec=codec, frames=20)
            with av.open(str(path.with_suffix(".mkv"))) as source, av.open(str(path), "w", options=options) as into:
                stream = into.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.dts is not None:
                        packet.stream = stream
                        into.mux(packet)
        else:
            write_clip(path, codec=codec, frames=20)
        return path.read_bytes()


@cache
def _encoded(suffix: str, **options: bool) -> bytes:
    into = io.BytesIO()
    _picture("P" if suffix == "gif" else "RGB").save(
        into, {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix), **options
    )
    return into.getvalue()


def _picture(mode: str = "RGB") -> Image.Image:
    rgb = Image.fromarray(colour_frame(0, 48, 64))
    if mode == "I;16":
        return Image.fromarray(np.asarray(rgb.convert("L")).astype(np.uint16) << 8)
    return rgb.convert(mode)


def _bytes(name: str, data: bytes, gives: str = EITHER) -> Case:
    return Case(name, gives, lambda folder: _written(folder / name, data))


def _broken(name: str, data: bytes, gives: str = EITHER) -> Case:
    return Case(f"pictures/{name}", gives, lambda folder: _written(folder / name, data).parent)


def _text(name: str, text: str) -> Case:
    def write(folder: Path) -> Path:
        return _written(folder / name, text.replace("ABSOLUTE", str(folder.parent / f"{DECOY}.ts")).encode())

    return Case(name, SENTENCE, write)


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _saved(path: Path, picture: Image.Image, **options: object) -> Path:
    picture.save(path, **options)  # type: ignore[arg-type]
    return path


def _made(path: Path, make: Callable[[Path], None]) -> Path:
    make(path)
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _link(path: Path, target: str) -> Path:
    path.symlink_to(target)
    return path


def _sparse(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(300 << 20)
    return path


def _empty(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    return path


def _sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le" if path.suffix == ".wav" else "aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), "s16", "mono")
        sound.rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    return path


def _size_changes(folder: Path) -> Path:
    one, other = write_clip(folder / "one.ts"), write_clip(folder / "other.ts", size_hw=(96, 32))
    return _written(folder / "size-changes.ts", one.read_bytes() + other.read_bytes())


def _shifted(folder: Path, shift_s: int) -> Path:
    from clips import remux

    return remux(folder / "shifted.mkv", write_clip(folder / "source.mp4"), shift_s=shift_s)


def _flipped(whole: bytes, seed: int, share: float) -> bytes:
    rng = np.random.default_rng(seed)
    data = np.frombuffer(whole, np.uint8).copy()
    at = rng.integers(0, len(data), max(1, int(len(data) * share)))
    data[at] ^= (1 << rng.integers(0, 8, len(at))).astype(np.uint8)
    return data.tobytes()


def _noise(count: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(count)


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, name) + body


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(width: int, height: int, more: bytes = b"") -> bytes:
    """A header of this size, with the pixels of none."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + more + _chunk(b"IDAT", zlib.compress(bytes(10))) + _chunk(b"IEND", b"")


def _with(whole: bytes, mark: bytes, at: int, value: bytes) -> bytes:
    start = whole.index(mark) + at
    return whole[:start] + value + whole[start + len(value) :]
