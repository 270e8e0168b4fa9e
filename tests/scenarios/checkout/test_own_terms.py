"""What a page shows and a customer agrees to is what is charged: by the own quantity, price and discounts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from worker.domain.changes import ChangeKind
from worker.sandbox.rules.behaviours import decline
from worker.web.pages import terms
from worker.web.pages.wording import Language


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def paid(world: World) -> list[int]:
    """Return what the sandbox was paid; a key that is registered alone is a payment of nothing."""
    return [each["amount"] for each in world.portone.payments() if each["status"] == "paid" and each["amount"]]


def consented(world: World) -> list[tuple[int, int]]:
    return [(row.amount, row.due_now) for row in world.sql("SELECT amount, due_now FROM consents ORDER BY id")]


@pytest.mark.parametrize(("pg", "with_payment"), [("kakaopay", True), ("payco", False)])
def test_first_period_is_charged_as_it_was_shown_with_its_discount(
    world: World, till: Till, pg: str, with_payment: bool
):
    code = till.pending()
    world.change(ChangeKind.DISCOUNT, code, percent=50, periods=2)
    link = till.link(code, pg=pg, with_payment=with_payment)
    view = till.view(link)
    assert (view.amount, view.first_amount, view.coming) == (9900, 4950, (4950, 4950, 9900))
    assert "오늘 첫 요금 4,950원이 결제되고" in terms.consent_of(view, Language.KOREAN)
    imp_uid = till.approve(till.open(link))
    till.complete(link, imp_uid)
    world.tick()
    assert consented(world) == [(9900, 4950)]
    assert paid(world) == [4950]
    world.live(days=65, step=timedelta(days=1))
    assert [charge.amount for charge in world.charges(code)] == [4950, 4950, 9900]
    world.assert_books_agree()
    world.assert_money_agrees()


def test_free_first_period_registers_the_key_alone_and_is_settled_with_it(world: World, till: Till):
    code = till.pending()
    world.change(ChangeKind.DISCOUNT, code, percent=100, periods=1)
    link = till.link(code, pg="kakaopay", with_payment=True)
    view = till.view(link)
    assert (view.charges_now, view.coming) == (False, (0, 9900, 9900))
    till.complete(link, till.approve(till.open(link)))
    world.tick()
    (charge,) = world.charges(code)
    assert (charge.status, charge.amount, paid(world)) == ("paid", 0, [])
    world.live(days=32, step=timedelta(days=1))
    assert paid(world) == [9900]
    world.assert_books_agree()


def test_window_left_unpaid_leaves_the_discount_for_the_later_beginning(world: World, till: Till):
    code = till.pending()
    world.change(ChangeKind.DISCOUNT, code, percent=50, periods=1)
    world.change(ChangeKind.ONE_OFF, code, amount=5000, name="가입비")
    link = till.link(code, pg="kakaopay", with_payment=True)
    till.open(link)
    world.live(days=3)
    later = till.link(code, pg="payco")
    assert till.view(later).first_amount == 9950
    till.complete(later, till.approve(till.open(later)))
    world.tick()
    assert paid(world) == [9950]
    assert [(each.status, each.amount) for each in world.charges(code)] == [("void", 9950), ("paid", 9950)]
    world.assert_books_agree()


def test_another_key_is_charged_what_is_owed_by_the_subscriptions_own_terms(world: World, till: Till):
    world.plan()
    code = world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"))
    world.sql("UPDATE subscriptions SET quantity = 3")
    world.tick()
    world.change(ChangeKind.CREDIT, code, amount=700)
    world.sql("UPDATE billing_keys SET status = 'dead', status_at = :now", now=world.now)
    world.wait(days=32)
    link = till.link(code, pg="payco")
    view = till.view(link)
    assert (view.amount, view.owed, view.owed_periods) == (29_700, 29_700 + 29_000, 2)
    till.complete(link, till.approve(till.open(link)))
    world.live(days=1)
    assert sorted(paid(world)) == [29_000, 29_700]
    assert consented(world) == [(29_700, 58_700)]
    world.assert_books_agree()


def test_page_for_another_key_says_what_is_planned_and_no_sum_beyond_it(world: World, till: Till):
    world.plan()
    world.plan("gold", amount="19900")
    code = world.subscribe()
    world.tick()
    world.change(ChangeKind.CREDIT, code, amount=10_900)
    world.change(ChangeKind.CHANGE_PLAN, code, plan="gold")
    link = till.link(code, pg="payco")
    view = till.view(link)
    assert view.coming == ()
    facts = {fact.name: fact.text for fact in terms.facts_of(view, "Shop", Language.ENGLISH)}
    assert "plan gold from 2026-02-05 on" in facts["Planned change"]
    assert "19,900 KRW" in facts["Planned change"]
    korean = {fact.name: fact.text for fact in terms.facts_of(view, "Shop", Language.KOREAN)}
    assert "19,900원" in korean["예정된 변경"]
    till.complete(link, till.approve(till.open(link)))
    world.live(days=35, step=timedelta(days=1))
    assert paid(world) == [9900, 9000]
    world.assert_books_agree()
