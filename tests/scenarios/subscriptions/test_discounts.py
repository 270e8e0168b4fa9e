"""Discounts, credits and one-off items: what is shown is charged, to the won, and nothing is lost on the way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy.exc import DatabaseError

from tests.scenarios.conftest import World
from worker.changes.discount_codes import add_discount, end_discount
from worker.changes.request import ChangeRequest, preview_change, request_change
from worker.domain.changes import ChangeKind
from worker.domain.errors import Refused
from worker.ledger import discounts
from worker.ledger.new_charges import items_of
from worker.ledger.voiding import void
from worker.sandbox.rules.behaviours import Behaviour, decline, pay

A_DAY = timedelta(days=1)


def asked(subscription: str, kind: ChangeKind, parameters: dict[str, Any]) -> ChangeRequest:
    return ChangeRequest(kind=kind, subscription=subscription, parameters=parameters, reason="a story")


def give(world: World, subscription: str, kind: ChangeKind, /, **parameters: Any) -> None:
    request = asked(subscription, kind, parameters)
    request_change(world.runtime.sessions, request, policy=world.runtime.change_policy, now=world.now)


def subscribe(world: World, *story: Behaviour) -> str:
    """Subscribe a customer whose first period begins tomorrow: what is open already is not changed any more."""
    return world.subscribe(*story, starts_on=world.now.date() + A_DAY)


def live_months(world: World, count: int) -> None:
    """Let periods begin and be charged, by one tick a day."""
    world.live(days=31 * count, step=A_DAY)


def paid(world: World) -> list[int]:
    """Return what the sandbox has been paid, by its own ledger, the first payment first."""
    listed = sorted(world.portone.payments(), key=lambda payment: payment["merchant_uid"])
    return [payment["amount"] for payment in listed if payment["status"] == "paid"]


def lines(world: World, charge_id: int) -> list[tuple[str, int]]:
    with world.runtime.sessions() as session:
        return [(each.kind, each.amount) for each in items_of(session, charge_id)]


def test_half_price_for_three_months_is_full_price_afterwards(world: World):
    code = subscribe(world, pay())
    give(world, code, ChangeKind.DISCOUNT, percent=50, periods=3, name="첫 3개월 반값")
    world.live(days=1, step=A_DAY)
    live_months(world, 3)
    assert [charge.amount for charge in world.charges(code)] == paid(world) == [4950, 4950, 4950, 9900]
    world.assert_books_agree()


def test_credit_is_used_up_over_two_periods(world: World):
    code = subscribe(world, pay())
    give(world, code, ChangeKind.CREDIT, amount=12_000)
    world.live(days=1, step=A_DAY)
    live_months(world, 2)
    assert [charge.amount for charge in world.charges(code)] == [0, 7800, 9900]
    assert paid(world) == [7800, 9900]
    world.assert_books_agree()


def test_what_a_discount_leaves_below_the_minimum_is_paid_with_the_next_period(world: World):
    code = subscribe(world, pay())
    give(world, code, ChangeKind.DISCOUNT, amount=9850, periods=1)
    world.live(days=1, step=A_DAY)
    assert world.portone.charges() == {}
    live_months(world, 1)
    first, second = world.charges(code)
    assert lines(world, first.id) == [("plan", 9900), ("discount", -9850), ("carried", -50)]
    assert lines(world, second.id) == [("plan", 9900), ("carried", 50)]
    assert paid(world) == [9950]
    world.assert_books_agree()


def test_free_period_is_paid_without_a_call(world: World):
    code = subscribe(world, decline("LACK_BALANCE", "잔액이 부족합니다"))
    give(world, code, ChangeKind.DISCOUNT, percent=100)
    world.live(days=1, step=A_DAY)
    (charge,) = world.charges(code)
    assert (charge.status, charge.amount, world.attempts()) == ("paid", 0, [])
    assert world.portone.charges() == {}
    world.assert_books_agree()


def test_set_up_fee_comes_with_the_next_charge_once(world: World):
    code = subscribe(world, pay())
    give(world, code, ChangeKind.ONE_OFF, amount=5000, tax_free=5000, name="가입비")
    world.live(days=1, step=A_DAY)
    live_months(world, 1)
    first, second = world.charges(code)
    assert (first.amount, first.tax_free, second.amount, second.tax_free) == (14_900, 5000, 9900, 0)
    assert paid(world) == [14_900, 9900]
    world.assert_books_agree()


def test_void_charge_leaves_its_credit_for_the_next_one(world: World):
    code = subscribe(world, decline("LACK_BALANCE", "잔액이 부족합니다"), pay())
    give(world, code, ChangeKind.CREDIT, amount=3000)
    world.live(days=1, step=A_DAY)
    (charge,) = world.charges(code)
    assert (charge.status, charge.amount) == ("past_due", 6900)
    with world.runtime.sessions.begin() as session:
        void(session, [charge.id], reason="forgiven", now=world.now)
    world.sql("UPDATE subscriptions SET status = 'active', status_at = :now", now=world.now)
    live_months(world, 1)
    assert [each.amount for each in world.charges(code)] == [6900, 6900]
    assert paid(world) == [6900]
    world.assert_books_agree()


def test_preview_shows_what_is_then_charged(world: World):
    code = subscribe(world, pay())
    world.live(days=1, step=A_DAY)
    give(world, code, ChangeKind.CREDIT, amount=4000)
    request = asked(code, ChangeKind.DISCOUNT, {"percent": 30, "periods": 2})
    policy = world.runtime.change_policy
    preview = preview_change(world.runtime.sessions, request, policy=policy, now=world.now)
    give(world, code, ChangeKind.DISCOUNT, percent=30, periods=2)
    live_months(world, 3)
    assert [charge.amount for charge in world.charges(code)][1:] == [period.amount for period in preview.periods]
    assert [period.amount for period in preview.periods] == [2930, 6930, 9900]
    world.assert_books_agree()


def test_discount_that_is_taken_back_changes_no_further_charge(world: World):
    code = subscribe(world, pay())
    give(world, code, ChangeKind.DISCOUNT, percent=50)
    world.live(days=1, step=A_DAY)
    (adjustment,) = world.sql("SELECT id FROM adjustments")
    give(world, code, ChangeKind.DISCOUNT, remove=adjustment.id)
    live_months(world, 1)
    assert paid(world) == [4950, 9900]
    with pytest.raises(Refused, match="has no discount"):
        give(world, code, ChangeKind.DISCOUNT, remove=adjustment.id)
    world.assert_books_agree()


# --- codes -----------------------------------------------------------------------------------------------------------


def test_code_is_redeemed_as_often_as_it_allows_however_many_come_at_once(world: World):
    sessions = world.runtime.sessions
    add_discount(sessions, {"code": "spring", "percent": 50, "max_uses": 3}, now=world.now)
    codes = [subscribe(world, pay()) for _ in range(8)]
    barrier = Barrier(len(codes))

    def redeem(code: str) -> bool:
        barrier.wait()
        try:
            give(world, code, ChangeKind.DISCOUNT, code="SPRING")
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(len(codes)) as threads:
        assert sorted(threads.map(redeem, codes)) == [False] * 5 + [True] * 3
    with sessions() as session:
        known = discounts.found(session, "SPRING")
    assert known is not None
    assert known.uses == 3
    world.live(days=1, step=A_DAY)
    assert sorted(paid(world)) == [4950] * 3 + [9900] * 5
    world.assert_books_agree()


def test_code_is_redeemed_once_by_a_subscription_and_not_after_its_end(world: World):
    sessions = world.runtime.sessions
    add_discount(sessions, {"code": "SPRING", "amount": 1000, "ends_on": "2026-01-31"}, now=world.now)
    code, late = subscribe(world, pay()), subscribe(world, pay())
    give(world, code, ChangeKind.DISCOUNT, code="spring")
    with pytest.raises(Refused, match="redeemed discount code SPRING already"):
        give(world, code, ChangeKind.DISCOUNT, code="spring")
    world.wait(days=27)
    with pytest.raises(Refused, match="ended on"):
        give(world, late, ChangeKind.DISCOUNT, code="spring")


def test_code_that_was_ended_is_not_redeemed_and_is_not_ended_twice(world: World):
    sessions = world.runtime.sessions
    add_discount(sessions, {"code": "SPRING", "percent": 10}, now=world.now)
    end_discount(sessions, "spring", now=world.now)
    with pytest.raises(Refused, match="was ended on"):
        end_discount(sessions, "SPRING", now=world.now)
    with pytest.raises(Refused, match="ended on"):
        give(world, subscribe(world, pay()), ChangeKind.DISCOUNT, code="SPRING")


def test_code_for_some_plans_is_redeemed_by_subscriptions_to_those_only(world: World):
    sessions = world.runtime.sessions
    world.plan("gold", amount="19900")
    world.plan("silver", amount="14900")
    terms = {"code": "GOLDEN", "percent": 50, "plans": ["silver", "gold", "gold"], "max_uses": 1}
    assert add_discount(sessions, terms, now=world.now).plans == ["gold", "silver"]
    other, silver = subscribe(world, pay()), world.subscribe(pay(), plan="silver", starts_on=world.now.date() + A_DAY)
    with pytest.raises(Refused, match=r"is for the plans gold, silver only, and subscription \w+ is to monthly"):
        give(world, other, ChangeKind.DISCOUNT, code="GOLDEN")
    give(world, silver, ChangeKind.DISCOUNT, code="GOLDEN")
    world.live(days=1, step=A_DAY)
    assert sorted(paid(world)) == [7450, 9900]
    ((reason,),) = world.sql("SELECT reason FROM audit WHERE entity = 'discount'")
    assert reason == "50 percent off, 1 uses at most, only plan gold or silver"


def test_plans_of_a_code_never_change(world: World):
    add_discount(world.runtime.sessions, {"code": "SPRING", "percent": 50}, now=world.now)
    with pytest.raises(DatabaseError, match="what a discount code is for never changes"):
        world.sql("UPDATE discounts SET plans = '{gold}'")


# --- wrong input -----------------------------------------------------------------------------------------------------


WRONG: list[tuple[ChangeKind, dict[str, Any], str]] = [
    (ChangeKind.DISCOUNT, {}, "Give one of code, percent, amount and remove"),
    (ChangeKind.DISCOUNT, {"percent": 10, "amount": 100}, "only one"),
    (ChangeKind.DISCOUNT, {"percent": 101}, "whole number of percent from 1 to 100"),
    (ChangeKind.DISCOUNT, {"percent": "12.5"}, "whole number of percent"),
    (ChangeKind.DISCOUNT, {"percent": True}, "whole number of percent"),
    (ChangeKind.DISCOUNT, {"amount": 9901}, "above the price"),
    (ChangeKind.DISCOUNT, {"amount": -1}, "whole number of won"),
    (ChangeKind.DISCOUNT, {"percent": 10, "periods": 0}, "whole number of periods"),
    (ChangeKind.DISCOUNT, {"code": "NONE"}, "There is no discount code 'NONE'"),
    (ChangeKind.DISCOUNT, {"code": "a b"}, "must be 1 to 40 of A-Z"),
    (ChangeKind.DISCOUNT, {"remove": 99}, "has no discount 99"),
    (ChangeKind.DISCOUNT, {"percent": 10, "name": "x" * 41}, "1 to 40 characters"),
    (ChangeKind.CREDIT, {"amount": -3000}, "whole number of won from 1"),
    (ChangeKind.CREDIT, {"amount": 30.5}, "whole number of won"),
    (ChangeKind.CREDIT, {}, "amount is missing"),
    (ChangeKind.CREDIT, {"amount": 999_999_999}, "AGAIN_MAX_AMOUNT"),
    (ChangeKind.ONE_OFF, {"amount": 5000}, "The name is None"),
    (ChangeKind.ONE_OFF, {"amount": 5000, "tax_free": 5001, "name": "가입비"}, "The tax-free part is 5001"),
    (ChangeKind.ONE_OFF, {"amount": 999_999_999, "name": "가입비"}, "AGAIN_MAX_AMOUNT"),
    (ChangeKind.ONE_OFF, {"remove": "x"}, "'x' is no id of what could be removed"),
]


def test_wrong_terms_are_refused_in_a_sentence_and_change_nothing(world: World):
    code = subscribe(world, pay())
    for kind, parameters, said in WRONG:
        with pytest.raises(Refused, match=said):
            give(world, code, kind, **parameters)
    assert world.sql("SELECT FROM adjustments") == world.sql("SELECT FROM changes") == []
