"""When a camera is called stalled or lost, when it is tried again, and that nothing about it can hang us."""

import gc
import logging
import threading
import time
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import CameraError, Cause, SettingsError, SourceError
from realtime.frames import Frame
from realtime.pictures import ArrayPicture
from realtime.reconnecting import MAX_HANGING, Action, Health, Patience, Reconnecting, Reconnection, ReportsHealth
from realtime.sources import SourceInfo

PATIENCE = Patience(answer_s=7, stall_s=2, silent_s=5, first_s=0.5, most_s=10, lost_s=1, steady_s=1)


class Played:
    """The machine with a clock that is moved by hand, and chances that give the longest pause."""

    def __init__(self, chance=lambda: 1.0):
        self.machine, self.now_s = Reconnection(PATIENCE, chance), 100.0

    @property
    def state(self):
        return self.machine.health.state

    def wait(self, seconds) -> Action:
        self.now_s += seconds
        return self.machine.tick(self.now_s)

    def connect(self):
        assert self.wait(0) is Action.CONNECT
        self.machine.connecting(self.now_s)
        self.machine.connected(self.now_s)

    def frames(self, seconds=2.0):
        for _ in range(int(seconds * 10) + 1):
            self.machine.frame(self.now_s)
            self.now_s += 0.1

    def breaks(self, cause=Cause.REFUSED):
        self.machine.broke(self.now_s, cause, "why")

    def pause(self) -> float:
        """Seconds until the next connection, which is made."""
        due_s = self.machine.next_s()
        seconds = 0.0 if due_s is None else due_s - self.now_s
        if seconds > 0.01:
            assert self.wait(seconds - 0.01) is Action.WAIT
            self.now_s += 0.02
        self.connect()
        return round(seconds, 3)


@pytest.fixture
def camera() -> Played:
    return Played()


def test_a_camera_that_never_was_live_is_tried_with_growing_pauses_up_to_the_longest(camera):
    camera.connect()
    pauses = []
    for _ in range(7):
        camera.breaks()
        assert camera.state == "retrying"
        pauses.append(camera.pause())
    assert pauses == [0.5, 1, 2, 4, 8, 10, 10]


def test_a_camera_that_was_live_is_tried_at_once_and_then_every_second(camera):
    camera.connect()
    camera.frames()
    camera.breaks(Cause.GONE)
    pauses = [camera.pause()]
    for _ in range(5):
        camera.breaks(Cause.REFUSED)
        pauses.append(camera.pause())
    assert pauses == [0, 0.5, 1, 1, 1, 1]
    camera.frames()
    assert (camera.state, camera.machine.health.reconnects) == ("live", 1)
    camera.breaks(Cause.ENDED)
    assert camera.pause() == 0


def test_one_that_flickers_is_not_tried_without_a_pause(camera):
    """A frame and then nothing, over and over: only the first loss is answered at once."""
    camera.connect()
    pauses = []
    for _ in range(4):
        camera.machine.frame(camera.now_s)
        camera.breaks(Cause.GONE)
        pauses.append(camera.pause())
    assert pauses == [0, 0.5, 1, 1]


@pytest.mark.parametrize("cause", [Cause.UNAUTHORISED, Cause.NOT_FOUND, Cause.NOT_VIDEO])
def test_what_time_does_not_mend_is_tried_slowly_from_the_start(camera, cause):
    camera.connect()
    camera.breaks(cause)
    assert (camera.machine.health.cause, camera.pause()) == (cause.value, 10)


def test_a_password_changed_under_way_is_tried_slowly_and_a_missing_stream_is_not(camera):
    """A relay says "not found" while the camera behind it restarts; a wrong password locks the account."""
    camera.connect()
    camera.frames()
    camera.breaks(Cause.NOT_FOUND)
    assert camera.pause() == 0
    camera.breaks(Cause.UNAUTHORISED)
    assert camera.pause() == 10


def test_silence_is_a_stall_after_two_seconds_and_a_loss_after_five(camera):
    camera.connect()
    camera.frames(1)
    camera.now_s = camera.machine.next_s() - 0.1
    assert camera.wait(0) is Action.WAIT
    assert camera.state == "live"
    camera.wait(0.1)
    assert (camera.state, camera.machine.health.stalls, camera.machine.health.cause) == ("stalled", 1, "silent")
    assert camera.wait(2.9) is Action.WAIT
    assert camera.wait(0.2) is Action.ABANDON
    assert camera.state == "retrying"
    assert camera.wait(0) is Action.CONNECT


