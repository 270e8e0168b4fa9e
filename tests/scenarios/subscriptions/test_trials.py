"""Trials: into paid, extended, ended now, and ended with a card that declines."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.scenarios.conftest import World
from tests.scenarios.subscriptions.changing import (
    assert_contiguous,
    change_plan,
    go_to,
    kept,
    periods,
    preview,
    request,
)
from tests.support import acts
from worker.charging import kill_switch
from worker.domain.changes import ChangeKind, Moment
from worker.domain.errors import Refused
from worker.domain.states import SubscriptionStatus
from worker.ledger import stops
from worker.sandbox.rules.behaviours import Behaviour, decline, pay

TRIAL = ChangeKind.TRIAL
NO_BALANCE = decline("LACK_BALANCE", "잔액이 부족합니다")


def in_trial(world: World, *story: Behaviour, days: int = 14) -> str:
    """Subscribe on 5 January to a plan with a trial."""
    world.plan(trial_days=str(days))
    code = world.subscribe(*story, starts_on=world.now.date() + timedelta(days=days))
    world.tick()
    return code


def status(world: World, code: str) -> SubscriptionStatus:
    return world.subscription(code).status


def test_trial_becomes_paid_when_it_is_over(world: World):
    code = in_trial(world)
    go_to(world, date(2026, 1, 18))
    assert (status(world, code), periods(world, code)) == (SubscriptionStatus.TRIALING, [])
    go_to(world, date(2026, 1, 20))
    assert (status(world, code), kept(world)) == (SubscriptionStatus.ACTIVE, 9900)
    world.assert_books_agree()


def test_extended_trial_is_charged_on_its_new_last_day(world: World):
    code = in_trial(world)
    requested = request(world, TRIAL, code, until="2026-01-31")
    assert "lasts until 2026-01-31 instead of 2026-01-19" in requested.change.preview["sentence"]["en"]
    go_to(world, date(2026, 1, 30))
    assert periods(world, code) == []
    go_to(world, date(2026, 3, 1))
    assert [row[:3] for row in periods(world, code)] == [
        ("2026-01-31", "2026-02-28", 9900),
        ("2026-02-28", "2026-03-31", 9900),
    ]
    world.assert_books_agree()


def test_long_trial_says_that_consent_is_needed_once_more(world: World):
    code = in_trial(world)
    cautions = preview(world, TRIAL, code, until="2026-03-20").effect.cautions
    assert ["asked for consent once more" in each.en for each in cautions] == [True]
    assert preview(world, TRIAL, code, until="2026-01-31").effect.cautions == ()


def test_trial_ended_now_is_active_once_its_first_charge_is_paid(world: World):
    code = in_trial(world)
    world.wait(days=2)
    requested = request(world, TRIAL, code, end_now=True)
    assert requested.preview is not None
    assert requested.preview.effect.charged == 9900
    assert status(world, code) is SubscriptionStatus.TRIALING  # charged first
    world.tick()
    assert status(world, code) is SubscriptionStatus.ACTIVE
    assert periods(world, code) == [("2026-01-07", "2026-02-07", 9900, "paid")]
    with pytest.raises(Refused, match="has no trial"):
        request(world, TRIAL, code, end_now=True)
    go_to(world, date(2026, 2, 8))
    assert_contiguous(world, code)
    assert kept(world) == 2 * 9900
    world.assert_books_agree()


def test_trial_ended_now_with_a_declined_card_is_past_due_until_it_pays(world: World):
    code = in_trial(world, NO_BALANCE, pay())
    request(world, TRIAL, code, end_now=True)
    with pytest.raises(Refused, match=r"was ended already: charge \d+ is due"):
        request(world, TRIAL, code, end_now=True)
    world.tick()
    assert (status(world, code), kept(world)) == (SubscriptionStatus.PAST_DUE, 0)
    go_to(world, date(2026, 1, 8))
    assert (status(world, code), kept(world)) == (SubscriptionStatus.ACTIVE, 9900)
    world.assert_books_agree()


def test_trial_without_a_usable_key_is_not_ended(world: World):
    code = in_trial(world)
    world.sql("UPDATE billing_keys SET status = 'dead', status_at = :now", now=world.now)
    with pytest.raises(Refused, match="a billing key that is dead"):
        request(world, TRIAL, code, end_now=True)
    assert periods(world, code) == []


def test_plan_changed_in_a_trial_keeps_the_trial(world: World):
    world.plan("yearly", amount="99000", cadence="year", charge_hour="9")
    code = in_trial(world)
    change_plan(world, code, Moment.NOW, plan="yearly")
    assert periods(world, code) == []
    go_to(world, date(2026, 1, 20))
    assert [row[:3] for row in periods(world, code)] == [("2026-01-19", "2027-01-19", 99000)]
    assert status(world, code) is SubscriptionStatus.ACTIVE
    world.assert_books_agree()


def unpaid_after_trial(world: World, *, ended_now: bool) -> str:
    """Let a trial end while all charging is stopped, until its second period has come."""
    code = in_trial(world, days=3)
    with world.runtime.sessions.begin() as session:
        stops.stop(session, scope=stops.EVERYTHING, reason="audit", stopped_by="me", now=world.now)
    if ended_now:
        request(world, TRIAL, code, end_now=True)
    go_to(world, date(2026, 2, 10))
    assert [row[3] for row in periods(world, code)] == ["due", "due"]
    return code


@pytest.mark.parametrize("ended_now", [True, False])
def test_trial_whose_first_charge_is_unpaid_goes_on_when_the_next_period_begins(world: World, ended_now: bool):
    code = unpaid_after_trial(world, ended_now=ended_now)
    assert status(world, code) is SubscriptionStatus.TRIALING
    kill_switch.start_charging(world.runtime.sessions, stops.EVERYTHING, now=world.now)
    world.tick()
    assert status(world, code) is SubscriptionStatus.ACTIVE
    go_to(world, date(2026, 2, 11))
    assert kept(world) == 2 * 9900
    world.assert_books_agree()


def test_trial_ends_when_all_that_it_owes_is_forgiven_and_not_by_a_later_charge(world: World):
    code = unpaid_after_trial(world, ended_now=True)
    first, second = (charge.id for charge in world.charges(code))
    world.change(ChangeKind.VOID, second)
    assert status(world, code) is SubscriptionStatus.TRIALING
    world.change(ChangeKind.VOID, first)
    assert status(world, code) is SubscriptionStatus.ACTIVE


@pytest.mark.parametrize("end", [ChangeKind.WRITE_OFF, ChangeKind.PAID_ELSEWHERE])
def test_trial_ends_when_its_first_charge_is_settled_without_portone(world: World, end: ChangeKind):
    code = unpaid_after_trial(world, ended_now=False)
    parameters = {"reference": "bank"} if end is ChangeKind.PAID_ELSEWHERE else {}
    world.change(end, world.charges(code)[0].id, None, **parameters)
    assert status(world, code) is SubscriptionStatus.ACTIVE


def test_trial_paused_before_its_first_charge_is_paid_is_resumed_as_one(world: World):
    code = unpaid_after_trial(world, ended_now=True)
    acts.pause(world.runtime.sessions, code, reason="a journey", now=world.now)
    acts.resume(world.runtime.sessions, code, reason="back", now=world.now)
    assert status(world, code) is SubscriptionStatus.TRIALING


def test_renewal_of_an_unpaid_trial_is_moved_once_it_is_paid(world: World):
    code = unpaid_after_trial(world, ended_now=True)
    with pytest.raises(Refused, match=r"is not paid yet: charge \d+ is due"):
        request(world, ChangeKind.MOVE_RENEWAL, code, on="2026-03-20")


def test_trial_whose_first_period_costs_nothing_is_over_with_it(world: World):
    code = in_trial(world)
    world.change(ChangeKind.DISCOUNT, code, percent=100, periods=1)
    go_to(world, date(2026, 1, 20))
    assert (status(world, code), periods(world, code)[0][2:]) == (SubscriptionStatus.ACTIVE, (0, "paid"))
    world.assert_books_agree()


def test_trial_declined_stays_past_due_when_the_next_period_begins(world: World):
    code = in_trial(world, decline("LACK_BALANCE", "잔액이 부족합니다", times=9), pay(), days=3)
    go_to(world, date(2026, 2, 10))
    assert periods(world, code)[0][3] in ("past_due", "uncollectible")
    assert status(world, code) is SubscriptionStatus.PAST_DUE


def test_change_after_a_trial_is_previewed_as_if_the_trial_had_been_paid(world: World):
    code = in_trial(world)
    moved = preview(world, ChangeKind.MOVE_RENEWAL, code, date(2026, 2, 1), on="2026-02-25")
    assert "instead of 2026-02-19" in moved.effect.sentence.en
