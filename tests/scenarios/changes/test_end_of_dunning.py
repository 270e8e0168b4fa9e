"""Dunning fails, and what its plan says of that is done: once, visibly, and never to a customer who has paid."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from tests.support import acts
from worker.changes.undo import undo_change
from worker.checkout import Progress
from worker.domain.changes import ChangeKind
from worker.domain.states import SubscriptionStatus
from worker.sandbox.rules.behaviours import Behaviour, decline, misrecorded, pay
from worker.subscriptions import key_revival, plan_terms

LOST_CARD = decline("CC04", "분실 또는 사용불가 카드")
DAY = timedelta(days=1)
PRICE = 9900


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def ends(world: World) -> list[tuple[str, str]]:
    """Return the ends of dunning that were written down, by status and who asked for them."""
    rows = world.sql("SELECT status, requested_by FROM changes WHERE kind = 'end_dunning' ORDER BY id")
    return [(row.status, row.requested_by) for row in rows]


def end_statuses(world: World) -> list[str]:
    return [status for status, _ in ends(world)]


def statuses(world: World, code: str) -> list[str]:
    return [charge.status.value for charge in world.charges(code)]


def next_charge(world: World, code: str) -> datetime:
    at = world.subscription(code).next_charge_at
    assert at is not None
    return at


def spent(world: World, *story: Behaviour, **terms: str) -> str:
    """Make a subscription that paid one month, and whose second charge was declined until its calendar was spent."""
    world.plan(**{"dunning": "1", "dunning_end": "cancel", **terms})
    code = world.subscribe(*(story or (pay(), decline(times=99))))
    world.tick()
    world._clock[0] = next_charge(world, code)
    world.tick()
    world.wait(days=1)
    world.tick()
    assert statuses(world, code) == ["paid", "uncollectible"]
    return code


def lost(world: World, **terms: str) -> str:
    """Make a subscription whose card is dead from its second charge on."""
    world.plan(**{"dunning_end": "cancel", "key_deadline_days": "7", **terms})
    code = world.subscribe(pay(), LOST_CARD)
    world.tick()
    world._clock[0] = next_charge(world, code)
    world.tick()
    assert statuses(world, code) == ["paid", "past_due"]
    return code


def replace_key(world: World, till: Till, code: str) -> None:
    link = till.link(code, pg="payco")
    assert till.complete(link, till.approve(till.open(link))).progress is Progress.DONE


@pytest.mark.parametrize("given_up", ["uncollectible", "void"])
def test_spent_calendar_cancels_the_subscription_which_is_never_charged_again(world: World, given_up: str):
    code = spent(world, dunning_end_charges=given_up)
    assert ends(world) == [("scheduled", "worker scenario")]
    world.tick()
    assert end_statuses(world) == ["applied"]
    assert world.subscription(code).status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}
    assert statuses(world, code) == ["paid", given_up]
    world.live(days=70, step=timedelta(days=5))
    assert statuses(world, code) == ["paid", given_up]
    assert world.portone.report().charged_krw == PRICE
    world.assert_books_agree()


def test_spent_calendar_without_an_end_in_its_plan_leaves_the_subscription(world: World):
    code = spent(world, dunning_end="leave")
    world.live(days=2)
    assert ends(world) == []
    assert world.subscription(code).status is SubscriptionStatus.PAST_DUE


def test_spent_calendar_pauses_the_subscription_and_what_was_given_up_stays_that(world: World, till: Till):
    code = spent(world, dunning_end="pause")
    world.tick()
    assert world.subscription(code).status is SubscriptionStatus.PAUSED
    assert statuses(world, code) == ["paid", "uncollectible"]
    replace_key(world, till, code)
    world.live(days=3)
    assert world.portone.report().charged_krw == PRICE
    world.change(ChangeKind.RESUME, code)
    world._clock[0] = next_charge(world, code)
    world.tick()
    world.tick()
    assert statuses(world, code) == ["paid", "uncollectible", "paid"]
    assert world.portone.report().charged_krw == 2 * PRICE
    world.assert_books_agree()


def test_other_unpaid_periods_are_given_up_with_the_one_whose_calendar_is_spent(world: World):
    world.plan(dunning="1,3", cadence="day", dunning_end="cancel", dunning_end_charges="void", max_open_charges="9")
    code = world.subscribe(decline(times=99))
    world.live(days=5, step=timedelta(hours=12))
    assert world.subscription(code).status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}
    assert set(statuses(world, code)) == {"void"}
    assert len(world.charges(code)) >= 3
    assert world.portone.report().charged_krw == 0
    world.assert_books_agree()


def test_dead_key_that_is_not_replaced_within_its_deadline_ends_the_subscription(world: World):
    code = lost(world)
    died_at = world.now
    world.live(days=6)
    assert end_statuses(world) == ["scheduled"]
    assert world.subscription(code).status is SubscriptionStatus.PAST_DUE
    world._clock[0] = died_at + 7 * DAY
    world.tick()
    assert end_statuses(world) == ["applied"]
    assert world.subscription(code).status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}
    assert statuses(world, code) == ["paid", "uncollectible"]
    world.live(days=40, step=timedelta(days=5))
    assert world.portone.report().charged_krw == PRICE
    world.assert_books_agree()


def test_dead_key_that_is_replaced_on_the_sixth_day_goes_on_and_pays_as_agreed(world: World, till: Till):
    code = lost(world)
    world.live(days=6)
    said = till.view(till.link(code)).owed
    replace_key(world, till, code)
    assert end_statuses(world) == ["undone"]
    world.live(days=10)
    assert world.subscription(code).status is SubscriptionStatus.ACTIVE
    assert statuses(world, code) == ["paid", "paid"]
    assert world.portone.report().charged_krw == PRICE + said
    world.assert_books_agree()


def test_dead_key_without_a_deadline_waits_for_another_one(world: World):
    code = lost(world, key_deadline_days="none")
    world.live(days=20)
    assert ends(world) == []
    assert world.subscription(code).status is SubscriptionStatus.PAST_DUE


def test_payment_by_hand_moves_the_deadline_of_a_dead_key_to_the_next_period(world: World, till: Till):
    code = lost(world)
    world.live(days=3)
    link = till.link(charge=world.charges(code)[1].id, pg="kakaopay")
    assert till.complete(link, till.approve(till.open(link))).progress is Progress.DONE
    assert end_statuses(world) == ["undone", "scheduled"]
    next_charge_at = next_charge(world, code)
    ((effective_at,),) = world.sql("SELECT effective_at FROM changes WHERE status = 'scheduled'")
    assert effective_at == next_charge_at + 7 * DAY
    world._clock[0] = next_charge_at
    world.live(days=6)
    assert world.subscription(code).status is SubscriptionStatus.ACTIVE
    world.live(days=2)
    assert world.subscription(code).status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}
    assert statuses(world, code) == ["paid", "paid", "uncollectible"]
    assert world.portone.report().charged_krw == 2 * PRICE
    world.assert_books_agree()


@pytest.mark.parametrize("paid", [True, False])
def test_window_that_is_open_when_dunning_ends_is_waited_for(world: World, till: Till, paid: bool):
    code = lost(world)
    world.portone.switch(window_life_seconds=86_400)
    world.live(days=6)
    world.wait(hours=23)
    link = till.link(charge=world.charges(code)[1].id, pg="kakaopay")
    window = till.open(link)
    world.wait(hours=1)
    world.tick()
    assert end_statuses(world) == ["scheduled"]
    assert world.subscription(code).status is SubscriptionStatus.PAST_DUE
    if paid:
        till.complete(link, till.approve(window))
    world.live(days=3)
    if paid:
        assert end_statuses(world)[0] == "undone"
        assert world.subscription(code).status is SubscriptionStatus.ACTIVE
        assert statuses(world, code) == ["paid", "paid"]
    else:
        assert end_statuses(world) == ["applied"]
        assert statuses(world, code) == ["paid", "uncollectible"]
    assert world.portone.report().charged_krw == PRICE * (2 if paid else 1)
    world.assert_books_agree()


def test_window_of_a_spent_charge_that_is_open_when_dunning_ends_is_waited_for(world: World, till: Till):
    code = spent(world)
    link = till.link(charge=world.charges(code)[1].id, pg="kakaopay")
    window = till.open(link)
    world.tick()
    assert end_statuses(world) == ["scheduled"]
    till.complete(link, till.approve(window))
    assert end_statuses(world) == ["undone"]
    world.live(days=2)
    assert world.subscription(code).status is SubscriptionStatus.ACTIVE
    assert statuses(world, code) == ["paid", "paid"]
    world.assert_books_agree()


def spent_though_paid(world: World, **terms: str) -> str:
    """Make a subscription whose last try was paid, and recorded as failed by PortOne until it is corrected."""
    return spent(world, pay(), decline(), misrecorded(), decline(times=99), **terms)


def corrected(world: World) -> None:
    """Let PortOne correct its record, and compare its payments with ours."""
    world.wait(hours=2)
    world.portone.correct(world.portone.payments(status="failed")[-1]["imp_uid"])
    world.sweep()


def test_payment_that_is_found_before_the_end_undoes_it(world: World):
    code = spent_though_paid(world)
    corrected(world)
    assert end_statuses(world) == ["undone"]
    world.tick()
    assert statuses(world, code) == ["paid", "paid"]
    assert world.subscription(code).status is SubscriptionStatus.ACTIVE
    world.assert_books_agree()


def test_payment_that_is_found_after_the_end_is_on_record_and_not_charged_again(world: World):
    code = spent_though_paid(world)
    world.tick()
    assert end_statuses(world) == ["applied"]
    corrected(world)
    world.live(days=3)
    assert statuses(world, code) == ["paid", "paid"]
    assert world.subscription(code).status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}
    assert world.portone.report().charged_krw == 2 * PRICE
    world.assert_books_agree()


def test_payment_that_is_found_of_what_is_void_by_then_is_for_an_operator_to_decide(world: World):
    code = spent_though_paid(world, dunning_end_charges="void")
    world.tick()
    corrected(world)
    assert statuses(world, code) == ["paid", "void"]
    assert [status for _, status in world.discrepancies()] == ["open"]


def test_end_that_an_operator_undoes_does_not_happen(world: World):
    code = lost(world)
    world.live(days=5)
    ((change,),) = world.sql("SELECT id FROM changes WHERE kind = 'end_dunning'")
    policy = world.runtime.change_policy
    undo_change(world.runtime.sessions, change, reason="a good customer", policy=policy, now=world.now)
    world.live(days=10)
    assert end_statuses(world) == ["undone"]
    assert world.subscription(code).status is SubscriptionStatus.PAST_DUE


def test_revived_key_undoes_the_end_of_its_subscription(world: World):
    code = lost(world)
    agreed = key_revival.preview(world.runtime.sessions, [1], clock=lambda: world.now)
    key_revival.revive(world.runtime.sessions, agreed, reason="a mistake", clock=lambda: world.now)
    assert end_statuses(world) == ["undone"]
    world.portone.behave(pay())
    world.live(days=10)
    assert world.subscription(code).status is SubscriptionStatus.ACTIVE
    world.assert_books_agree()


def test_dead_key_gives_a_subscription_that_owes_nothing_time_until_its_next_period(world: World):
    terms = {"dunning_end": "cancel", "key_deadline_days": "7"}
    world.plan(**terms)
    world.plan("yearly", cadence="year", **terms)
    monthly = world.subscribe(pay(times=2), LOST_CARD)
    yearly = world.subscribe(plan="yearly")
    world.sql("UPDATE subscriptions SET billing_key_id = 1")
    world.tick()
    renewals = {code: next_charge(world, code) for code in (monthly, yearly)}
    world._clock[0] = renewals[monthly]
    world.tick()
    rows = world.sql("""
        SELECT s.code, x.effective_at FROM changes x JOIN subscriptions s ON s.id = x.subscription_id ORDER BY s.id
    """)
    assert {row.code: row.effective_at - 7 * DAY for row in rows} == renewals
    assert world.subscription(yearly).status is SubscriptionStatus.ACTIVE


def test_changed_terms_of_a_plan_count_from_the_next_decline_on(world: World):
    code = spent(world, dunning_end="leave")
    plan_terms.change_terms(
        world.runtime.sessions, "monthly", {"dunning_end": "cancel"}, reason="stricter", now=world.now
    )
    world.tick()
    assert ends(world) == []
    world._clock[0] = next_charge(world, code)
    world.tick()
    world.wait(days=1)
    world.tick()
    world.tick()
    assert end_statuses(world) == ["applied"]
    assert statuses(world, code) == ["paid", "uncollectible", "uncollectible"]
    world.assert_books_agree()


def test_changed_terms_count_for_what_has_failed_already_if_that_is_said(world: World):
    terms = {"dunning_end": "leave", "key_deadline_days": "none"}
    lost_one = lost(world, **terms)
    world.plan("other", dunning="1", cadence="day", max_open_charges="1")
    spent_one = world.subscribe(decline(times=99), plan="other")
    world.live(days=3)
    assert (statuses(world, spent_one)[0], ends(world)) == ("uncollectible", [])
    changed = [
        plan_terms.change_terms(
            world.runtime.sessions, plan, new, reason="stricter", past_due_too=True, now=world.now
        ).scheduled
        for plan, new in {
            "monthly": {"dunning_end": "cancel", "key_deadline_days": "2"},
            "other": {"dunning_end": "pause"},
        }.items()
    ]
    assert changed == [1, 1]
    world.tick()
    assert world.subscription(spent_one).status is SubscriptionStatus.PAUSED
    assert world.subscription(lost_one).status is SubscriptionStatus.PAST_DUE
    world.live(days=2)
    assert world.subscription(lost_one).status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}
    world.assert_books_agree()


def test_dead_key_of_a_resumed_subscription_has_its_deadline_again(world: World):
    code = lost(world)
    world.live(days=3)
    acts.pause(world.runtime.sessions, code, reason="a journey", now=world.now)
    world.live(days=10)
    assert end_statuses(world) == ["undone"]
    world.change(ChangeKind.RESUME, code)
    assert end_statuses(world) == ["undone", "scheduled"]
    world.live(days=8)
    assert end_statuses(world) == ["undone", "applied"]
    assert world.subscription(code).status in {SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED}
    assert world.portone.report().charged_krw == PRICE
    world.assert_books_agree()
