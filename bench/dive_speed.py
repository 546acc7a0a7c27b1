"""How fast a recorded dive is processed, how much memory an hour of it takes, and what a kill costs.

    python bench/dive_speed.py speed  [--clip FILE] [--seconds 120] [--every 0.2]
    python bench/dive_speed.py memory [--clip FILE] [--minutes 60] [--every 1]      --every 0 for all frames
    python bench/dive_speed.py kills  [--times 20] [--clip FILE]

speed: a 1080p30 H.264 dive as fast as its own length, classified and decoded only, with the bundled model. memory: the
resident size at every five minutes of the dive. kills: SIGKILL at random moments of a dive with many sightings and an
overlay, resumed after each, and every result compared with those of a run that was left alone.

FILE is any clip; it is made 1080p30 once and repeated by copying its packets. Without one a rendered scene is used.
Kills take it as it is, with the bundled model; without one they take coloured frames and a toy model.
Linux only: reads /proc.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "realtime")]

import av  # noqa: E402

from dives.journal import NAME as JOURNAL  # noqa: E402
from dives.process import ProcessOptions, process  # noqa: E402
from dives.progress import Progress  # noqa: E402
from realtime.engine import Engine, bundled_model  # noqa: E402
from realtime.scene import TestScene  # noqa: E402
from realtime.sources import VideoFile  # noqa: E402

RATE = 30
BASE_FRAMES = 300
FIVE_MINUTES_S = 300.0


def main() -> None:
    """Prints the figures of one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["speed", "memory", "kills"])
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reeflens-dive-") as name:
        folder = Path(name)
        if options.part == "kills":
            kills(folder, options.times, options.seed, options.clip)
            return
        seconds = options.seconds if options.part == "speed" else 60.0 * options.minutes
        dive = repeat(full_hd(options.clip, folder / "base.mp4"), folder / "dive.mp4", seconds)
        if options.part == "speed":
            speed(dive, folder, options.every or 0.2)
        else:
            memory(dive, folder, 1.0 if options.every is None else options.every or None)


def speed(dive: Path, folder: Path, every_s: float) -> None:
    """The dive's length over the time it takes; decoding alone beside it, which nothing can beat."""
    with VideoFile(dive) as source:
        length_s = source.info.duration_s or 0.0
        began_s, worked_s = time.perf_counter(), time.process_time()
        frames = sum(1 for _ in source)
        decoding_s, decoding_cpu_s = time.perf_counter() - began_s, time.process_time() - worked_s
    with Engine.open(bundled_model(), provider="cpu") as engine:
        worked_s = time.process_time()
        run = process(dive, folder / "out", engine, ProcessOptions(every_s=every_s))
        cpu_s = time.process_time() - worked_s
    cores = os.cpu_count() or 1
    print(f"{frames} frames of 1920 x 1080, {length_s:.1f} s, {dive.stat().st_size / length_s / 125e3:.1f} Mbit/s")
    print(
        f"{run.classified} classified, {len(run.sightings)} sightings; load {os.getloadavg()[0]:.1f} on {cores} cores"
    )
    print("                     wall s   faster than the dive    CPU s   faster if all cores were free")
    for what, wall_s, busy_s in (
        ("decoding alone", decoding_s, decoding_cpu_s),
        (f"every {every_s:g} s (bar 3)", run.wall_s, cpu_s),
    ):
        print(f"{what:18}{wall_s:9.1f}{length_s / wall_s:22.2f}{busy_s:9.1f}{length_s / (busy_s / cores):31.2f}")


def memory(dive: Path, folder: Path, every_s: float | None) -> None:
    """Resident size at every five minutes of the dive, and the highest of all."""
    next_s, highest = 0.0, 0

    def watch(progress: Progress) -> None:
        nonlocal next_s, highest
        size = resident_mb()
        highest = max(highest, size)
        if progress.phase == "classify" and progress.media_s >= next_s:
            next_s += FIVE_MINUTES_S
            print(f"{progress.media_s / 60:5.1f} min  {size:4d} MB  {progress.rate:6.1f}/s", flush=True)
        elif progress.phase != "classify" and progress.done == progress.total:
            print(f"{progress.phase:>9}  {size:4d} MB", flush=True)

    with Engine.open(bundled_model(), provider="cpu") as engine:
        print(f"  begin    {resident_mb():4d} MB; then minute of the dive, resident size, frames classified per second")
        run = process(dive, folder / "out", engine, ProcessOptions(every_s=every_s), watch)
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024  # type: ignore[index]
    print(
        f"{run.decoded} frames decoded, {run.classified} classified in {run.wall_s:.0f} s; "
        f"highest seen {highest} MB, peak by the kernel's count {peak} MB; bar 700"
    )


