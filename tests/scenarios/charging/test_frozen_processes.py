"""A process that is frozen at the worst moment, and continues when everything else has moved on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scenarios.conftest import World
from worker import process, tasks
from worker.charging.run_limits import run_limits
from worker.domain.attempt import Attempt
from worker.domain.gateway import Found, Gateway, LookUpFailed
from worker.domain.outcomes import NotCharged, NotChargedReason, Outcome, Paid
from worker.domain.settlement import settle
from worker.domain.states import AttemptStatus
from worker.ledger.claiming import claim
from worker.ledger.write_back import write_back
from worker.portone.adapter import PortOneGateway
from worker.sandbox.rules.behaviours import Behaviour, Reply, decline, pay
from worker.subscriptions.key_change import change_key


def claim_one(world: World) -> Attempt:
    limits = run_limits(world.runtime.settings)
    with world.runtime.sessions.begin() as session:
        (attempt,) = claim(session, now=world.now, limit=1, lease=limits.lease, prefix=limits.prefix)
    return attempt


@pytest.mark.parametrize(("pg", "repeated_paid"), [("naverpay", "refuse"), ("kakaopay", "accept")])
def test_look_up_before_the_quiet_period_proves_nothing_after_it(
    world: World, pg: str, repeated_paid: str, monkeypatch: pytest.MonkeyPatch
):
    world.portone.switch(repeated_paid=repeated_paid)
    code = world.subscribe(Behaviour(reply=Reply.DROP, hidden_seconds=600), pay(), pg=pg)
    world.tick()
    world.wait(minutes=6)
    look_up = PortOneGateway.look_up

    async def frozen_after_the_answer(self: PortOneGateway, merchant_uid: str) -> Found | LookUpFailed:
        found = await look_up(self, merchant_uid)
        world.wait(minutes=26)
        return found

    with monkeypatch.context() as thawing_later:
        thawing_later.setattr(PortOneGateway, "look_up", frozen_after_the_answer)
        tasks.reconcile()
    assert [attempt.status for attempt in world.attempts()] == [AttemptStatus.UNKNOWN]
    world.live(days=1)
    assert [charge.status for charge in world.charges(code)] == ["paid"]
    world.assert_books_agree()


def test_payment_by_a_thawed_worker_ends_the_dunning_of_its_period(world: World):
    code = world.subscribe(decline("LACK_BALANCE", "잔액이 부족합니다"), pay())
    tasks.open_charges()
    first = claim_one(world)  # worker A is frozen, claimed and not sent
    for minutes in (5, 31, 2):
        world.wait(minutes=minutes)
        world.tick()  # proved not charged; worker B sends again, and is declined
    assert [(attempt.status, attempt.sends) for attempt in world.attempts()] == [("declined", 2)]

    async def thaw(gateway: Gateway) -> Outcome:
        return await gateway.charge(first.request)

    outcome = process.current().run(thaw)  # without its lease check, A would be paid now
    assert isinstance(outcome, Paid)
    result = write_back(
        world.runtime.sessions, [settle(first, outcome, now=world.now, policy=world.runtime.policy)], now=world.now
    )
    assert len(result.contradictions) == 1
    assert world.discrepancies() == [("declined_here", "open")]
    world.live(days=1)
    world.sweep()
    assert world.discrepancies() == [("declined_here", "repaired")]
    world.live(days=9, step=timedelta(days=1))
    assert [attempt.status for attempt in world.attempts()] == [AttemptStatus.PAID]
    assert [charge.status for charge in world.charges(code)] == ["paid"]
    world.assert_books_agree()


def test_worker_whose_lease_expired_before_it_had_a_connection_sends_nothing(world: World):
    world.subscribe()
    tasks.open_charges()
    attempt = claim_one(world)

    async def send(gateway: Gateway) -> Outcome:
        await gateway.ready()  # the token is cached: only the charge itself is requested
        return await gateway.charge(attempt.request, holds_lease=lambda: False)

    outcome = process.current().run(send)
    assert isinstance(outcome, NotCharged)
    assert outcome.reason is NotChargedReason.LEASE_OVER
    assert world.portone.report().again_requests == 0


def test_hard_decline_of_a_replaced_key_does_not_delay_the_new_one(world: World):
    code = world.subscribe(decline("CC54", "유효기간 경과"), pg="payco")
    tasks.open_charges()
    in_flight = claim_one(world)
    world.portone.create_key("another-key", pay(), pg="payco")
    ((new_key,),) = world.sql("""
        INSERT INTO billing_keys (customer_uid, pg, label, status, status_at, created_at)
        VALUES ('another-key', 'payco', '', 'active', now(), now()) RETURNING id""")
    change_key(world.runtime.sessions, code, str(new_key), max_amount=2_000_000, reason="new card", now=world.now)

    async def answer(gateway: Gateway) -> Outcome:
        return await gateway.charge(in_flight.request)

    outcome = process.current().run(answer)
    settlement = settle(in_flight, outcome, now=world.now, policy=world.runtime.policy)
    write_back(world.runtime.sessions, [settlement], now=world.now)
    world.tick()
    assert [charge.status for charge in world.charges(code)] == ["paid"]
    world.assert_books_agree()
