"""Charging: whatever is due is charged once, and our records say so."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from tests.scenarios.conftest import World
from worker import tasks
from worker.charging.run_limits import run_limits
from worker.domain.states import SubscriptionStatus
from worker.ledger import stops
from worker.ledger.claiming import claim
from worker.sandbox.rules.behaviours import Behaviour, Reply, Shape, Verdict, decline, pay, troubled


@pytest.mark.parametrize("pg", ["kakaopay", "payco"])
def test_due_subscription_is_charged_and_again_a_month_later(world: World, pg: str):
    code = world.subscribe(pg=pg)
    world.tick()
    assert [charge.status for charge in world.charges(code)] == ["paid"]
    world.live(days=32, step=timedelta(days=1))
    assert [charge.status for charge in world.charges(code)] == ["paid", "paid"]
    first, second = world.charges(code)
    assert first.period_end == second.period_start
    world.assert_books_agree()


def test_repeated_ticks_charge_no_period_again(world: World):
    for _ in range(20):
        world.subscribe()
    for _ in range(5):
        world.tick()
    assert world.portone.report().charges == 20
    world.assert_books_agree()


def test_three_soft_declines_then_paid(world: World):
    code = world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다", times=3), pay())
    world.tick()
    (charge,) = world.charges(code)
    assert (charge.status, charge.declines) == ("past_due", 1)
    assert world.subscription(code).status is SubscriptionStatus.PAST_DUE
    world.live(days=6)
    (charge,) = world.charges(code)
    assert charge.status == "paid"
    assert [attempt.status for attempt in world.attempts()] == ["declined", "declined", "declined", "paid"]
    assert world.subscription(code).status is SubscriptionStatus.ACTIVE
    world.assert_books_agree()


def test_charge_after_its_last_dunning_retry_is_uncollectible(world: World):
    code = world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"))
    world.live(days=10, step=timedelta(days=1))
    (charge,) = world.charges(code)
    assert (charge.status, charge.declines) == ("uncollectible", 5)
    assert world.paid_periods() == {}
    world.assert_books_agree()


@pytest.mark.parametrize("shape", list(Shape))
def test_hard_decline_ends_dunning_and_marks_the_key_dead(world: World, shape: Shape):
    code = world.subscribe(decline("CC54", "유효기간 경과", shape=shape), pay(), pg="payco")
    world.live(days=10, step=timedelta(days=1))
    (charge,) = world.charges(code)
    assert (charge.status, charge.next_attempt_at) == ("past_due", None)
    assert len(world.attempts()) == 1
    ((status, reason),) = world.sql("SELECT status, status_reason FROM billing_keys")
    assert status == "dead"
    assert "유효기간 경과" in reason
    assert world.subscription(code).status is SubscriptionStatus.PAST_DUE
    world.assert_books_agree()


CHARGED_AND_LOST = [
    troubled(reply, charged=True)
    for reply in (Reply.DROP, Reply.RESET, Reply.CUT, Reply.TRUNCATED, Reply.EMPTY, Reply.ERROR, Reply.UNAVAILABLE)
]


@pytest.mark.parametrize("story", [*CHARGED_AND_LOST, troubled(Reply.HANG, charged=True)], ids=lambda s: s.reply)
def test_charge_with_a_lost_answer_is_looked_up_and_not_charged_again(world: World, story: Behaviour):
    code = world.subscribe(story)
    world.tick()
    (charge,) = world.charges(code)
    assert charge.status == "charging"
    assert [attempt.status for attempt in world.attempts()] == ["unknown"]
    world.wait(minutes=6)
    world.tick()
    (charge,) = world.charges(code)
    assert charge.status == "paid"
    world.assert_books_agree()


NOT_CHARGED_AND_LOST = [
    troubled(reply, charged=False) for reply in (Reply.DROP, Reply.RESET, Reply.ERROR, Reply.UNAVAILABLE, Reply.HANG)
]


@pytest.mark.parametrize("story", NOT_CHARGED_AND_LOST, ids=lambda s: s.reply)
def test_unknown_attempt_is_resent_only_after_the_quiet_period(world: World, story: Behaviour):
    code = world.subscribe(story, pay())
    world.tick()
    world.wait(minutes=20)
    world.tick()
    assert [attempt.status for attempt in world.attempts()] == ["unknown"]
    world.wait(minutes=11)
    world.tick()
    assert [attempt.status for attempt in world.attempts()] == ["not_charged"]
    world.wait(minutes=2)
    world.tick()
    (attempt,) = world.attempts()
    assert (attempt.status, attempt.sends) == ("paid", 2)
    assert [charge.status for charge in world.charges(code)] == ["paid"]
    world.assert_books_agree()


def test_attempt_of_a_worker_that_died_after_the_claim_is_looked_up(world: World):
    world.subscribe()
    world.tick()
    world.wait(days=31)
    # A claim commits the attempt; the process ends before anything is sent.
    tasks.open_charges()
    with world.runtime.sessions.begin() as session:
        settings = run_limits(world.runtime.settings)
        (left,) = claim(session, now=world.now, limit=10, lease=settings.lease, prefix=settings.prefix)
    assert left.sends == 1
    world.tick()
    assert [attempt.status for attempt in world.attempts()] == ["paid", "started"]
    world.wait(minutes=5)
    world.tick()
    assert [attempt.status for attempt in world.attempts()] == ["paid", "unknown"]
    world.wait(minutes=26)
    world.tick()
    world.wait(minutes=2)
    world.tick()
    assert [(attempt.status, attempt.sends) for attempt in world.attempts()] == [("paid", 1), ("paid", 2)]
    world.assert_books_agree()


def test_worker_that_was_down_for_months_charges_every_missed_period_once(world: World):
    code = world.subscribe(starts_on=world.now.date() - timedelta(days=95))
    world.tick()
    charges = world.charges(code)
    assert [charge.status for charge in charges] == ["paid"] * 4
    assert all(one.period_end == other.period_start for one, other in pairwise(charges))
    world.assert_books_agree()


def test_kill_switch_for_all_prevents_every_claim(world: World):
    code = world.subscribe()
    with world.runtime.sessions.begin() as session:
        stops.stop(session, scope=stops.EVERYTHING, reason="test", stopped_by="me", now=world.now)
    world.tick()
    assert [charge.status for charge in world.charges(code)] == ["due"]
    assert world.portone.report().again_requests == 0
    with world.runtime.sessions.begin() as session:
        assert stops.start(session, scope=stops.EVERYTHING, now=world.now)
    world.tick()
    assert [charge.status for charge in world.charges(code)] == ["paid"]
    world.assert_books_agree()


def test_configuration_decline_stops_the_channel_and_blames_no_customer(world: World):
    blamed = world.subscribe(decline("-732", "가맹점 CID 오류"), pay())
    world.tick()
    other = world.subscribe()
    payco = world.subscribe(pg="payco")
    world.wait(minutes=30)
    world.tick()
    assert [charge.status for charge in world.charges(blamed)] == ["due"]
    assert [charge.status for charge in world.charges(other)] == ["due"]
    assert [charge.status for charge in world.charges(payco)] == ["paid"]
    assert world.subscription(blamed).status is SubscriptionStatus.ACTIVE
    assert world.sql("SELECT scope FROM stops") == [("kakaopay",)]
    world.assert_books_agree()


@pytest.mark.parametrize(
    "first",
    [troubled(Reply.DROP, charged=True), Behaviour(verdict=Verdict.UNTOUCHED, reply=Reply.UNAUTHORIZED, times=2)],
    ids=["answer lost", "unauthorized"],
)
def test_paid_attempt_stores_portones_last_answer(world: World, first: Behaviour):
    world.subscribe(first, pay())
    world.live(days=1, step=timedelta(hours=1))
    (attempt,) = world.attempts()
    assert (attempt.status, attempt.http_status, attempt.message) == ("paid", 200, None)
    assert attempt.code in {"0", "paid"}
    assert attempt.raw is not None
    assert attempt.raw["imp_uid"] == attempt.imp_uid
    world.assert_books_agree()