def test_a_stall_that_ends_in_time_keeps_its_connection(camera):
    camera.connect()
    camera.frames(1)
    camera.wait(3)
    assert camera.state == "stalled"
    camera.machine.frame(camera.now_s)
    health = camera.machine.health
    assert (health.state, health.reason, health.stalls, health.reconnects) == ("live", "", 1, 0)


def test_a_connection_that_gives_no_first_frame_is_given_up(camera):
    assert camera.wait(0) is Action.CONNECT
    camera.machine.connecting(camera.now_s)
    camera.wait(6)
    camera.machine.connected(camera.now_s)
    assert camera.wait(6) is Action.WAIT
    assert camera.wait(1) is Action.ABANDON
    assert (camera.state, camera.machine.health.cause) == ("retrying", "timeout")


def test_what_is_over_stays_over(camera):
    camera.machine.end("ended")
    camera.machine.end("stopped")
    assert (camera.state, camera.wait(1000)) == ("ended", Action.WAIT)


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 60), st.booleans(), st.sampled_from(list(Cause)))
def test_every_pause_is_bounded(chance, failures, live, cause):
    camera = Played(lambda: chance)
    camera.connect()
    if live:
        camera.frames()
    for _ in range(failures):
        camera.breaks(Cause.REFUSED)
        camera.pause()
    camera.breaks(cause)
    quick = live and cause is not Cause.UNAUTHORISED
    assert camera.pause() <= (PATIENCE.lost_s if quick else PATIENCE.most_s)


# From here on with threads, and with cameras that behave as badly as real ones.

QUICK = Patience(answer_s=0.3, stall_s=0.1, silent_s=0.25, first_s=0.02, most_s=0.05, lost_s=0.02, steady_s=0.0)
PICTURE = ArrayPicture(np.zeros((8, 8, 3), np.uint8))
UNTIL_CLOSED = object()


class Camera:
    """One connection: gives frames with stamps from zero, raises errors, waits for events or until it is closed."""

    damaged = 1

    def __init__(self, script):
        self.name, self.info, self._script = "cam", SourceInfo("camera", (8, 8)), script
        self.closed, self.left = threading.Event(), threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        try:
            for k, item in enumerate(self._script):
                if isinstance(item, Exception):
                    raise item
                if item is UNTIL_CLOSED:
                    assert self.closed.wait(20)
                elif isinstance(item, threading.Event):
                    assert item.wait(20)
                else:
                    yield Frame("cam", k, k / 25, PICTURE, captured_s=item)
        finally:
            self.left.set()

    def close(self):
        self.closed.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Watched:
    """A Reconnecting with a script per connection, read on a thread; keeps what it said."""

    def __init__(self, *connections, patience=QUICK):
        self.connections, self.opened = iter(connections), []
        self.healths, self.frames, self.error = [], [], None
        self.changed = threading.Condition()
        self.source = Reconnecting(self.open, name="cam", kind="camera", patience=patience)
        self.source.watch(self.hear)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def open(self):
        script = next(self.connections)
        if isinstance(script, Exception):
            raise script
        if callable(script):
            script = script()
        camera = Camera(script)
        self.opened.append(camera)
        return camera

    def read(self):
        try:
            for frame in self.source:
                with self.changed:
                    self.frames.append(frame)
                    self.changed.notify_all()
        except Exception as error:
            self.error = error
        with self.changed:
            self.changed.notify_all()

    def hear(self, health: Health):
        with self.changed:
            self.healths.append(health)
            self.changed.notify_all()

    @property
    def states(self):
        return [health.state for health in self.healths]

    def wait(self, reached):
        with self.changed:
            assert self.changed.wait_for(reached, 20), self.healths

    def stop(self):
        self.source.close()
        self.thread.join(20)
        assert not self.thread.is_alive()


def gone(cause=Cause.GONE):
    return CameraError("cam", cause, f"it is {cause.value}")


@pytest.fixture
def watch():
    made = []

    def make(*connections, **options):
        made.append(Watched(*connections, **options))
        return made[-1]

    yield make
    for watched in made:
        watched.stop()


def test_a_lost_camera_comes_back_and_frames_and_time_go_on(watch):
    watched = watch([None, gone()], gone(Cause.REFUSED), [None, gone(Cause.ENDED)], [None, UNTIL_CLOSED])
    watched.wait(lambda: len(watched.frames) == 3)
    assert [frame.index for frame in watched.frames] == [0, 1, 2]
    times = [frame.media_s for frame in watched.frames]
    assert times[0] == 0.0
    assert times == sorted(set(times))
    assert all(frame.captured_s is not None for frame in watched.frames)
    causes = [(health.state, health.cause) for health in watched.healths]
    assert causes[:3] == [("live", ""), ("retrying", "gone"), ("retrying", "refused")]
    assert watched.source.health.reconnects == 2
    assert watched.source.health.damaged == 3  # one by each connection
    assert isinstance(watched.source, ReportsHealth)


