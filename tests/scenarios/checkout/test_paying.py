"""Stories of an overdue charge that is paid by hand: never twice, whatever the pump and the calendar do meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scenarios.checkout.story import Till
from tests.scenarios.conftest import World
from tests.support import acts
from worker.charging import kill_switch
from worker.checkout import Progress
from worker.domain.charge_limits import STOPPED_BY_LIMIT
from worker.domain.errors import Refused
from worker.domain.states import SubscriptionStatus
from worker.ledger import stops, subscription_holds
from worker.sandbox.rules.behaviours import Behaviour, Reply, decline, pay, troubled
from worker.subscriptions import holds

NO_BALANCE = decline("LACK_BALANCE", "잔액이 부족합니다")
LOST_CARD = decline("CC04", "분실 또는 사용불가 카드")


@pytest.fixture
def till(world: World) -> Till:
    return Till(world)


def overdue(world: World, *story: Behaviour, pg: str = "kakaopay") -> tuple[str, int]:
    """A subscription whose first charge was declined; returns its code and the charge's id."""
    subscription = world.subscribe(*(story or (NO_BALANCE,)), pg=pg)
    world.tick()
    (charge,) = world.charges(subscription)
    assert charge.status == "past_due"
    return subscription, charge.id


@pytest.mark.parametrize("pg", ["kakaopay", "payco"])
@pytest.mark.parametrize("told", ["callback", "webhook", "nobody"])
def test_overdue_charge_is_paid_by_hand_and_dunning_stops(world: World, till: Till, pg: str, told: str):
    subscription, charge_id = overdue(world)
    code = till.link(charge=charge_id, pg=pg)
    window = till.open(code)
    world.live(days=0)
    world.tick()  # the pump leaves it alone while the window is open
    imp_uid = till.approve(window)
    if told == "callback":
        assert till.complete(code, imp_uid).progress is Progress.DONE
    if told == "webhook":
        till.receive_webhook(till.webhook(imp_uid))
    world.wait(minutes=2)
    world.tick()
    (charge,) = world.charges(subscription)
    assert (charge.status, till.status(code)) == ("paid", "done")
    assert [(attempt.status, attempt.via) for attempt in world.attempts()] == [
        ("declined", "again"),
        ("paid", "window"),
    ]
    assert world.subscription(subscription).status is SubscriptionStatus.ACTIVE
    world.live(days=10, step=timedelta(days=1))
    assert world.portone.report().charges == 1
    world.assert_books_agree()


def test_view_of_a_payment_by_hand_shows_the_charge_and_its_period(world: World, till: Till):
    subscription, charge_id = overdue(world)
    (charge,) = world.charges(subscription)
    view = till.view(till.link(charge=charge_id))
    assert (view.amount, view.vat, view.period_start, view.period_end) == (
        9900,
        900,
        charge.period_start,
        charge.period_end,
    )
    parameters = till.agree(till.link(charge=charge_id), "payco")
    assert "customer_uid" not in parameters
    assert (parameters["pay_method"], parameters["pg"]) == ("card", "payco.PARTNERTEST")


def test_window_left_open_holds_dunning_for_a_day(world: World, till: Till):
    subscription, charge_id = overdue(world, NO_BALANCE)
    code = till.link(charge=charge_id, pg="kakaopay")
    till.open(code)
    world.live(days=1, step=timedelta(minutes=40))
    (charge,) = world.charges(subscription)
    (_, left) = world.attempts()
    assert (charge.status, left.status) == ("past_due", "not_charged")
    assert charge.next_attempt_at == world.now + timedelta(seconds=1), "its day has come by meanwhile"
    assert till.status(code) == "expired"
    world.live(days=10, step=timedelta(days=1))
    (charge,) = world.charges(subscription)
    assert (charge.status, charge.declines) == ("uncollectible", 5), "no try of the calendar is lost or added"
    world.assert_books_agree()


LATE = [
    # hours after which the customer pays in the window they had left; by what it is found
    (2, "webhook"),
    (2, "nobody"),
    (23, "webhook"),
    (23, "nobody"),
]


@pytest.mark.parametrize(("hours", "told"), LATE)
def test_window_paid_hours_later_is_the_only_payment(world: World, till: Till, hours: int, told: str):
    world.portone.switch(window_life_seconds=86_400)
    subscription, charge_id = overdue(world, decline("LACK_BALANCE", "잔액이 부족합니다", times=1), pay())
    code = till.link(charge=charge_id, pg="kakaopay")
    window = till.open(code)
    for _ in range(hours * 2):  # the lease runs out, look-ups find nothing, a pump and a day's calendar come by
        world.wait(minutes=30)
        world.tick()
    assert world.portone.report().charges == 0
    imp_uid = till.approve(window)
    if told == "webhook":
        till.receive_webhook(till.webhook(imp_uid))
    world.live(days=3, step=timedelta(hours=6))
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    assert (world.portone.report().charges, till.status(code)) == (1, "done")
    world.assert_books_agree()


