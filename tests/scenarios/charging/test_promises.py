"""The promises, each against the sandbox's ledger, under every rule that PortOne does not publish."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scenarios.conftest import World
from worker.ledger import stops
from worker.sandbox.rules.behaviours import Reply, decline, flaky, pay, troubled
from worker.sandbox.switches import Repeat

RULES = [
    {"repeated_paid": paid, "repeated_failed": failed, "repeated_in_flight": in_flight}
    for paid, failed, in_flight in (
        (Repeat.REFUSE, Repeat.ACCEPT, Repeat.SERIALIZE),
        (Repeat.REFUSE_AS_PG, Repeat.REFUSE, Repeat.REFUSE),
        (Repeat.ACCEPT, Repeat.ACCEPT, Repeat.ACCEPT),
        (Repeat.ACCEPT, Repeat.REFUSE_AS_PG, Repeat.REFUSE_AS_PG),
    )
]


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: "-".join(rules.values()))
def test_1_at_most_one_payment_per_period_whatever_goes_wrong(world: World, rules: dict[str, Repeat]):
    world.portone.switch(**rules)
    for seed in range(12):
        world.subscribe(flaky(seed), pg=("kakaopay", "payco")[seed % 2])
    world.live(days=1, step=timedelta(minutes=20))
    world.live(days=2, step=timedelta(hours=1))
    world.assert_books_agree()
    assert world.statuses()["charging"] == 0


def test_2_no_period_is_forgotten_through_months_of_downtime(world: World):
    healthy = world.subscribe()
    broke = world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다", times=2), pay())
    closed = world.subscribe(decline("-751", "정기결제 비활성화"))
    world.tick()
    world.wait(days=100)  # nothing runs
    world.live(days=20, step=timedelta(days=1))
    assert [charge.status for charge in world.charges(healthy)] == ["paid"] * 5
    assert [charge.status for charge in world.charges(broke)] == ["paid"] * 5
    # The key is dead: as many charges as the plan allows wait for another one, and the later periods are visibly void.
    assert [charge.status for charge in world.charges(closed)] == ["past_due", "due", "due", "void", "void"]
    world.assert_books_agree()


def test_3_unknown_is_never_guessed(world: World):
    """While PortOne cannot be reached, nothing new is attempted for the period, however long that takes."""
    code = world.subscribe(troubled(Reply.DROP, charged=True), pay())
    world.tick()
    world.portone.switch(outage="unavailable")
    sent = world.portone.report().again_requests
    world.live(days=2, step=timedelta(hours=1))
    assert [charge.status for charge in world.charges(code)] == ["charging"]
    assert world.portone.report().again_requests == sent
    world.portone.switch(outage="none")
    world.live(days=1)
    assert [charge.status for charge in world.charges(code)] == ["paid"]
    world.assert_books_agree()


def test_3_payment_hidden_from_look_ups_is_not_charged_again(world: World):
    code = world.subscribe(pay(hidden_seconds=20 * 60))
    world.portone.behave(troubled(Reply.DROP, charged=True), customer_uids=["key-1"])
    world.portone.switch(lookup_delay_seconds=20 * 60)
    world.tick()
    for _ in range(12):
        world.wait(minutes=5)
        world.tick()
    assert [charge.status for charge in world.charges(code)] == ["paid"]
    world.assert_books_agree()


def test_4_database_agrees_with_portone(world: World):
    replies = (Reply.DROP, Reply.CUT, Reply.ERROR, Reply.OTHER_PAYMENT, Reply.WRONG_AMOUNT, Reply.EMPTY)
    for reply in replies:
        world.subscribe(troubled(reply, charged=True))
    world.live(days=1, step=timedelta(minutes=30))
    unsure = {attempt.flag_reason for attempt in world.attempts() if attempt.flagged_at is not None}
    # An answer about another payment is never trusted; it waits visibly for an operator.
    assert unsure == {"other_payment"}
    assert world.statuses() == {"paid": 4, "charging": 2}
    assert set(world.paid_periods().values()) == {1}


def test_5_operator_can_stop_and_resume_charging(world: World):
    for _ in range(5):
        world.subscribe()
    with world.runtime.sessions.begin() as session:
        stops.stop(session, scope=stops.EVERYTHING, reason="audit", stopped_by="me", now=world.now)
    world.restart_worker()
    world.live(days=2)
    assert world.portone.report().again_requests == 0
    with world.runtime.sessions.begin() as session:
        stops.start(session, scope=stops.EVERYTHING, now=world.now)
    world.tick()
    assert world.statuses() == {"paid": 5}
    world.assert_books_agree()
