"""A label over empty water is counted with its share of the time, in clips and in pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from PIL import Image

from realtime.engine import Engine
from realtime.errors import SourceError
from training.empty_water import EmptyScene, false_alarms, overall
from training.progress import Silent


@pytest.fixture(scope="module")
def engine(toy_model: Path):
    with Engine.open(toy_model, provider="cpu") as opened:
        yield opened


def test_a_clip_is_watched_as_a_viewer_would(engine: Engine, tmp_path: Path) -> None:
    """Red, green and blue by turns, ten frames each: the toy model is sure of each, the smoothing needs a moment."""
    (scene,) = false_alarms(engine, [write_clip(tmp_path / "tank.mp4", frames=30, rate=10)], Silent())
    assert (scene.name, scene.kind, scene.frames) == ("tank.mp4", "video", 30)
    assert scene.seconds == pytest.approx(3.0)
    assert 0.9 < scene.alarm <= 1.0
    assert set(scene.labels) == {"Fish", "Octopus", "Turtle"}
    assert sum(scene.labels.values()) == pytest.approx(scene.alarm)
    assert "tank.mp4: a label for " in scene.to_text()


def test_frames_closer_than_a_label_takes_to_appear_are_passed_over(engine: Engine, tmp_path: Path) -> None:
    (scene,) = false_alarms(engine, [write_clip(tmp_path / "fast.mp4", frames=40, rate=40)], Silent())
    assert scene.frames == 10
    assert scene.seconds == pytest.approx(1.0, abs=0.1)


def test_each_picture_of_a_folder_counts_by_itself(engine: Engine, tmp_path: Path) -> None:
    for name, colour in {"1": (250, 10, 10), "2": (90, 90, 90), "3": (90, 90, 90), "4": (10, 10, 250)}.items():
        Image.new("RGB", (40, 40), colour).save(tmp_path / f"{name}.png")
    (scene,) = false_alarms(engine, [tmp_path], Silent())
    assert (scene.kind, scene.frames, scene.seconds) == ("pictures", 4, 0.0)
    assert scene.alarm == pytest.approx(0.5)
    assert scene.labels == {"Fish": pytest.approx(0.25), "Turtle": pytest.approx(0.25)}
    assert "a label for 50.0% of 4 pictures (" in scene.to_text()


def test_a_folder_of_clips_is_all_of_them(engine: Engine, tmp_path: Path) -> None:
    for name in ("b.mp4", "a.mp4"):
        write_clip(tmp_path / name, frames=5, rate=10)
    assert [scene.name for scene in false_alarms(engine, [tmp_path], Silent())] == ["a.mp4", "b.mp4"]


def test_clips_weigh_by_their_time_and_pictures_only_where_there_is_no_clip() -> None:
    long, short = EmptyScene("a", "video", 90, 9.0, 0.1), EmptyScene("b", "video", 10, 1.0, 0.6)
    folder = EmptyScene("c", "pictures", 50, 0.0, 0.8)
    assert overall([long, short, folder]) == pytest.approx(0.15)
    assert overall([folder]) == pytest.approx(0.8)


def test_what_is_no_scene_is_named(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.mp4: no such file"):
        false_alarms(engine, [tmp_path / "gone.mp4"], Silent())
    (tmp_path / "notes").mkdir()
    with pytest.raises(SourceError, match="there is no picture in this folder"):
        false_alarms(engine, [tmp_path / "notes"], Silent())
    assert np.isfinite(overall([EmptyScene("a", "video", 0, 0.0, 0.0)]))