def test_expired_window_is_recharged_under_its_own_merchant_uid(world: World, till: Till):
    """The sandbox keeps a window for a day at most, so it is opened a little later than it was agreed to."""
    world.portone.switch(window_life_seconds=86_400)
    subscription, charge_id = overdue(world, decline("LACK_BALANCE", "잔액이 부족합니다", times=1), pay())
    parameters = till.agree(till.link(charge=charge_id), "kakaopay")
    world.wait(hours=10)
    window = world.portone.open_window(parameters)["window"]["window_id"]
    world.live(days=1, step=timedelta(minutes=40))
    (charge,) = world.charges(subscription)
    assert charge.status == "paid"
    assert [attempt.merchant_uid[-3:] for attempt in world.attempts()] == ["001", "002"]
    world.portone.decide(window)
    assert world.portone.report().charges == 1
    world.assert_books_agree()


def test_window_paid_while_the_pump_sends_its_order_costs_once(world: World, till: Till):
    world.portone.switch(window_life_seconds=86_400)
    subscription, charge_id = overdue(world, decline("LACK_BALANCE", "잔액이 부족합니다", times=1), pay())
    parameters = till.agree(till.link(charge=charge_id), "kakaopay")
    world.wait(hours=20)
    window = world.portone.open_window(parameters)["window"]["window_id"]
    world.wait(hours=4, minutes=1)
    world.sql("UPDATE checkouts SET next_lookup_at = next_lookup_at + interval '9 days' WHERE status = 'opened'")
    world.tick()  # proved left; the charge is due at its planned time
    till.approve(window)  # before the next look, and before the send
    world.live(days=2, step=timedelta(hours=2))
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    assert world.portone.report().charges == 1
    world.assert_books_agree()


def test_lost_send_after_an_expired_window_is_looked_up_on_its_own(world: World, till: Till):
    lost = troubled(Reply.DROP, charged=False)
    subscription, charge_id = overdue(world, decline("LACK_BALANCE", "잔액이 부족합니다", times=1), lost, pay())
    code = till.link(charge=charge_id)
    world.portone.decide(till.open(code, "kakaopay"), "decline", reason="lost")
    till.open(code, "kakaopay")  # left, so it stays `ready`
    world.live(days=4, step=timedelta(hours=2))
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    assert [row.status for row in world.sql("SELECT status FROM billing_keys")] == ["active"], "not the key's decline"
    world.assert_books_agree()


def test_tabs_and_links_of_one_charge_share_one_order(world: World, till: Till):
    _, charge_id = overdue(world)
    first, second = till.link(charge=charge_id, pg="kakaopay"), till.link(charge=charge_id, pg="payco")
    windows = [till.open(first), till.open(first), till.open(second)]
    imp_uid = till.approve(windows[1])
    assert [world.portone.decide(window)["state"] for window in windows] == ["declined", "approved", "declined"]
    assert till.complete(second).progress is Progress.DONE, "paid through the other link's PG, which is as good"
    assert till.complete(first, imp_uid).progress is Progress.DONE
    world.tick()
    assert world.discrepancies() == []
    assert world.portone.report().charges == 1
    world.assert_books_agree()


def test_charge_waiting_for_a_key_still_waits_after_an_abandoned_window(world: World, till: Till):
    subscription, charge_id = overdue(world, LOST_CARD, pg="payco")
    till.open(till.link(charge=charge_id, pg="payco"))
    world.live(days=2)
    (charge,) = world.charges(subscription)
    assert (charge.status, charge.next_attempt_at) == ("past_due", None)
    world.assert_books_agree()


def test_key_registered_while_a_window_is_open_is_charged_after_it(world: World, till: Till):
    subscription, charge_id = overdue(world, LOST_CARD, pg="payco")
    till.open(till.link(charge=charge_id, pg="payco"))
    code = till.link(subscription, pg="kakaopay")
    assert till.complete(code, till.approve(till.open(code))).progress is Progress.DONE
    world.tick()
    assert [charge.status for charge in world.charges(subscription)] == ["charging"]
    world.live(days=2)
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    world.assert_books_agree()