def kills(folder: Path, times: int, seed: int, given: Path | None) -> None:
    """Kills and resumes, five times a dive, until ``times`` kills are done; every dive has to end in equal results."""
    from clips import write_clip
    from toy_onnx import write_toy_model

    if given is not None:
        clip, model = Path(shutil.copyfile(given, folder / f"dive{given.suffix}")), bundled_model()
    else:
        # One second of each colour in turn: a sighting per second.
        clip = write_clip(folder / "dive.mp4", frames=900, rate=10, size_hw=(360, 640), options={"bf": "2", "g": "30"})
        model = write_toy_model(folder / "toy.onnx")
    command = [sys.executable, "-m", "cli", "process", clip, "--model", model, "--provider", "cpu"]

    def run(out: Path, *more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*map(str, [*command, "--out", out]), *more], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    # Every other dive is killed before its overlay, which takes longest, is asked for.
    needed_s = []
    for wanted in ((), ("--overlay", "--resume")):
        began_s = time.monotonic()
        assert run(folder / "whole", *wanted).wait() == 0
        needed_s.append(time.monotonic() - began_s)
    whole = contents(folder / "whole" / "dive")
    size_mb = sum(map(len, whole.values())) / 1e6
    print(f"left alone: {needed_s[0]:.1f} s, the overlay {needed_s[1]:.1f} s, {len(whole)} files of {size_mb:.1f} MB")
    chance, killed_in, equal = random.Random(seed), Counter[str](), 0
    for dive in itertools.count(1):
        out = folder / f"killed-{dive}"
        for _ in range(5):
            running = run(out, "--resume", *(["--overlay"] if dive % 2 else []))
            try:
                running.wait(chance.uniform(0.5, needed_s[dive % 2]))
                break  # it was faster
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
                killed_in[phase(out / "dive")] += 1
            if killed_in.total() == times:
                break
        assert run(out, "--resume", "--overlay").wait() == 0
        found = contents(out / "dive")
        differ = sorted(name for name in whole.keys() | found.keys() if whole.get(name) != found.get(name))
        if differ:
            print(f"dive {dive} differs in {', '.join(differ)}")
        equal += not differ
        if killed_in.total() >= times:
            break
    print(f"killed {killed_in.total()} times: {', '.join(f'{n} in {name}' for name, n in killed_in.most_common())}")
    print(f"{equal} of {dive} dives equal the one left alone in every byte; compared were, by SHA-256:")
    for name, data in sorted(whole.items()):
        if not name.startswith("stills/"):
            print(f"  {hashlib.sha256(data).hexdigest()[:16]}  {len(data):9d}  {name}")
    print(f"  and {sum(name.startswith('stills/') for name in whole)} files in stills/")
    print(
        "  run.json without `timing` and `options.resume`; report.html without its line of class run (date, frames/s)"
    )
    sys.exit(equal != dive)


def phase(folder: Path) -> str:
    """What a run was doing when it was killed, by what lies there."""
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if "overlay.mp4.partial" in names:
        return "overlay"
    if "report.html" in names:
        return "between tables and overlay, or after"
    if "sightings.csv.partial" in names:
        return "stills" if "frames.csv" in names else "tables"
    return "classifying" if JOURNAL in names else "starting"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a dive as bytes, without what is a time of the run."""
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    found["report.html"] = re.sub(rb'(<dd class="run">).*?(</dd>)', rb"\1\2", found["report.html"])
    run = json.loads(found["run.json"])
    del run["timing"], run["options"]["resume"]
    found["run.json"] = json.dumps(run).encode()
    return found


def full_hd(clip: Path | None, path: Path) -> Path:
    """Ten seconds of 1080p30 H.264 as a camera writes it: B-frames, a key frame a second."""
    source = VideoFile(clip) if clip is not None else TestScene(size_hw=(1080, 1920), frames=BASE_FRAMES)
    with source, av.open(str(path), "w") as container:
        options = {"preset": "veryfast", "crf": "20", "g": str(RATE), "bf": "2"}
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for frame in itertools.islice(source, BASE_FRAMES):
            picture = av.VideoFrame.from_ndarray(frame.picture.rgb(), "rgb24")
            container.mux(stream.encode(picture.reformat(1920, 1080, "yuv420p")))
        container.mux(stream.encode())
    return path


def repeat(base: Path, path: Path, seconds: float) -> Path:
    """The clip over and over by copying its packets, until it is ``seconds`` long."""
    offset = 0
    with av.open(str(path), "w") as container:
        stream = None
        while stream is None or offset * stream.time_base < seconds:
            with av.open(str(base)) as part:
                video = part.streams.video[0]
                if stream is None:
                    stream = container.add_stream_from_template(video)
                    stream.time_base = video.time_base
                for packet in part.demux(video):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = stream
                    container.mux(packet)
                offset += round(video.frames / RATE / video.time_base)
    return path


def resident_mb() -> int:
    """What this process occupies in memory now."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024  # type: ignore[index]


if __name__ == "__main__":
    main()
