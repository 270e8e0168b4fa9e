"""Calls of one process: slots by PG, what is claimed ahead of them, and what is given up because none comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from tests.support.attempts import attempt, request
from worker.charging import calls as in_flight
from worker.charging.calls import Calls
from worker.domain.attempt import Attempt
from worker.domain.gateway import LeaseCheck
from worker.domain.outcomes import NotCharged, NotChargedReason, Outcome, Unknown, UnknownReason

RUN: ContextVar[str] = ContextVar("run")
"""The run of the pump that a call was claimed in, as log lines and traces have it."""

TIMEOUT = Unknown(UnknownReason.TIMEOUT)
ANSWERED = Unknown(UnknownReason.DUPLICATE)  # whatever it says, it is an answer


class Line:
    """Calls whose answers come when a test says so."""

    def __init__(self, *, max_in_flight: int = 2, ahead: int = 4) -> None:
        self.now = 100.0
        self.open: dict[int, asyncio.Future[Outcome]] = {}
        self.outcomes: dict[int, Outcome] = {}
        self.runs: dict[int, str] = {}
        self.one_ended = asyncio.Event()
        self.calls = Calls(
            self._call, self._ended, max_in_flight=max_in_flight, ahead=ahead, monotonic=lambda: self.now
        )

    async def _call(self, each: Attempt, _: LeaseCheck) -> Outcome:
        self.runs[each.charge.id] = RUN.get("")
        RUN.set("another")  # what a call does to its context is seen by no other
        self.open[each.charge.id] = asyncio.get_running_loop().create_future()
        return await self.open[each.charge.id]

    def _ended(self, each: Attempt, outcome: Outcome) -> None:
        self.outcomes[each.charge.id] = outcome
        self.one_ended.set()

    async def add(self, pg: str, *ids: int) -> None:
        self.calls.add([attempt(request=request(pg=pg), charge_id=each) for each in ids], lambda: True)
        await asyncio.sleep(0)

    async def answer(self, *ids: int, outcome: Outcome = ANSWERED) -> None:
        for each in ids:
            self.open.pop(each).set_result(outcome)
        for _ in range(3):  # the call ends, then the next one starts
            await asyncio.sleep(0)


def told(story: Callable[[Line], Awaitable[None]], line: Line | None = None) -> Line:
    async def tell(line: Line) -> None:
        await story(line)

    line = line or Line()
    asyncio.run(tell(line))
    return line


def test_calls_start_as_far_as_their_pg_has_slots():
    async def story(line: Line) -> None:
        await line.add("payco", 1, 2, 3)
        await line.add("kakaopay", 4)
        assert set(line.open) == {1, 2, 4}
        await line.answer(1)
        assert set(line.open) == {2, 3, 4}

    told(story)


def test_call_belongs_to_the_run_that_claimed_it_whatever_made_room_for_it():
    async def story(line: Line) -> None:
        RUN.set("first")
        await line.add("payco", 1, 2, 3)
        RUN.set("second")
        await line.add("payco", 4)
        await line.answer(1)
        await line.answer(2)
        assert line.runs == {1: "first", 2: "first", 3: "first", 4: "second"}

    told(story)


def test_pg_that_does_not_answer_takes_no_slot_of_another():
    async def story(line: Line) -> None:
        await line.add("payco", 1, 2)
        for each in range(10, 20):
            await line.add("kakaopay", each)
            await line.answer(each)
        assert (set(line.open), line.calls.room("payco"), line.calls.room("kakaopay")) == ({1, 2}, 0, 6)

    told(story)


def test_charges_are_claimed_ahead_by_the_pace_of_their_pg():
    async def story(line: Line) -> None:
        assert line.calls.room("kakaopay") == 2  # its slots
        await line.add("kakaopay", 1, 2)
        await line.answer(1, 2)
        assert line.calls.room("kakaopay") == 3  # two calls have ended in this second: half a second ahead
        line.now += 1
        assert line.calls.room("kakaopay") == 3
        line.now += 1
        assert line.calls.room("kakaopay") == 2

    told(story)


def test_unanswered_calls_set_no_pace_and_take_slots_away():
    async def story(line: Line) -> None:
        await line.add("payco", *range(1, 21))
        await line.answer(*range(1, 21), outcome=TIMEOUT)
        assert 1 <= line.calls.room("payco") < 5

    told(story, Line(max_in_flight=20))


def test_what_was_claimed_ahead_and_has_no_slot_in_time_is_not_sent(monkeypatch):
    monkeypatch.setattr(in_flight, "AHEAD_SECONDS", 0.0)

    async def story(line: Line) -> None:
        await line.add("payco", 1, 2, 3)
        await line.one_ended.wait()
        await line.answer(1, 2)

    line = told(story)
    assert line.outcomes == {1: ANSWERED, 2: ANSWERED, 3: NotCharged(NotChargedReason.LEASE_OVER)}
    assert line.open == {}


def test_later_claim_keeps_its_place_when_an_earlier_one_is_given_up(monkeypatch):
    async def story(line: Line) -> None:
        await line.add("payco", 1, 2, 3)
        monkeypatch.setattr(in_flight, "AHEAD_SECONDS", 3600.0)
        await line.add("payco", 4)
        await line.one_ended.wait()
        await line.answer(1)
        assert set(line.open) == {2, 4}

    monkeypatch.setattr(in_flight, "AHEAD_SECONDS", 0.0)
    told(story)
