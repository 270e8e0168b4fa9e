"""Slots of the PGs: one that answers keeps all of its own, one that hangs keeps a few."""

from __future__ import annotations

from worker.charging.pg_slots import PgSlots


def ended(slots: PgSlots, pg: str, count: int, *, answered: bool) -> None:
    for _ in range(count):
        slots.start(pg)
        slots.end(pg, answered=answered)


def test_pg_has_all_its_slots_before_anything_is_known_of_it():
    slots = PgSlots(200)
    assert (slots.limit("kakaopay"), slots.free("kakaopay")) == (200, 200)


def test_slots_of_one_pg_are_not_those_of_another():
    slots = PgSlots(200)
    for _ in range(200):
        slots.start("payco")
    assert (slots.free("payco"), slots.free("kakaopay")) == (0, 200)


def test_pg_that_hangs_keeps_a_twentieth_of_its_slots():
    slots = PgSlots(200)
    ended(slots, "payco", 1000, answered=False)
    assert (slots.limit("payco"), slots.limit("kakaopay")) == (10, 200)


def test_pg_with_few_slots_keeps_one():
    slots = PgSlots(1)
    ended(slots, "payco", 100, answered=False)
    assert slots.limit("payco") == 1


def test_one_hanging_call_among_a_hundred_takes_hardly_a_slot():
    slots = PgSlots(200)
    for _ in range(10):
        ended(slots, "kakaopay", 99, answered=True)
        ended(slots, "kakaopay", 1, answered=False)
    assert slots.limit("kakaopay") >= 190


def test_pg_that_answers_again_gets_its_slots_back():
    slots = PgSlots(200)
    ended(slots, "payco", 1000, answered=False)
    ended(slots, "payco", 400, answered=True)
    assert slots.limit("payco") >= 190


def test_calls_beyond_a_lower_limit_leave_no_slot_free():
    slots = PgSlots(20)
    for _ in range(20):
        slots.start("payco")
    for _ in range(15):
        slots.end("payco", answered=False)
    assert slots.free("payco") <= 0
