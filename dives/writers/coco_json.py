"""coco.json: every classified frame and what it shows, for COCO tools (pycocotools, FiftyOne, CVAT, kwcoco).

Beyond plain COCO it says which frame of which video an image is (``videos``, ``video_id``, ``frame_index``,
``media_s``), how sure the model was (``score``) and which sighting it was (``track_id``), as tracking data sets do.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from dives.partial import PartialFile
from dives.writers.base import Dive, SightingIds
from realtime.frames import FrameResult
from realtime.sightings import Sighting

DECIMALS = 6


class CocoJson:
    """Images are written as they come; of the annotations, which stand after them, 48 bytes each are kept."""

    name: ClassVar[str] = "coco.json"

    def begin(self, dive: Dive, files: ExitStack) -> None:
        """Writes what comes before the images."""
        self._dive = dive
        self._ids = SightingIds(dive)
        self._images = 0
        self._whole = array("q")  # image, category, track, width, height of each annotation
        self._scores = array("d")
        videos = self._recordings()
        self._video_of = {path: number for number, (path, _) in enumerate(videos, start=1)}
        self._file = files.enter_context(PartialFile(dive.folder / self.name, "w"))
        self._file.write("{\n")
        names = ", ".join(name for _, name in videos)
        self._member("info", {"description": f"{names}: whole frames, labelled by a classifier"})
        self._member("licenses", [])
        self._member("categories", list(self._categories()))
        self._member("videos", [{"id": k, "name": name} for k, (_, name) in enumerate(videos, start=1)])
        self._file.write('"images": [')

    def frame(self, row: FrameResult) -> None:
        """Writes the image and keeps its annotation, if it shows a label."""
        self._images += 1
        file, frame = self._dive.files.at(row.index)
        video = self._dive.info.kind == "video"
        height, width = row.size_hw
        image = {
            "id": self._images,
            "video_id": self._video_of[file.path] if video else 1,
            "frame_index": frame if video else row.index,
            "file_name": f"{file.path.stem}/{frame:06d}.jpg" if video else file.path.name,
            "width": width,
            "height": height,
            "media_s": round(row.media_s, DECIMALS),
        }
        self._file.write(f"{_separator(self._images)}{_text(image)}")
        number = self._ids.step(row)
        if number is not None and row.stable.index is not None:
            self._whole.extend((self._images, row.stable.index + 1, number, width, height))
            self._scores.append(float(row.probabilities[row.stable.index]))

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Writes the annotations and completes the file."""
        self._file.write('\n],\n"annotations": [')
        for number, annotation in enumerate(self._annotations(), start=1):
            self._file.write(f"{_separator(number)}{_text(annotation)}")
        self._file.write("\n]\n}\n")
        self._file.commit()

    def _recordings(self) -> list[tuple[Path, str]]:
        """Path and name of every video; a folder of pictures counts as one."""
        if self._dive.info.kind == "video":
            return [(file.path, file.path.name) for file in self._dive.files.all]
        folder = self._dive.files.all[0].path.parent
        return [(folder, folder.name)]

    def _categories(self) -> Iterator[dict[str, Any]]:
        for number, label in enumerate(self._dive.contract.labels, start=1):
            taxon = self._dive.contract.taxonomy.get(label)
            yield {"id": number, "name": label, **({"taxon": taxon} if taxon else {})}

    def _annotations(self) -> Iterator[dict[str, Any]]:
        for k, score in enumerate(self._scores):
            image, category, track, width, height = self._whole[5 * k : 5 * k + 5]
            yield {
                "id": k + 1,
                "image_id": image,
                "category_id": category,
                "track_id": track,
                "bbox": [0, 0, width, height],
                "area": width * height,
                "iscrowd": 0,
                "score": round(score, DECIMALS),
            }

    def _member(self, name: str, value: object) -> None:
        self._file.write(f"{_text(name)}: {_text(value)},\n")


def _separator(number: int) -> str:
    return "\n" if number == 1 else ",\n"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
