"""A run's way through the queues: behind what it took, past what is exhausted, and now and then from the head."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.support.attempts import attempt, request
from worker.charging.queue_walk import FROM_THE_HEAD_SECONDS, LOOK_AGAIN_SECONDS, QueueWalk
from worker.domain.attempt import Attempt
from worker.ledger.queues import HEAD, Wanted

DUE = datetime(2026, 1, 5, tzinfo=UTC)


class Walk:
    """A walk on a clock that is moved by hand, with room for ten charges of each PG."""

    def __init__(self, *queues: str) -> None:
        self.now = 100.0
        self.walk = QueueWalk(monotonic=lambda: self.now)
        self.walk.learn(queues)

    def wanted(self, *, most: int = 5, room: int = 10) -> dict[str, Wanted]:
        return dict(self.walk.wanted(lambda _: room, most=most))


def taken(pg: str, *ids: int) -> list[Attempt]:
    return [attempt(request=request(pg=pg), charge_id=each, due_at=DUE + timedelta(seconds=each)) for each in ids]


def place(charge_id: int) -> tuple[datetime, int]:
    return DUE + timedelta(seconds=charge_id), charge_id


def test_first_claim_begins_at_the_head_of_each_queue():
    assert Walk("kakaopay", "payco").wanted() == {"kakaopay": Wanted(5, HEAD), "payco": Wanted(5, HEAD)}


def test_no_more_is_wanted_than_there_is_room_for():
    walk = Walk("kakaopay")
    assert walk.wanted(room=3) == {"kakaopay": Wanted(3, HEAD)}
    assert walk.wanted(room=0) == {}


def test_next_claim_goes_on_behind_the_last_charge_taken():
    walk = Walk("kakaopay", "payco")
    walk.walk.note(walk.wanted(most=2), taken("kakaopay", 7, 8) + taken("payco", 3, 4))
    assert walk.wanted() == {"kakaopay": Wanted(5, place(8)), "payco": Wanted(5, place(4))}


def test_queue_that_had_less_than_was_wanted_is_left_alone_for_a_while():
    walk = Walk("kakaopay", "payco")
    walk.walk.note(walk.wanted(most=2), taken("kakaopay", 7, 8) + taken("payco", 3))
    assert (set(walk.wanted()), walk.walk.is_exhausted) == ({"kakaopay"}, False)
    walk.now += LOOK_AGAIN_SECONDS
    assert walk.wanted()["payco"] == Wanted(5, HEAD)


def test_written_outcomes_make_an_exhausted_queue_worth_a_look():
    walk = Walk("kakaopay")
    walk.walk.note(walk.wanted(), [])
    assert (walk.wanted(), walk.walk.is_exhausted) == ({}, True)
    walk.walk.look_again()
    assert walk.wanted() == {"kakaopay": Wanted(5, HEAD)}


def test_long_queue_is_walked_from_its_head_again_now_and_then():
    walk = Walk("kakaopay")
    walk.walk.note(walk.wanted(most=2), taken("kakaopay", 7, 8))
    walk.now += FROM_THE_HEAD_SECONDS
    assert walk.wanted() == {"kakaopay": Wanted(5, HEAD)}


def test_names_of_the_queues_are_read_again_now_and_then():
    walk = Walk("kakaopay")
    assert not walk.walk.needs_names
    walk.now += LOOK_AGAIN_SECONDS
    assert walk.walk.needs_names
