"""What a host learns of charges that the consent gate holds: what they lack, and how each came to be free."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from schedules.plans import GateMode
from tests.scenarios.changes.test_consent_gate import charged, consent, in_trial, tell, until
from tests.scenarios.changes.test_prices import new_price
from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from tests.support.events import published
from worker.domain.changes import ChangeKind
from worker.domain.events.types import EventType
from worker.events.queries import Event
from worker.sandbox.rules.behaviours import pay

Act = Callable[[World, str, int], Any]


def of_type(world: World, kind: EventType) -> list[Event]:
    return [event for event in published(world.runtime.sessions) if event.type is kind]


def released(world: World) -> list[tuple[int, str]]:
    """Return what the host is told of charges that are free again: which, and why."""
    return [
        (event.data["charge"]["id"], event.data["released_by"]) for event in of_type(world, EventType.CHARGE_RELEASED)
    ]


def held(world: World, *, agrees: bool = False, is_told: bool = False) -> tuple[str, int]:
    """Return a subscription and its charge, which is held for want of the rest."""
    code = in_trial(world)
    until(world, date(2026, 1, 10))
    if agrees:
        consent(world, code)
    if is_told:
        tell(world, code)
    until(world, date(2026, 1, 21))
    (charge,) = world.charges(code)
    assert charge.gate_held_since is not None
    return code, charge.id


def test_host_is_told_what_a_held_charge_lacks_and_by_when(world: World):
    code, charge = held(world)
    (event,) = of_type(world, EventType.CHARGE_HELD)
    assert (event.data["subscription"]["code"], event.data["charge"]["id"]) == (code, charge)
    assert event.data["lacks"] == [
        {"rule": "consent_free_to_paid", "wanted": "consent", "days": 30, "not_before": "2025-12-20", "by": None},
        {"rule": "notice_free_to_paid", "wanted": "message", "days": 7, "not_before": None, "by": "2026-01-12"},
    ]
    assert released(world) == []


def test_host_is_told_only_of_what_is_lacking(world: World):
    held(world, is_told=True)
    (event,) = of_type(world, EventType.CHARGE_HELD)
    assert [each["rule"] for each in event.data["lacks"]] == ["consent_free_to_paid"]


def test_what_it_lacked_as_it_was_held_is_told_though_it_is_free_when_published(world: World):
    code, charge = held(world, is_told=True)
    consent(world, code)  # before anything is published
    (event,) = of_type(world, EventType.CHARGE_HELD)
    assert [each["rule"] for each in event.data["lacks"]] == ["consent_free_to_paid"]
    assert released(world) == [(charge, "consent")]


def _pay_by_hand(world: World, _: str, charge: int) -> None:
    till = Till(world)
    till.approve(till.open(till.link(charge=charge, pg="kakaopay")))


def _write_off(world: World, _: str, charge: int) -> None:
    world.change(ChangeKind.WRITE_OFF, charge)


@pytest.mark.parametrize(
    ("act", "why", "won"),
    [
        (lambda world, code, _: consent(world, code), "consent", 9_900),
        (lambda world, _, charge: world.change(ChangeKind.OVERRIDE_GATE, charge), "override", 9_900),
        (lambda world, *_: world.changed(consent_gate=GateMode.WARN), "gate_changed", 9_900),
        (lambda world, *_: world.changed(consent_gate=GateMode.OFF), "gate_changed", 9_900),
        (lambda world, _, charge: world.change(ChangeKind.VOID, charge), "settled", 0),
        (lambda world, _, charge: world.change(ChangeKind.PAID_ELSEWHERE, charge, reference="bank 1"), "settled", 0),
        (_pay_by_hand, "settled", 9_900),
    ],
    ids=["consent", "override", "warn", "off", "void", "paid elsewhere", "paid by hand"],
)
def test_host_is_told_how_a_held_charge_came_to_be_free(world: World, act: Act, why: str, won: int):
    code, charge = held(world, is_told=True)
    act(world, code, charge)
    world.live(days=1)
    assert released(world) == [(charge, why)]
    assert charged(world) == won
    until(world, date(2026, 2, 10))
    assert released(world) == [(charge, why)]  # once
    assert world.broken_invariants() == {}


def test_host_is_told_of_a_release_by_a_message_whose_days_are_over(world: World):
    code = in_trial(world)
    until(world, date(2026, 1, 16))
    consent(world, code)
    tell(world, code)  # three days before
    until(world, date(2026, 1, 22))
    assert (charged(world), released(world)) == (0, [])
    until(world, date(2026, 1, 24))
    (charge,) = world.charges(code)
    assert (charged(world), released(world)) == (9_900, [(charge.id, "message")])
    assert charge.gate_released_by == "message"
    world.assert_books_agree()


def test_consent_that_leaves_a_message_lacking_releases_nothing(world: World):
    code, _ = held(world)
    consent(world, code)
    world.live(days=1)
    assert (charged(world), released(world)) == (0, [])


def test_period_behind_an_overridden_one_is_released_as_nothing_is_wanted_of_it(world: World):
    code, first = held(world)
    until(world, date(2026, 2, 20))
    _, second = world.charges(code)
    world.change(ChangeKind.OVERRIDE_GATE, first)
    world.live(days=1)
    assert released(world) == [(first, "override"), (second.id, "nothing_wanted")]
    assert charged(world) == 2 * 9_900
    world.assert_books_agree()


def test_charge_given_up_while_it_is_held_is_released_by_its_consent(world: World):
    code, charge = held(world, is_told=True)
    world.change(ChangeKind.WRITE_OFF, charge)
    world.live(days=1)
    assert released(world) == []
    consent(world, code)
    assert released(world) == [(charge, "consent")]
    world.change(ChangeKind.COLLECT, charge)
    world.live(days=1)
    assert charged(world) == 9_900
    assert released(world) == [(charge, "consent")]
    world.assert_books_agree()


def test_consent_to_a_rise_is_told_as_what_released_it(world: World):
    world.changed(consent_gate=GateMode.STRICT)
    code = world.subscribe(pay())
    world.tick()
    world.change(ChangeKind.CHANGE_PRICE, code, date(2026, 2, 4), version=new_price(world, 12_900), agreed=True)
    until(world, date(2026, 2, 7))  # 31 days after that was agreed to
    (event,) = of_type(world, EventType.CHARGE_HELD)
    assert event.data["lacks"] == [
        {"rule": "consent_price_increase", "wanted": "consent", "days": 30, "not_before": "2026-01-06", "by": None}
    ]
    consent(world, code)
    world.tick()
    assert released(world) == [(world.charges(code)[-1].id, "consent")]
    assert charged(world) == 9_900 + 12_900
    world.assert_books_agree()


@pytest.mark.parametrize("act", [_pay_by_hand, _write_off], ids=["paid by hand", "written off"])
def test_period_after_one_that_was_settled_without_consent_is_held_too(world: World, act: Act):
    code, charge = held(world)
    act(world, code, charge)
    until(world, date(2026, 2, 21))
    paid = charged(world)
    assert [each.gate_held_since is not None for each in world.charges(code)] == [True, True]
    until(world, date(2026, 3, 10))
    assert charged(world) == paid
    assert world.broken_invariants() == {}