def test_crash_between_commit_and_window_leaves_a_charge_that_goes_on(world: World, till: Till):
    subscription, charge_id = overdue(world, decline("LACK_BALANCE", "잔액이 부족합니다", times=1), pay())
    till.agree(till.link(charge=charge_id), "kakaopay")  # the parameters never reach the browser
    assert [charge.status for charge in world.charges(subscription)] == ["charging"]
    world.live(days=3)
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    world.assert_books_agree()


def test_window_does_not_open_while_everything_is_stopped(world: World, till: Till):
    _, charge_id = overdue(world)
    code = till.link(charge=charge_id)
    with world.runtime.sessions.begin() as session:
        stops.stop(session, scope="all", reason="audit", stopped_by="test", now=world.now)
    with pytest.raises(Refused, match="held just now"):
        till.agree(code, "kakaopay")
    assert [charge.status for charge in world.charges()] == ["past_due"]


@pytest.mark.parametrize("stopped", ["plan", "subscription"])
def test_window_does_not_open_while_its_plan_or_its_subscription_is_stopped(world: World, till: Till, stopped: str):
    subscription, charge_id = overdue(world)
    code, sessions = till.link(charge=charge_id), world.runtime.sessions
    if stopped == "plan":
        kill_switch.set_switch(sessions, "plan:monthly", reason="audit", stopped_by="test", now=world.now)
    else:
        holds.hold(sessions, subscription, reason="audit", by="test", now=world.now)
    with pytest.raises(Refused, match="held just now"):
        till.agree(code, "kakaopay")
    world.live(days=2)
    assert [charge.declines for charge in world.charges()] == [1]  # nor was it sent
    if stopped == "plan":
        kill_switch.start_charging(sessions, "plan:monthly", now=world.now)
    else:
        holds.release(sessions, subscription, reason="over", now=world.now)
    till.agree(code, "kakaopay")


def test_customer_may_pay_by_hand_what_a_limit_has_held(world: World, till: Till):
    _, charge_id = overdue(world)
    with world.runtime.sessions.begin() as session:
        (row,) = world.sql("SELECT id FROM subscriptions")
        subscription_holds.hold(session, {row.id: "too much"}, by=STOPPED_BY_LIMIT, now=world.now)
    till.agree(till.link(charge=charge_id), "kakaopay")


def test_charge_that_is_not_past_due_cannot_be_paid_by_hand(world: World, till: Till):
    world.subscribe()
    world.tick()
    (charge,) = world.charges()
    with pytest.raises(Refused, match="is paid; only one that is past due"):
        till.link(charge=charge.id)
    with pytest.raises(Refused, match="There is no charge 999"):
        till.link(charge=999)
    _, charge_id = overdue(world)
    code = till.link(charge=charge_id, pg="kakaopay")
    world.sql("UPDATE charges SET next_attempt_at = :now WHERE id = :id", now=world.now, id=charge_id)
    world.portone.behave(troubled(Reply.DROP, charged=True))
    world.tick()  # it is in flight, and unclear
    with pytest.raises(Refused, match="being charged just now"):
        till.agree(code)


def test_charge_voided_while_its_window_is_open_becomes_paid(world: World, till: Till):
    subscription, charge_id = overdue(world)
    code = till.link(charge=charge_id, pg="kakaopay")
    window = till.open(code)
    acts.cancel(world.runtime.sessions, subscription, reason="left", now=world.now)
    assert till.complete(code, till.approve(window)).progress is Progress.DONE
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    world.assert_books_agree()


def test_links_completed_at_the_same_moment_count_one_payment(world: World, till: Till):
    _, charge_id = overdue(world)
    links = [till.link(charge=charge_id, pg="kakaopay") for _ in range(5)]
    windows = [till.open(link) for link in links]
    till.approve(windows[2])
    world.wait(minutes=2)
    till.run_maintenance()
    assert {till.status(link) for link in links} == {"done"}
    assert world.discrepancies() == []
    world.assert_books_agree()


def test_link_whose_order_was_charged_by_again_is_no_discrepancy(world: World, till: Till):
    subscription, charge_id = overdue(world, decline("LACK_BALANCE", "잔액이 부족합니다", times=1), pay())
    code = till.link(charge=charge_id, pg="payco")  # the key is Kakao Pay's
    till.open(code)
    world.live(days=3, step=timedelta(hours=2))
    assert [attempt.via for attempt in world.attempts()] == ["again", "again"]
    assert till.complete(code).progress is Progress.DONE, "what was to be paid by hand is paid"
    assert [charge.status for charge in world.charges(subscription)] == ["paid"]
    assert world.discrepancies() == []
    world.assert_books_agree()