def test_nothing_holds_on_to_a_lost_connection(watch):
    """Decoders have threads and memory; they must not wait for the garbage collector, which may take minutes."""
    gc.disable()
    try:
        watched = watch([None, gone()], [None, UNTIL_CLOSED], [None, UNTIL_CLOSED])  # broken, and silent
        watched.wait(lambda: len(watched.frames) == 3)
        freed = [threading.Event(), threading.Event()]
        for camera, event in zip(watched.opened, freed, strict=False):
            weakref.finalize(camera, event.set)
        del camera
        watched.opened.clear()
        assert all(event.wait(20) for event in freed)
    finally:
        gc.enable()


def test_a_change_is_told_and_logged_once_however_often_the_attempt_fails(watch, caplog):
    caplog.set_level(logging.INFO)
    watched = watch(*[gone(Cause.REFUSED) for _ in range(20)], [None, UNTIL_CLOSED])
    watched.wait(lambda: watched.frames)
    assert watched.states == ["retrying", "live"]
    assert [record.getMessage() for record in caplog.records] == [
        "source cam is retrying: it is refused",
        "source cam is live again",
    ]


def test_a_camera_that_falls_silent_is_stalled_then_left_for_a_new_connection(watch):
    watched = watch([None, UNTIL_CLOSED], [None, UNTIL_CLOSED])
    watched.wait(lambda: len(watched.frames) == 2)
    assert watched.states == ["live", "stalled", "retrying", "live"]
    assert watched.opened[0].left.wait(20)  # its thread was let go
    assert watched.source.health.stalls == 1


def test_a_camera_that_hangs_in_open_is_left_behind_but_only_so_often(watch):
    """Every open hangs: two threads are left, a third is not risked, and stopping is not held up."""
    release, begun, hanging = threading.Event(), [], threading.Semaphore(0)

    def hang():
        begun.append(threading.current_thread())
        hanging.release()
        assert release.wait(20)
        return []

    watched = watch(*[hang] * 9)
    for _ in range(MAX_HANGING):
        assert hanging.acquire(timeout=20)
    assert not hanging.acquire(timeout=1)  # many times the patience of this test
    began_s = time.monotonic()
    watched.stop()
    assert time.monotonic() - began_s < 3
    assert watched.healths[0].cause == "timeout"
    release.set()
    for thread in begun:
        thread.join(20)
        assert not thread.is_alive()
    assert all(camera.left.wait(20) for camera in watched.opened)  # what opened too late was closed again


def test_a_driver_that_lets_go_after_all_is_used_again(watch):
    release = threading.Event()

    def hang():
        assert release.wait(20)
        return [UNTIL_CLOSED]

    watched = watch(*[hang] * MAX_HANGING, [None, UNTIL_CLOSED])
    watched.wait(lambda: "retrying" in watched.states)
    release.set()
    watched.wait(lambda: watched.frames)
    assert watched.states[-1] == "live"


def test_a_read_that_never_returns_does_not_hold_up_the_stop(watch):
    stuck = threading.Event()
    watched = watch([None, stuck], patience=PATIENCE)
    watched.wait(lambda: watched.frames)
    began_s = time.monotonic()
    watched.stop()
    assert time.monotonic() - began_s < 3
    assert watched.states == ["live", "stopped"]
    stuck.set()
    assert watched.opened[0].left.wait(20)


def test_a_recording_that_is_over_is_an_end_and_no_loss(watch):
    watched = watch([None])
    watched.thread.join(20)
    assert watched.error is None
    assert watched.states[-1] == "ended"


def test_an_error_that_is_no_loss_of_the_camera_is_raised(watch):
    watched = watch(SettingsError("no such option"))
    watched.thread.join(20)
    assert isinstance(watched.error, SettingsError)
    assert watched.states == ["failed"]


def test_a_source_error_without_a_cause_is_tried_again(watch):
    watched = watch(SourceError("cam", "odd"), [None, UNTIL_CLOSED])
    watched.wait(lambda: watched.frames)
    assert watched.healths[0].reason == "odd"


def test_before_the_first_connection_only_the_kind_is_known():
    source = Reconnecting(lambda: None, name="cam", kind="stream")
    assert source.info == SourceInfo("stream", (0, 0))
    assert source.health == Health("connecting")
