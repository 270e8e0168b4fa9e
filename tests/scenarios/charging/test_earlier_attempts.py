"""Before a charge gets its next attempt, the earlier ones are looked up at PortOne."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from tests.support.sandbox import RunningSandbox
from worker import tasks
from worker.domain.errors import Refused
from worker.sandbox.rules.behaviours import Behaviour, Reply, Shape, decline, misrecorded, pay, troubled
from worker.sandbox.switches import Outage, Repeat
from worker.subscriptions import key_change

BLOCKED = ("CC54", "유효기간 경과")
UNHEARD_OF = ("ZZ99", "알 수 없는 사유")


@pytest.fixture(autouse=True)
def _portone_accepts_every_repeat(sandbox: RunningSandbox) -> None:
    sandbox.admin.switch(repeated_paid=Repeat.ACCEPT)


def correct_all(world: World) -> None:
    """Make PortOne correct every payment that it has recorded as failed though the money moved."""
    for payment in world.portone.payments():
        if payment["status"] == "failed":
            world.portone.correct(payment["imp_uid"])


def test_decline_corrected_before_its_retry_is_backfilled_and_not_charged(world: World):
    world.plan(dunning="1,3,5")
    world.subscribe(misrecorded(), pay())
    world.tick()
    world.wait(hours=5)
    correct_all(world)
    world.live(days=3, step=timedelta(hours=4))
    assert world.statuses() == {"paid": 1}
    world.assert_books_agree()


def test_all_earlier_attempts_are_looked_up_and_not_only_the_newest(world: World):
    world.plan(dunning="1,2,3,5")
    world.subscribe(misrecorded(), decline(), decline(), pay())
    world.tick()
    (first,) = world.portone.payments()
    world.live(days=2, step=timedelta(hours=4))
    assert len(world.attempts()) == 3
    world.portone.correct(first["imp_uid"])
    world.live(days=2, step=timedelta(hours=4))
    assert world.statuses() == {"paid": 1}
    world.assert_books_agree()


def test_hard_decline_corrected_before_the_new_key_is_not_charged_again(world: World):
    code = world.subscribe(misrecorded(*BLOCKED))
    world.tick()
    other = world.subscribe(pay(), starts_on=(world.now + timedelta(days=60)).date())
    correct_all(world)
    new_key = f"#{world.subscription(other).billing_key_id}"
    key_change.change_key(
        world.runtime.sessions,
        code,
        new_key,
        reason="another card",
        allow_duplicates=True,
        max_amount=2_000_000,
        now=world.now,
    )
    world.wait(minutes=1)
    world.tick()
    assert world.statuses() == {"paid": 1}
    world.assert_books_agree()


def test_retry_waits_while_an_earlier_attempt_cannot_be_looked_up(world: World, sandbox: RunningSandbox):
    world.plan(dunning="1,3,5")
    world.subscribe(misrecorded(), pay())
    world.tick()
    correct_all(world)
    world.wait(days=1)
    sandbox.admin.switch(outage=Outage.ERROR)
    tasks.charge()
    sandbox.admin.switch(outage=Outage.NONE)
    assert next(attempt.status.value for attempt in world.attempts()) == "declined"
    world.live(days=1, step=timedelta(hours=1))
    assert world.statuses() == {"paid": 1}
    world.assert_books_agree()


def test_window_for_a_charge_with_a_paid_earlier_attempt_does_not_open(world: World):
    till = Till(world)
    world.plan(dunning="5")
    world.subscribe(misrecorded())
    world.tick()
    (charge,) = world.charges()
    link = till.link(charge=charge.id, pg="kakaopay")
    correct_all(world)
    with pytest.raises(Refused, match="paid already"):
        till.look_up_earlier_attempts(link)
    assert world.statuses() == {"paid": 1}
    world.assert_books_agree()


LOST_AND_HIDDEN = Behaviour(reply=Reply.ERROR, hidden_seconds=86_400.0)


@pytest.mark.parametrize("shape", Shape)
def test_unknown_error_for_a_resent_attempt_is_not_a_decline(world: World, shape: Shape):
    world.plan(dunning="1,3,5")
    refused = decline(*UNHEARD_OF, shape=shape, recorded=False)
    world.subscribe(LOST_AND_HIDDEN, refused, pay())
    world.tick()
    world.live(days=1, step=timedelta(hours=1))  # the next attempt is due while the first payment is still hidden
    world.live(days=3)
    assert [(attempt.number, attempt.status.value) for attempt in world.attempts()] == [(1, "paid")]
    world.assert_books_agree()


def test_unknown_error_for_the_only_send_is_a_decline(world: World):
    world.plan(dunning="1,3,5")
    world.subscribe(decline(*UNHEARD_OF, shape=Shape.MESSAGE, recorded=False), pay())
    world.tick()
    world.live(days=3, step=timedelta(hours=3))
    assert [attempt.status.value for attempt in world.attempts()] == ["declined", "paid"]
    world.assert_books_agree()


def test_uncharged_send_followed_by_an_unknown_error_needs_an_operator(world: World):
    refused = decline(*UNHEARD_OF, shape=Shape.MESSAGE, recorded=False)
    world.subscribe(troubled(Reply.ERROR, charged=False), refused, pay())
    world.tick()
    world.live(days=9, step=timedelta(hours=12))
    (attempt,) = world.attempts()
    assert (attempt.status.value, attempt.flagged_at is not None) == ("unknown", True)
    assert world.discrepancies() == [("unresolved", "open")]
    world.assert_books_agree()
