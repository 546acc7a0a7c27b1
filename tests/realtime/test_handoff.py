"""Newest wins for live, nothing lost for files; an end is not a failure."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.handoff import BoundedQueue, Closed, LatestSlot


@given(st.lists(st.booleans(), max_size=60))
def test_a_slot_never_returns_an_older_item_and_counts_every_loss(puts):
    slot: LatestSlot[int] = LatestSlot()
    put, taken = 0, []
    for is_put in puts:
        if is_put:
            slot.put(put)
            put += 1
        elif slot.ready:
            taken.append(slot.get(timeout=0))
    slot.close()
    while True:
        try:
            taken.append(slot.get(timeout=0))
        except Closed:
            break
    assert taken == sorted(set(taken))
    assert len(taken) + slot.overwritten == put
    assert not put or taken[-1] == put - 1


@pytest.mark.parametrize("make", [LatestSlot, lambda: BoundedQueue(2)])
class TestBoth:
    def test_nothing_there_is_a_timeout(self, make):
        with pytest.raises(TimeoutError):
            make().get(timeout=0)

    def test_the_last_item_comes_before_the_end(self, make):
        handoff = make()
        handoff.put(1)
        handoff.close()
        assert handoff.get(timeout=0) == 1
        with pytest.raises(Closed):
            handoff.get(timeout=0)
        with pytest.raises(Closed):
            handoff.get(timeout=0)

    def test_a_failure_comes_after_the_last_item_and_is_the_first_one(self, make):
        handoff = make()
        handoff.put(1)
        handoff.close(OSError("camera gone"))
        handoff.close()
        assert handoff.get(timeout=0) == 1
        with pytest.raises(OSError, match="camera gone"):
            handoff.get(timeout=0)

    def test_closing_wakes_a_blocked_consumer(self, make):
        handoff, ended = make(), threading.Event()

        def consume():
            try:
                handoff.get()
            except Closed:
                ended.set()

        thread = threading.Thread(target=consume)
        thread.start()
        handoff.close()
        assert ended.wait(5)
        thread.join(5)


def test_a_full_queue_blocks_its_producer_until_there_is_room():
    queue: BoundedQueue[int] = BoundedQueue(2)
    third = threading.Event()

    def produce():
        for number in range(3):
            queue.put(number)
        third.set()
        queue.close()

    thread = threading.Thread(target=produce)
    thread.start()
    assert not third.wait(0.05)
    assert [queue.get(timeout=5) for _ in range(3)] == [0, 1, 2]
    assert third.wait(5)
    thread.join(5)


def test_a_consumer_that_gives_up_frees_a_blocked_producer():
    queue: BoundedQueue[int] = BoundedQueue(1)
    queue.put(0)
    freed = threading.Event()

    def produce():
        try:
            queue.put(1)
        except Closed:
            freed.set()

    thread = threading.Thread(target=produce)
    thread.start()
    queue.cancel()
    assert freed.wait(5)
    thread.join(5)


def test_two_slots_can_be_waited_for_together():
    wake = threading.Condition()
    first, second = LatestSlot[int](wake), LatestSlot[int](wake)
    threading.Timer(0, second.put, [7]).start()
    with wake:
        assert wake.wait_for(lambda: first.ready or second.ready, 5)
    assert second.get(timeout=0) == 7


def test_a_queue_without_room_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        BoundedQueue(0)
