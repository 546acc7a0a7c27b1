"""Tells what ``check`` found: findings with what to do about them, as text, as JSON, and as one HTML page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from training.check import FEW, HUGE, LONG, TINY, UNEVEN, DataCheck, Group, Photo
from training.page import count, picture_address, read_picture, render
from training.progress import Reporter, Silent

TEMPLATE = "check_template.html"
SIDE = 170  # pixels of a thumbnail
MOST_GROUPS = {"contradictory": 60, "doubtful": 60, "copies": 18, "near": 30, "bursts": 18}  # with thumbnails
MOST_OF_GROUP = 6  # thumbnails
MOST_SINGLE = 12
MOST_NAMES = 200
LEVELS = ("wrong", "look", "know")

Thumbnails = Callable[[Photo], str]


@dataclass(frozen=True, slots=True)
class Finding:
    """level: one of LEVELS: "wrong" costs pictures or stops training, "look" deserves a look, "know" is taken care of.
    section: the part of the page that shows it; "" for none.
    """

    level: str
    title: str
    advice: str
    section: str = ""


def to_json(check: DataCheck) -> str:
    """Everything as one JSON object."""
    told = {**asdict(check), "usable": check.usable, "findings": [asdict(finding) for finding in findings(check)]}
    return json.dumps(told, ensure_ascii=False, indent=1)


def to_text(check: DataCheck) -> str:
    """For a terminal: classes, largest first, then findings, worst first."""
    width = max(len("class"), *(len(line.label) for line in check.classes))
    lines = [
        f"{count(check.pictures, 'picture')} of {len(check.classes)} classes, {check.usable:,} usable and different",
        "",
        f"{'class':{width}}  pictures  usable  independent",
    ]
    lines += [f"{c.label:{width}}  {c.pictures:8,}  {c.usable:6,}  {c.independent:11,}" for c in check.classes]
    lines += ["", *(f"{finding.level:5}  {finding.title}. {finding.advice}" for finding in findings(check))]
    return "\n".join(lines)


def to_html(check: DataCheck, reporter: Reporter | None = None) -> str:
    """The page. Thumbnails are read from the files, as far as they are still there."""
    reporter = reporter or Silent()
    shown = [photo for name in MOST_GROUPS for _, photos in _shown(getattr(check, name), name) for photo in photos]
    reporter.begin("making thumbnails", len(shown))

    def thumbnail(photo: Photo) -> str:
        reporter.advance()
        rgb = read_picture(Path(photo.file))
        return "" if rgb is None else picture_address(rgb, SIDE)

    return render(
        TEMPLATE,
        check=check,
        findings=findings(check),
        largest=max(line.pictures for line in check.classes),
        shown={name: list(_shown(getattr(check, name), name)) for name in MOST_GROUPS},
        single=[(title, text, photos[:MOST_SINGLE], len(photos)) for title, text, photos in _single(check) if photos],
        thumbnail=thumbnail,
        most_names=MOST_NAMES,
        page_title=" + ".join(Path(tree).name or tree for tree in check.trees),
    )


def findings(check: DataCheck) -> list[Finding]:
    """What is worth saying, worst first."""
    return sorted(_findings(check), key=lambda finding: LEVELS.index(finding.level))


def _findings(check: DataCheck) -> Iterator[Finding]:
    few = [line for line in check.classes if line.independent < 2]
    if few:
        yield Finding(
            "wrong",
            f"Too small to be divided: {_classes_with(few, 'independent')}",
            "Training refuses a class that cannot stand on both sides of the split; add pictures or leave it out",
            "classes",
        )
    if check.contradictory:
        yield Finding(
            "wrong",
            f"{count(_files(check.contradictory), 'file')} contradict each other: "
            f"{count(len(check.contradictory), 'photograph')} under two labels or more",
            "Training leaves them out. Keep the right one of each and they count again",
            "contradictory",
        )
    if check.unreadable:
        yield Finding(
            "wrong",
            f"{count(len(check.unreadable), 'file')} cannot be used",
            "Each is named below with its reason",
            "unreadable",
        )
    if check.doubtful:
        yield Finding(
            "look",
            f"{count(len(check.doubtful), 'group')} of nearly the same picture under different labels",
            "Training believes both labels, since something may have swum into one of them. Often one is wrong",
            "doubtful",
        )
    if small := [line for line in check.classes if 2 <= line.independent < FEW]:
        yield Finding(
            "look",
            f"Few pictures: {_classes_with(small, 'independent')}",
            f"With fewer than {FEW} a class is learnt by heart, and its figures say little",
            "classes",
        )
    largest, smallest = check.classes[0], min(check.classes, key=lambda line: line.usable)
    if largest.usable > UNEVEN * max(1, smallest.usable):
        yield Finding(
            "look",
            f"Uneven: {largest.label} has {largest.usable:,} pictures, {smallest.label} {smallest.usable:,}",
            "A network in doubt names the class it saw most; `reeflens train --balance 0.5` weighs against that",
            "classes",
        )
    for photos, title, advice in (
        (check.blank, "with nothing on them", "An even surface teaches nothing; delete them"),
        (check.tiny, f"under {TINY} pixels", "They are enlarged, and look unlike every frame of a video"),
        (check.long, f"more than {LONG:g} times as long as wide", "They are squeezed into a square; crop the animal"),
    ):
        if photos:
            yield Finding("look", f"{count(len(photos), 'picture')} {title}", advice, "odd")
    if check.huge:
        yield Finding(
            "know",
            f"{count(len(check.huge), 'picture')} of more than {HUGE // 1_000_000} megapixels",
            "They take long to read, and are shrunk to the network's size",
            "odd",
        )
    if check.copies:
        surplus = _files(check.copies) - len(check.copies)
        yield Finding(
            "know",
            f"{count(surplus, 'surplus copy', 'surplus copies')} of {count(len(check.copies), 'picture')}",
            "They are kept on one side of the split, but count several times; delete the surplus",
            "copies",
        )
    if check.near:
        yield Finding(
            "know",
            f"{count(_files(check.near), 'picture')} in {count(len(check.near), 'group')} of near duplicates",
            "Cropped, rescaled or taken within a moment; they are kept on one side of the split",
            "near",
        )
    if check.bursts:
        yield Finding(
            "know",
            f"{count(_files(check.bursts), 'picture')} in {count(len(check.bursts), 'burst')}",
            "Taken or uploaded in one go; they are kept on one side of the split",
            "bursts",
        )
    if check.unusual:
        yield Finding(
            "know",
            f"{count(sum(map(len, check.unusual.values())), 'file')} not plain: {_most(check.unusual)}",
            "All are converted; nothing need be done",
            "formats",
        )


def _classes_with(lines: Iterable[object], field: str) -> str:
    return ", ".join(f"{line.label} {getattr(line, field)}" for line in lines)  # type: ignore[attr-defined]


def _most(unusual: object) -> str:
    items = list(unusual.items())  # type: ignore[attr-defined]
    told = ", ".join(f"{remark} ({len(files):,})" for remark, files in items[:3])
    return told + (f" and {len(items) - 3} kinds more" if len(items) > 3 else "")


def _files(groups: Iterable[Group]) -> int:
    return sum(len(group.photos) for group in groups)


def _shown(groups: tuple[Group, ...], name: str) -> Iterator[tuple[Group, list[Photo]]]:
    """The groups with room on the page, each with the pictures shown of it: of every label one before a second."""
    for group in groups[: MOST_GROUPS[name]]:
        firsts = {photo.label: photo for photo in reversed(group.photos)}
        order = sorted(group.photos, key=lambda photo: firsts[photo.label] is not photo)
        yield group, order[:MOST_OF_GROUP]


def _single(check: DataCheck) -> Iterator[tuple[str, str, tuple[Photo, ...]]]:
    yield "Blank", "next to no difference between any two of their pixels", check.blank
    yield "Tiny", f"shorter side under {TINY} pixels", check.tiny
    yield "Long", f"one side more than {LONG:g} times the other", check.long
    yield "Huge", f"more than {HUGE // 1_000_000} megapixels", check.huge
