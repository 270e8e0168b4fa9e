"""What was paid for days is returned once, whatever changes meet: as credit, by a refund, or off another charge."""

from __future__ import annotations

from datetime import date

import pytest

from tests.scenarios.changes.test_refunds import Operator
from tests.scenarios.conftest import World
from tests.scenarios.subscriptions.changing import change_plan, effect, go_to, periods
from worker.changes.price_move import PriceMove, move_prices
from worker.changes.prices import NewPrice, add_price
from worker.domain.changes import ChangeKind, Moment
from worker.domain.errors import Refused
from worker.domain.pricing.amounts import Amounts
from worker.sandbox.rules.behaviours import decline, pay

NOW = Moment.NOW


def on_20_january(world: World, *story: object) -> str:
    """Let the second half of a paid month begin: 16 of its 31 days are unused, 5,110 of 9,900 won."""
    world.plan("gold", amount="19900")
    code = world.subscribe(*story)  # type: ignore[arg-type]
    world.tick()
    go_to(world, date(2026, 1, 20))
    return code


def credit_of(world: World, code: str) -> int:
    query = """SELECT COALESCE(sum(x.amount_left), 0) FROM adjustments x
               WHERE x.subscription_id = (SELECT id FROM subscriptions WHERE code = :code)"""
    return int(world.sql(query, code=code)[0][0])


def test_renewal_moved_day_by_day_credits_no_more_than_moved_at_once(world: World):
    code = on_20_january(world)
    for day in ("2026-02-01", "2026-01-28", "2026-01-24", "2026-01-21"):
        world.change(ChangeKind.MOVE_RENEWAL, code, on=day)
    assert 4790 <= credit_of(world, code) <= 4794  # 15 of 31 days, and a won for each rounding


def test_refund_of_unused_days_gives_back_none_that_were_credited(world: World):
    code = on_20_january(world)
    world.change(ChangeKind.MOVE_RENEWAL, code, on="2026-01-25")
    assert credit_of(world, code) == 3513  # 11 of 31 days
    refunded = Operator(world).refund(unused_days=True)
    assert refunded.preview is not None
    assert refunded.preview.effect.refunded == 1597  # the 5 that are left of it


def test_whole_refund_of_a_charge_whose_days_were_deducted_wants_an_amount(world: World):
    code = on_20_january(world, pay())
    first = world.charges(code)[0].id
    change_plan(world, code, NOW, plan="gold")
    with pytest.raises(Refused, match="Give the amount"):
        Operator(world).refund(first)
    assert Operator(world).refund(first, amount=4790).change.status == "applied"
    world.tick()
    world.assert_money_agrees()


def test_one_off_item_and_more_of_a_plan_do_not_pass_the_highest_amount(world: World):
    code = on_20_january(world)
    world.change(ChangeKind.ONE_OFF, code, amount=50_000, name="가입비")
    most = world.runtime.settings.max_amount
    with pytest.raises(Refused, match="50,000 KRW besides"):
        change_plan(world, code, quantity=most // 9_900)


def test_days_that_were_given_and_taken_back_credit_nothing(world: World):
    code = on_20_january(world)
    world.change(ChangeKind.MOVE_RENEWAL, code, on="2026-02-15")
    world.change(ChangeKind.MOVE_RENEWAL, code, on="2026-02-05")
    assert credit_of(world, code) == 0
    world.change(ChangeKind.MOVE_RENEWAL, code, on="2026-01-25")
    assert credit_of(world, code) == 3513  # as from the end that was paid for, 11 of 31 days


def test_refund_of_unused_days_is_of_those_that_were_paid_for(world: World):
    code = on_20_january(world)
    world.change(ChangeKind.MOVE_RENEWAL, code, on="2026-03-05")
    refunded = Operator(world).refund(unused_days=True)
    assert refunded.preview is not None
    assert refunded.preview.effect.refunded == 5110  # 16 of 31 days, though 44 are left


def test_days_that_were_refunded_are_not_deducted_from_another_charge(world: World):
    code = on_20_january(world)
    Operator(world).refund(unused_days=True)
    assert effect(change_plan(world, code, NOW, plan="gold")) == (10_271, 0)
    world.tick()
    world.assert_money_agrees()


def test_change_of_plan_is_refused_while_a_refund_of_its_period_waits(world: World):
    world.changed(refund_review_amount=5000)
    code = on_20_january(world)
    Operator(world).refund()
    with pytest.raises(Refused, match="waits for approval"):
        change_plan(world, code, NOW, plan="gold")
    with pytest.raises(Refused, match="waits for approval"):
        world.change(ChangeKind.MOVE_RENEWAL, code, on="2026-01-25")
    assert [row[2] for row in periods(world, code)] == [9900]


@pytest.mark.parametrize("act", [ChangeKind.CANCEL, ChangeKind.VOID])
def test_charge_that_becomes_void_leaves_what_was_deducted_from_it_as_credit(world: World, act: ChangeKind):
    code = on_20_january(world, pay(times=1), decline())
    change_plan(world, code, NOW, plan="gold")
    world.tick()
    preview = world.change(act, code if act is ChangeKind.CANCEL else world.charges(code)[-1].id, NOW).preview
    assert periods(world, code)[-1] == ("2026-01-20", "2026-02-05", 5161, "void")
    assert credit_of(world, code) == 5110
    assert act is ChangeKind.VOID or "5,110 KRW of credit are left" in preview["cautions"][0]["en"]
    assert world.broken_invariants() == {}


def test_pause_that_an_outage_has_slept_through_charges_nothing_of_it(world: World):
    code = on_20_january(world)
    world.change(ChangeKind.PAUSE, code, until="2026-03-01")
    go_to(world, date(2026, 3, 10), ticks=False)
    world.tick()
    world.tick()
    assert [row[:2] for row in periods(world, code)] == [("2026-01-05", "2026-02-05"), ("2026-03-05", "2026-04-05")]
    world.assert_books_agree()


def test_price_move_of_a_plan_ends_when_its_subscription_changes_to_another(world: World):
    code = on_20_january(world)
    sessions = world.runtime.sessions
    version = add_price(sessions, "monthly", NewPrice(Amounts(8900)), max_amount=10**6, now=world.now).version
    for amount in (29_900, 19_900):
        add_price(sessions, "gold", NewPrice(Amounts(amount)), max_amount=10**6, now=world.now)
    move = PriceMove(plan="monthly", version=version, on=date(2026, 3, 1))
    move_prices(sessions, move, reason="2026", max_amount=10**6, now=world.now, dry_run=False)
    change_plan(world, code, NOW, plan="gold")
    go_to(world, date(2026, 3, 7))
    assert [row[2] for row in periods(world, code)] == [9900, 5161, 19_900, 19_900]
    assert [row.status for row in world.sql("SELECT status FROM changes ORDER BY id")] == ["superseded", "applied"]
