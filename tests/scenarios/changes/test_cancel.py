"""Cancelling: what was paid is used up, nothing more is charged, and until then it can be undone."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.scenarios.conftest import World
from worker.domain.changes import ChangeKind, ChangeStatus, Moment
from worker.domain.errors import Refused
from worker.domain.states import SubscriptionStatus
from worker.ledger import changes
from worker.sandbox.rules.behaviours import decline, pay

A_DAY = timedelta(days=1)


def found(world: World, change_id: int) -> changes.Change:
    with world.runtime.sessions() as session:
        change = changes.found(session, change_id)
    assert change is not None
    return change


def test_subscription_canceled_at_its_periods_end_is_used_up_and_never_charged_again(world: World):
    code = world.subscribe(pay())
    world.tick()
    change = world.change(ChangeKind.CANCEL, code)
    assert (change.status, change.effective_at) == ("scheduled", world.subscription(code).current_period_end)
    world.live(days=20, step=A_DAY)
    assert world.subscription(code).status == SubscriptionStatus.ACTIVE
    world.live(days=60, step=A_DAY)
    assert found(world, change.id).status is ChangeStatus.APPLIED
    assert world.subscription(code).status == SubscriptionStatus.ENDED
    assert world.statuses() == {"paid": 1}
    world.assert_books_agree()
    world.assert_money_agrees()


def test_cancellation_undone_before_its_time_changes_nothing(world: World):
    code = world.subscribe(pay())
    world.tick()
    change = world.change(ChangeKind.CANCEL, code)
    world.undo(change)
    world.live(days=35, step=A_DAY)
    assert found(world, change.id).status is ChangeStatus.UNDONE
    assert world.statuses() == {"paid": 2}
    world.assert_books_agree()


def test_cancellation_that_was_applied_is_not_undone(world: World):
    code = world.subscribe(pay())
    world.tick()
    change = world.change(ChangeKind.CANCEL, code, Moment.NOW)
    with pytest.raises(Refused, match="applied already"):
        world.undo(change)


def test_subscription_canceled_during_dunning_is_never_charged_again(world: World):
    code = world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"), pay())
    world.tick()
    assert world.statuses() == {"past_due": 1}
    preview = world.preview(ChangeKind.CANCEL, code, Moment.NOW)
    assert (preview.effect.no_longer_owed, preview.periods) == (9900, ())
    world.change(ChangeKind.CANCEL, code, Moment.NOW)
    world.live(days=40, step=A_DAY)
    assert world.statuses() == {"void": 1}
    world.assert_books_agree()
    assert world.portone.report().charged_krw == 0


def test_dunning_goes_on_until_a_cancellation_at_the_periods_end(world: World):
    code = world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"), pay())
    world.tick()
    world.change(ChangeKind.CANCEL, code)
    world.live(days=60, step=A_DAY)
    assert world.statuses() == {"paid": 1}
    assert world.subscription(code).status == SubscriptionStatus.ENDED
    world.assert_books_agree()


def test_trial_canceled_at_its_end_is_never_charged(world: World):
    world.plan("try", trial_days="14")
    code = world.subscribe(pay(), plan="try", starts_on=world.now.date() + timedelta(days=14))
    world.tick()
    world.change(ChangeKind.CANCEL, code)
    world.live(days=40, step=A_DAY)
    assert world.statuses() == {}
    world.assert_books_agree()


def test_cancellation_on_a_date_stops_the_period_that_begins_on_it(world: World):
    code = world.subscribe(pay())  # on the 5th
    world.tick()
    world.change(ChangeKind.CANCEL, code, date(2026, 4, 5))
    world.live(days=120, step=A_DAY)
    assert [charge.period_start.month for charge in world.charges(code)] == [1, 2, 3]
    world.assert_books_agree()


def test_periods_before_a_cancellation_are_charged_after_an_outage_of_ours(world: World):
    code = world.subscribe(pay())
    world.tick()
    world.change(ChangeKind.CANCEL, code, date(2026, 3, 20))
    world.wait(days=120)  # nothing runs; then everything is due at once
    world.tick()
    world.tick()
    world.tick()
    assert [(charge.period_start.month, charge.status.value) for charge in world.charges(code)] == [
        (1, "paid"),
        (2, "paid"),
        (3, "paid"),
    ]
    assert world.subscription(code).status == SubscriptionStatus.ENDED
    world.assert_books_agree()


@pytest.mark.parametrize(
    ("when", "said"),
    [(date(2025, 12, 1), "in the past"), (date(2036, 2, 1), "ten years")],
)
def test_cancellation_on_an_impossible_date_is_refused(world: World, when: date, said: str):
    code = world.subscribe(pay())
    world.tick()
    with pytest.raises(Refused, match=said):
        world.change(ChangeKind.CANCEL, code, when)
    assert world.sql("SELECT id FROM changes") == []


def test_change_after_a_scheduled_cancellation_is_refused(world: World):
    code = world.subscribe(pay())
    world.tick()
    cancellation = world.change(ChangeKind.CANCEL, code)
    with pytest.raises(Refused, match=f"again change undo {cancellation.id}"):
        world.change(ChangeKind.PAUSE, code)


def test_later_cancellation_supersedes_an_earlier_one(world: World):
    code = world.subscribe(pay())
    world.tick()
    first = world.change(ChangeKind.CANCEL, code)
    second = world.change(ChangeKind.CANCEL, code, date(2026, 3, 20))
    assert found(world, first.id).status is ChangeStatus.SUPERSEDED
    world.live(days=80, step=A_DAY)
    assert found(world, second.id).status is ChangeStatus.APPLIED
    assert [charge.period_start.month for charge in world.charges(code)] == [1, 2, 3]
    world.assert_books_agree()


def test_preview_says_whose_cancellation_a_later_one_replaces(world: World):
    code = world.subscribe(pay())
    world.tick()
    first = world.change(ChangeKind.CANCEL, code, date(2026, 3, 1))
    before = world.preview(ChangeKind.CANCEL, code)
    assert [(each.id, each.requested_by) for each in before.replaces] == [(first.id, first.requested_by)]
    later = world.change(ChangeKind.CANCEL, code)
    assert found(world, first.id).status is ChangeStatus.SUPERSEDED
    now = world.preview(ChangeKind.CANCEL, code)
    assert [each.id for each in now.replaces] == [later.id]
    assert now.fingerprint != before.fingerprint
    assert world.preview(ChangeKind.CREDIT, code, amount=1000).replaces == ()
    world.undo(later)
    assert found(world, first.id).status is ChangeStatus.SUPERSEDED
    assert world.preview(ChangeKind.CANCEL, code).replaces == ()


def test_cancellation_comes_before_what_is_planned_for_the_same_instant(world: World):
    code = world.subscribe(pay())
    world.tick()
    end = world.subscription(code).next_charge_at
    # The first period of another billing day would be charged by the change itself.
    planned = world.change(ChangeKind.CHANGE_PLAN, code, anchor_day=20, proration="days")
    preview = world.preview(ChangeKind.CANCEL, code)
    assert (preview.paid_until, preview.effect.no_longer_owed, preview.periods) == (end, 0, ())
    world.change(ChangeKind.CANCEL, code)
    world.live(days=40, step=A_DAY)
    assert found(world, planned.id).status is ChangeStatus.SUPERSEDED
    assert len(world.charges(code)) == 1
    world.assert_books_agree()
