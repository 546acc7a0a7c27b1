"""The chapters of one dive are one recording on one time line, and what is missing is said."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clips import truncate, write_clip
from mortal import CAN_KILL, process_until_killed
from result_files import lines, record, results

from dives.chapters import Gap, JoinedVideo, in_order, join_chapters
from dives.journal import NAME as JOURNAL
from dives.process import ProcessOptions, process
from realtime.errors import ResultsError, SourceError


def chapter(folder: Path, name: str, utc: str = "", **options) -> Path:
    """30 frames, 1.2 s."""
    return write_clip(folder / name, metadata={"creation_time": utc} if utc else None, **options)


@pytest.fixture
def chapters(tmp_path) -> list[Path]:
    """Three chapters of a GoPro, which gives all of them the start of the first."""
    return [chapter(tmp_path, f"GX0{k}0042.MP4", "2026-05-01T09:30:00Z") for k in (1, 2, 3)]


class TestJoining:
    def test_frames_are_numbered_through_and_times_go_on(self, chapters):
        with JoinedVideo(chapters) as video:
            frames = list(video)
        assert [frame.index for frame in frames] == list(range(90))
        assert [chapter.first_frame for chapter in video.chapters] == [0, 30, 60]
        assert [frame.media_s for frame in frames] == pytest.approx([k / 25 for k in range(90)], abs=1e-6)
        assert (frames[-1].utc - datetime(2026, 5, 1, 9, 30, tzinfo=UTC)).total_seconds() == pytest.approx(3.56)
        assert (video.info.frames, video.info.duration_s, video.gaps) == (90, pytest.approx(3.6), [])

    def test_while_the_camera_was_off_the_clock_went_on_and_media_time_did_not(self, tmp_path):
        utc = ("2026-05-01T09:30:00Z", "2026-05-01T09:40:00Z")
        first, second = (chapter(tmp_path, f"{k}.mp4", start) for k, start in enumerate(utc))
        with JoinedVideo([first, second]) as video:
            frames = list(video)
        assert frames[30].media_s == pytest.approx(1.2)
        assert (frames[30].utc - frames[0].utc).total_seconds() == pytest.approx(600.0)
        assert video.gaps == []

    def test_a_start_of_the_user_holds_for_the_dive(self, chapters):
        start = datetime(2026, 6, 1, tzinfo=UTC)
        frames = list(JoinedVideo(chapters, start=start))
        assert (frames[30].utc - start).total_seconds() == pytest.approx(1.2)
        assert {frame.utc_source for frame in frames} == {"start"}

    def test_a_missing_chapter_is_a_gap_as_long_as_the_clocks_say(self, tmp_path):
        paths = [chapter(tmp_path, "GX010042.MP4", "2026-05-01T09:30:00Z")]
        paths += [chapter(tmp_path, "GX030042.MP4", "2026-05-01T09:30:10Z")]
        video, frames = JoinedVideo(paths), []
        with pytest.raises(SourceError, match="chapter 2 is missing before it"):
            frames.extend(video)
        assert frames[30].media_s == pytest.approx(10.0)
        assert video.gaps == [
            Gap(pytest.approx(1.2), pytest.approx(8.8), "GX030042.MP4: chapter 2 is missing before it")
        ]
        assert [round(chapter.offset_s, 3) for chapter in video.chapters] == [0.0, 10.0]

    def test_a_gap_that_no_clock_measures_has_no_length(self, chapters):
        with pytest.raises(SourceError, match="chapter 1 is missing"):
            list(video := JoinedVideo([chapters[1]]))
        assert video.gaps == [Gap(0.0, None, "GX020042.MP4: chapter 1 is missing before it")]

    @pytest.mark.parametrize("start", [None, datetime(2026, 6, 1, tzinfo=UTC)])
    def test_after_a_gap_that_no_clock_measures_the_time_of_day_is_not_known(self, chapters, start):
        video, frames = JoinedVideo([chapters[0], chapters[2]], start=start), []
        with pytest.raises(SourceError, match=r"not known, nor the time of day from GX030042\.MP4 on"):
            frames.extend(video)
        assert all(frame.utc for frame in frames[:30])
        assert {(frame.utc, frame.utc_source) for frame in frames[30:]} == {(None, "")}
        assert [chapter.timed for chapter in video.chapters] == [True, False]

    def test_one_clock_on_all_chapters_but_the_first_is_that_of_the_first(self, chapters, tmp_path):
        assert JoinedVideo(chapters[1:]).info.start_utc is None
        start = datetime(2026, 6, 1, tzinfo=UTC)
        assert JoinedVideo(chapters[1:], start=start).info.start_utc == start
        own = [chapter(tmp_path, f"GX0{k}0043.MP4", f"2026-05-01T09:30:0{k}Z") for k in (2, 3)]
        assert JoinedVideo(own).info.start_utc == datetime(2026, 5, 1, 9, 30, 2, tzinfo=UTC)

    def test_an_unreadable_chapter_does_not_stop_the_rest(self, chapters):
        chapters[1].write_text("no video")
        video, frames = JoinedVideo(chapters), []
        with pytest.raises(SourceError, match=r"gaps: GX020042\.MP4: not a video"):
            frames.extend(video)
        assert len(frames) == 60
        assert [bool(chapter.problem) for chapter in video.chapters] == [False, True, False]
        assert video.gaps[0].length_s is None

    def test_a_chapter_that_breaks_off_leaves_its_time_empty(self, tmp_path):
        paths = [chapter(tmp_path, f"part{k}.mkv", frames=60) for k in (1, 2)]
        truncate(paths[0], 0.5)
        video, frames = JoinedVideo(paths), []
        with pytest.raises(SourceError, match=r"part1\.mkv: the file breaks off"):
            frames.extend(video)
        second = frames[video.chapters[1].first_frame :]
        assert len(second) == 60
        assert second[0].media_s == pytest.approx(2.4, abs=0.05)
        (gap,) = video.gaps
        assert gap.at_s + gap.length_s == pytest.approx(2.4, abs=0.05)

    def test_nothing_that_can_be_read_is_refused(self, tmp_path):
        with pytest.raises(SourceError, match="no chapter of this dive can be read"):
            JoinedVideo([tmp_path / "GX010042.MP4", tmp_path / "GX020042.MP4"])

    def test_chapters_that_share_a_name_are_refused(self, tmp_path):
        (tmp_path / "b").mkdir()
        paths = [chapter(tmp_path, "a.mp4"), chapter(tmp_path / "b", "a.mp4")]
        with pytest.raises(SourceError, match="the same file name"):
            JoinedVideo(paths)


class TestSorting:
    def test_a_gopro_names_its_chapters(self, tmp_path):
        names = ["GX020042.MP4", "GX010042.MP4", "GX010043.MP4", "GP010007.MP4", "GOPR0007.MP4", "GH010042.MP4"]
        dives = join_chapters([tmp_path / name for name in names])
        assert [[path.name for path in dive] for dive in dives] == [
            ["GX010042.MP4", "GX020042.MP4"],
            ["GX010043.MP4"],
            ["GOPR0007.MP4", "GP010007.MP4"],
            ["GH010042.MP4"],
        ]

    def test_the_same_names_in_two_folders_are_two_recordings(self, tmp_path):
        paths = [tmp_path / "a" / "GX010042.MP4", tmp_path / "b" / "GX010042.MP4"]
        assert join_chapters(paths) == [(paths[0],), (paths[1],)]

    def test_videos_whose_clocks_follow_on_each_other_are_one_dive(self, tmp_path):
        a = chapter(tmp_path, "a.mp4", "2026-05-01T09:30:00Z")
        b = chapter(tmp_path, "b.mp4", "2026-05-01T09:30:01Z")
        later = chapter(tmp_path, "c.mp4", "2026-05-01T10:30:00Z")
        assert join_chapters([a, b, later]) == [(a, b), (later,)]

    def test_without_clocks_the_order_given_is_believed_for_videos_alike(self, tmp_path):
        a, b = chapter(tmp_path, "a.mp4"), chapter(tmp_path, "b.mp4")
        other = chapter(tmp_path, "c.mp4", size_hw=(64, 48))
        faster = chapter(tmp_path, "d.mp4", size_hw=(64, 48), rate=30)
        assert join_chapters([a, b, other, faster]) == [(a, b), (other,), (faster,)]

    def test_a_video_with_a_clock_does_not_continue_one_without(self, tmp_path):
        a, b = chapter(tmp_path, "a.mp4"), chapter(tmp_path, "b.mp4", "2026-05-01T09:30:00Z")
        assert join_chapters([a, b]) == [(a,), (b,)]

    def test_what_cannot_be_read_and_folders_are_dives_of_their_own(self, tmp_path):
        (tmp_path / "bad.mp4").write_text("no video")
        (tmp_path / "stills").mkdir()
        good = chapter(tmp_path, "a.mp4")
        paths = [good, tmp_path / "bad.mp4", tmp_path / "stills", tmp_path / "gone.mp4"]
        assert join_chapters(paths) == [(path,) for path in paths]


class TestOrder:
    def test_a_gopros_chapters_are_in_order_of_their_numbers(self, chapters):
        assert in_order(chapters[::-1]) == chapters

    def test_others_are_in_order_of_their_clocks_and_without_these_of_their_names(self, tmp_path):
        later = chapter(tmp_path, "a.mp4", "2026-05-01T09:40:00Z")
        earlier = chapter(tmp_path, "b.mp4", "2026-05-01T09:30:00Z")
        assert in_order([later, earlier]) == [earlier, later]
        tenth, second = chapter(tmp_path, "dive10.mp4"), chapter(tmp_path, "dive2.mp4")
        assert in_order([tenth, second]) == [second, tenth]
        assert in_order([earlier, second, later]) == [later, earlier, second]


class TestProcessing:
    def test_a_dive_of_chapters_has_one_table_and_one_time_line(self, chapters, engine, tmp_path):
        run = process(chapters, tmp_path / "out", engine, ProcessOptions(every_s=0.5))
        assert run.state == "complete"
        times = [float(line["media_s"]) for line in lines(run.folder)]
        assert times == pytest.approx([0.0, 0.52, 1.0, 1.52, 2.0, 2.52, 3.0, 3.52])
        source = record(run.folder)["source"]
        assert [one["name"] for one in source["chapters"]] == [path.name for path in chapters]
        assert [one["offset_s"] for one in source["chapters"]] == [0.0, 1.2, 2.4]
        assert [one["first_frame"] for one in source["chapters"]] == [0, 30, 60]
        assert source["gaps"] == []

    def test_a_dive_with_a_gap_is_incomplete_and_states_it(self, chapters, engine, tmp_path):
        chapters[1].write_text("no video")
        run = process(chapters, tmp_path / "out", engine, ProcessOptions())
        assert (run.state, run.classified) == ("incomplete", 60)
        assert "GX020042.MP4" in str(run.error)
        (gap,) = record(run.folder)["source"]["gaps"]
        assert gap == {"at_s": 1.2, "length_s": None, "reason": gap["reason"]}

    def test_what_comes_after_a_gap_of_unknown_length_has_no_date(self, chapters, engine, tmp_path):
        run = process([chapters[0], chapters[2]], tmp_path / "out", engine, ProcessOptions(every_s=0.2))
        dates = [(line["file"], bool(line["utc"])) for line in lines(run.folder)]
        assert set(dates) == {("GX010042.MP4", True), ("GX030042.MP4", False)}
        seen = lines(run.folder, "sightings.csv")
        assert [line["start_utc"] for line in seen if line["peak_file"] == "GX030042.MP4"][-1] == ""
        assert lines(run.folder, "occurrence.csv")[-1]["eventDate"] == ""
        assert "time of day" in record(run.folder)["reason"]

    def test_the_overlay_draws_the_frames_of_every_chapter(self, chapters, engine, tmp_path):
        run = process(chapters, tmp_path / "out", engine, ProcessOptions(every_s=0.5, overlay=True))
        import av

        with av.open(str(run.folder / "overlay.mp4")) as video:
            times = [frame.time for frame in video.decode(video=0)]
        assert times == pytest.approx([float(line["media_s"]) for line in lines(run.folder)], abs=1e-4)

    def test_where_chapters_begin_outlives_a_run_that_had_nothing_to_read(self, chapters, engine, tmp_path):
        process(chapters, tmp_path / "out", engine, ProcessOptions())
        before = record(tmp_path / "out")["source"]
        run = process(chapters, tmp_path / "out", engine, ProcessOptions(resume=True))
        assert run.continued_from == 90
        assert record(run.folder)["source"] == before

    def test_another_set_of_chapters_is_not_a_continuation(self, chapters, engine, tmp_path):
        process(chapters, tmp_path / "out", engine, ProcessOptions())
        with pytest.raises(ResultsError, match="the source was"):
            process(chapters[:2], tmp_path / "out", engine, ProcessOptions(resume=True))

    def test_progress_reaches_the_end_of_the_last_chapter(self, chapters, engine, tmp_path):
        told = []
        process(chapters, tmp_path / "out", engine, ProcessOptions(), told.append)
        done = [progress.done for progress in told if progress.phase == "classify"]
        assert done == sorted(done)
        assert done[-1] == 90


@pytest.mark.skipif(not CAN_KILL, reason="no kill -9 here")
def test_killed_in_any_chapter_and_resumed_it_is_as_if_nothing_had_happened(chapters, engine, toy_model, tmp_path):
    whole = process(chapters, tmp_path / "whole", engine, ProcessOptions())
    for batches in (5, 4, 2):  # of 8: killed in the second chapter, later in the third
        process_until_killed(batches, chapters, tmp_path / "cut", toy_model)
    moved = tmp_path / "moved"
    moved.mkdir()
    chapters = [Path(shutil.copy(path, moved)) for path in chapters]  # a card may be copied in between
    run = process(chapters, tmp_path / "cut", engine, ProcessOptions(resume=True))
    assert run.continued_from >= 8
    assert (run.folder / JOURNAL).stat().st_size == (whole.folder / JOURNAL).stat().st_size
    assert results(run.folder) == results(whole.folder)
    assert os.fspath(moved) in record(run.folder)["source"]["path"]
