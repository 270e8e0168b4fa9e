"""Statement reconciliation: PortOne's payments against our records, and what is repaired or left to an operator."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from tests.scenarios.conftest import World
from tests.support.sandbox import Api, RunningSandbox
from worker import tasks
from worker.database.tables.charges import Charge
from worker.domain.gateway import Found, Gateway, ListChanged, LookUpFailed, TooMany
from worker.domain.merchant_uid import derive
from worker.domain.outcomes import Answer
from worker.domain.states import SweepReason
from worker.ledger import charging_hold
from worker.portone import connection
from worker.portone.payloads import Page, read_page
from worker.reconciliation import queries as reconciliation_queries
from worker.reconciliation import slice_walk, sweep_lease
from worker.reconciliation.statement import BACK_OFF, StatementRun, reconcile_statement
from worker.reconciliation.sweep_lease import LEASE
from worker.reconciliation.time_slices import MAX_PAYMENTS
from worker.sandbox.rules.behaviours import Reply, decline, misrecorded, pay, troubled

MISREADABLE = ("CC10", "계좌 잔액 부족")


@pytest.fixture
def quick_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slice_walk, "FIRST_WAIT", 0.001)


def merchant_uid(charge: Charge, code: str, number: int = 1) -> str:
    return derive("again", code, charge.period_start, number)


def later(world: World, **span: float) -> None:
    """Let time pass without a tick, and reconcile again."""
    world.wait(**span)
    world.sweep()


def test_matching_records_have_no_discrepancies(world: World):
    for _ in range(3):
        world.subscribe(pay())
    world.subscribe(decline())
    world.tick()
    later(world, hours=2)
    assert world.discrepancies() == []
    (sweep,) = world.sql("SELECT * FROM sweeps")
    assert (sweep.reason, sweep.payments, sweep.not_ours, sweep.repaired, sweep.found) == ("daily", 3, 0, 0, 0)
    assert sweep.finished_at is not None


def test_wrong_decline_is_corrected_to_paid(world: World):
    world.subscribe(misrecorded(*MISREADABLE))
    world.tick()
    assert world.statuses() == {"past_due": 1}
    (payment,) = world.portone.payments()
    world.portone.correct(payment["imp_uid"])
    later(world, hours=1)
    assert world.statuses() == {"paid": 1}
    assert [attempt.status for attempt in world.attempts()] == ["paid"]
    assert world.discrepancies() == [("declined_here", "repaired")]
    (row,) = world.sql(
        "SELECT actor, from_status, to_status FROM audit WHERE entity = 'attempt' ORDER BY id DESC LIMIT 1"
    )
    assert tuple(row) == ("worker scenario", "declined", "paid")
    world.live(days=5)
    assert world.portone.report().again_requests == 1, "dunning has stopped"
    world.assert_books_agree()


def test_corrected_decline_stores_portones_current_answer(world: World):
    world.subscribe(misrecorded(*MISREADABLE))
    world.tick()
    assert [attempt.code for attempt in world.attempts()] == ["0"]
    (payment,) = world.portone.payments()
    world.portone.correct(payment["imp_uid"])
    later(world, hours=1)
    (attempt,) = world.attempts()
    assert (attempt.http_status, attempt.code, attempt.message) == (200, "paid", None)
    assert attempt.raw is not None
    assert attempt.raw["status"] == "paid"


def test_backfilled_payment_stores_portones_answer(world: World, sandbox: RunningSandbox):
    code = world.subscribe(pay())
    tasks.open_charges()
    (charge,) = world.charges()
    with Api(sandbox.base_url) as api:
        paid = api.paid(merchant_uid(charge, code), "key-1")
    later(world, hours=1)
    (attempt,) = world.attempts()
    assert (attempt.http_status, attempt.code, attempt.message) == (200, "paid", None)
    assert attempt.raw is not None
    assert attempt.raw["imp_uid"] == attempt.imp_uid == paid["imp_uid"]


def test_uncollectible_charge_that_was_paid_becomes_paid(world: World):
    world.plan(dunning="none")
    world.subscribe(misrecorded(*MISREADABLE))
    world.tick()
    assert world.statuses() == {"uncollectible": 1}
    (payment,) = world.portone.payments()
    world.portone.correct(payment["imp_uid"])
    later(world, hours=1)
    assert world.statuses() == {"paid": 1}
    world.assert_books_agree()


def test_period_paid_twice_by_dunning_becomes_a_discrepancy(world: World):
    world.plan(dunning="1")
    code = world.subscribe(misrecorded(*MISREADABLE), pay())
    world.tick()
    (payment,) = world.portone.payments()
    world.live(days=2)
    assert world.statuses() == {"paid": 1}
    world.portone.correct(payment["imp_uid"])
    later(world, days=1)
    assert world.discrepancies() == [("paid_twice", "open")]
    (charge,) = world.charges(code)
    (discrepancy,) = world.sql("SELECT merchant_uid, imp_uid, charge_id FROM discrepancies")
    assert tuple(discrepancy) == (merchant_uid(charge, code), payment["imp_uid"], charge.id)
    later(world, days=1)
    assert world.discrepancies() == [("paid_twice", "open")], "one row, however often it is found"


def test_two_payments_under_one_merchant_uid_become_a_discrepancy(world: World, sandbox: RunningSandbox):
    sandbox.admin.switch(repeated_paid="accept")
    code = world.subscribe(pay())
    world.tick()
    (charge,) = world.charges()
    with Api(sandbox.base_url) as api:
        api.paid(merchant_uid(charge, code), "key-1")
    later(world, hours=1)
    assert world.discrepancies() == [("paid_twice", "open")]


def test_refund_in_the_console_is_recorded_on_the_charge(world: World, sandbox: RunningSandbox):
    world.subscribe(pay())
    world.tick()
    (payment,) = world.portone.payments()
    with Api(sandbox.base_url) as api:
        api.post("/payments/cancel", imp_uid=payment["imp_uid"], amount=4000, tax_free=0)
    later(world, hours=1)
    assert [(charge.status, charge.refunded) for charge in world.charges()] == [("paid", 4000)]
    with Api(sandbox.base_url) as api:
        api.post("/payments/cancel", imp_uid=payment["imp_uid"], tax_free=0)
    later(world, days=1)
    assert [(charge.status, charge.refunded) for charge in world.charges()] == [("paid", 9900)]
    assert world.discrepancies() == [("refunded_there", "repaired")]
    world.live(days=3)
    assert world.portone.report().again_requests == 1, "the period is not charged again"


def test_refund_long_after_the_payment_is_found_among_the_cancelled_ones(world: World, sandbox: RunningSandbox):
    world.changed(sweep_days=2)
    world.subscribe(pay())
    world.tick()
    world.wait(days=20)
    (payment,) = world.portone.payments()
    with Api(sandbox.base_url) as api:
        api.post("/payments/cancel", imp_uid=payment["imp_uid"], tax_free=0)
    later(world, hours=1)
    assert [charge.refunded for charge in world.charges()] == [9900]


def test_payment_for_a_void_charge_becomes_a_discrepancy(world: World, sandbox: RunningSandbox):
    code = world.subscribe(pay())
    tasks.open_charges()
    world.sql("UPDATE charges SET status = 'void', next_attempt_at = NULL, wait_reason = NULL")
    (charge,) = world.charges()
    with Api(sandbox.base_url) as api:
        api.paid(merchant_uid(charge, code), "key-1")
    later(world, hours=1)
    assert world.discrepancies() == [("not_owed", "open")]
    assert world.statuses() == {"void": 1}


def test_payment_of_another_amount_becomes_a_discrepancy_and_is_not_backfilled(world: World, sandbox: RunningSandbox):
    code = world.subscribe(decline())
    world.tick()
    (charge,) = world.charges()
    with Api(sandbox.base_url) as api:
        sandbox.admin.behave(pay())
        api.paid(merchant_uid(charge, code), "key-1", amount=5000)
    later(world, hours=1)
    assert world.discrepancies() == [("other_amount", "open")]
    assert world.statuses() == {"past_due": 1}


def test_payment_for_a_day_without_a_period_becomes_a_discrepancy(world: World, sandbox: RunningSandbox):
    code = world.subscribe(pay())
    world.tick()
    start = world.charges()[0].period_start + timedelta(days=3)
    with Api(sandbox.base_url) as api:
        api.paid(derive("again", code, start, 1), "key-1")
    later(world, hours=1)
    assert world.discrepancies() == [("not_in_records", "open")]
    assert len(world.charges()) == 1


def test_payments_of_other_systems_are_counted_and_ignored(world: World, sandbox: RunningSandbox):
    world.subscribe(pay())
    world.tick()
    with Api(sandbox.base_url) as api:
        api.paid("shop-order-4711", "key-1")
        api.paid(derive("other", "0000000000001", world.now.replace(microsecond=0), 1), "key-1")
    later(world, hours=1)
    assert world.discrepancies() == []
    assert [row.not_ours for row in world.sql("SELECT not_ours FROM sweeps")] == [2]


def test_payment_missing_at_portone_becomes_a_discrepancy(world: World):
    world.subscribe(pay())
    world.tick()
    world.portone.reset()
    later(world, minutes=20)
    assert world.discrepancies() == [], "it may show late"
    later(world, days=1)
    assert world.discrepancies() == [("not_there", "open")]


def test_payment_that_portone_shows_late_is_no_discrepancy(world: World, sandbox: RunningSandbox):
    world.subscribe(pay(hidden_seconds=3 * 3600))
    world.tick()
    world.wait(hours=1)
    world.sweep()
    assert world.discrepancies() == [("not_there", "open")]
    later(world, days=1)
    assert world.discrepancies() == [("not_there", "gone")], "PortOne shows it after all"


def test_paid_attempt_with_a_lost_answer_need_not_wait_for_its_next_look_up(world: World):
    world.subscribe(troubled(Reply.DROP, charged=True))
    tasks.open_charges()
    tasks.charge()
    world.sql("UPDATE attempts SET next_lookup_at = next_lookup_at + interval '6 days'")
    world.sweep()
    tasks.reconcile()
    assert world.statuses() == {"paid": 1}
    assert world.discrepancies() == []


def test_subscription_that_pays_one_period_and_owes_another_stays_past_due(world: World):
    world.plan(cadence="day", dunning="1,2")
    code = world.subscribe(decline(), troubled(Reply.DROP, charged=False), pay())
    world.tick()
    world.wait(days=1)
    world.tick()
    assert sorted(world.statuses().elements()) == ["charging", "paid"], "the second try of the first is unknown"
    assert world.subscription(code).status == "past_due"
    world.live(days=1, step=timedelta(hours=1))
    assert world.statuses()["paid"] >= 2
    assert world.subscription(code).status == "active"
    world.assert_books_agree()


def test_reconciliation_runs_once_a_day_for_any_number_of_ticks(world: World):
    for _ in range(5):
        world.wait(hours=1)
        tasks.sweep()
    assert len(world.sql("SELECT id FROM sweeps")) == 1
    world.wait(days=1)
    tasks.sweep()
    assert len(world.sql("SELECT id FROM sweeps")) == 2


def test_interrupted_reconciliation_continues_where_it_was(world: World):
    world.changed(pump_seconds=0.02)
    first = tasks.sweep()
    assert (first["ended"], first["finished"]) == ("time budget spent", False)
    second = tasks.sweep()
    assert second["sweep"] == first["sweep"]
    assert str(second["position"]) > str(first["position"])
    assert world.sweep()["finished"]
    (lists,) = world.sql("SELECT count(*) AS n, min(until - since) AS span FROM sweeps")
    assert (lists.n, lists.span) == (1, timedelta(days=3))


def test_reconciliation_of_a_dead_worker_is_taken_over_after_its_lease(world: World):
    world.sql(
        """INSERT INTO sweeps (reason, holds_claims, since, until, position, started_at, lease_until)
           VALUES ('daily', false, :since, :now, :since, :now, :lease)""",
        since=world.now - timedelta(days=1),
        now=world.now,
        lease=world.now + LEASE,
    )
    assert tasks.sweep()["sweep"] is None, "somebody works on it"
    world.wait(seconds=LEASE.total_seconds() + 1)
    assert world.sweep()["finished"]


def test_reconciliation_waits_while_portone_is_down(world: World):
    world.subscribe(pay())
    world.tick()
    world.portone.switch(outage="error")
    assert tasks.sweep()["ended"] == "list not read"
    world.portone.switch(outage="none")
    world.wait(minutes=1)
    assert world.sweep()["finished"]
    assert world.discrepancies() == []


def test_payment_in_cents_of_another_system_does_not_spoil_a_list(
    world: World, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
):
    def with_cents(document: Any, **how: bool) -> Page:
        for each in document["list"]:
            if each["merchant_uid"] == "shop-1":
                each.update(amount=10.5, currency="USD")
        return read_page(document, **how)

    monkeypatch.setattr(connection, "read_page", with_cents)
    world.subscribe(pay())
    world.tick()
    with Api(sandbox.base_url) as api:
        api.paid("shop-1", "key-1")
    world.wait(hours=1)
    swept = world.sweep()
    assert (swept["finished"], swept["payments"], swept["not_ours"]) == (True, 2, 1)
    assert world.discrepancies() == []


class Shop:
    """A PortOne with `a_day` payments a day, all of another system's, that takes longer for longer lists."""

    def __init__(self, *, a_day: int, changing_beyond: timedelta = timedelta.max) -> None:
        self.a_day, self.changing_beyond = a_day, changing_beyond
        self.asked: list[timedelta] = []
        self.held: list[int] = []

    async def payments(
        self, status: str, *, since: datetime, until: datetime, pause: float, most: int | None = None
    ) -> Found | TooMany | LookUpFailed:
        self.asked.append(until - since)
        total = int(self.a_day * ((until - since) / timedelta(days=1))) if status == "paid" else 0
        if most is not None and total > most:
            return TooMany(total)
        self.held.append(total)
        if until - since > self.changing_beyond:
            return ListChanged(Answer(message="the list changed while it was read"))
        return Found((), skipped=total)


class Away(Shop):
    """It fails for time slices before an instant."""

    def __init__(self, before: datetime) -> None:
        super().__init__(a_day=0)
        self.before = before

    async def payments(
        self, status: str, *, since: datetime, until: datetime, pause: float, most: int | None = None
    ) -> Found | TooMany | LookUpFailed:
        if since < self.before:
            return LookUpFailed(Answer(message="no"))
        return await super().payments(status, since=since, until=until, pause=pause, most=most)


def started_sweep(world: World, *, days: int, reason: SweepReason = SweepReason.RESTORED) -> int:
    """Start a reconciliation of the last days."""
    since, holds = world.now - timedelta(days=days), reason == SweepReason.RESTORED
    with world.runtime.sessions.begin() as session:
        return charging_hold.begin_sweep(
            session, reason=reason, holds_claims=holds, since=since, until=world.now, now=world.now
        )


def run(world: World, shop: Shop, *, budget: timedelta = timedelta(seconds=5), pause: float = 0.5) -> StatementRun:
    runtime = world.runtime
    policy = replace(runtime.statement_policy, pause=pause)
    comparing = reconcile_statement(
        runtime.sessions,
        cast("Gateway", shop),
        clock=runtime.clock,
        policy=policy,
        budget=budget,
        stopping=lambda: False,
    )
    return asyncio.run(comparing)


def test_million_payments_a_day_are_reconciled_with_few_in_memory(world: World):
    started_sweep(world, days=2)
    shop = Shop(a_day=1_000_000)
    swept = run(world, shop, budget=timedelta(minutes=1))
    assert swept.finished
    assert max(shop.held) <= 1.5 * MAX_PAYMENTS, "the last half an hour is read at once"
    assert len(shop.held) <= len(shop.asked) < 2 * len(shop.held)
    assert 2_000_000 < swept.payments < 3_500_000, "little is read twice"


@pytest.mark.parametrize("pause", [0.01, 0.5, 30.0])
def test_shortest_run_still_advances_a_big_reconciliation(world: World, pause: float):
    started_sweep(world, days=2)
    shop = Shop(a_day=1_000_000)
    first = run(world, shop, budget=timedelta(0), pause=pause)
    assert first.ended == "time budget spent"
    first = run(world, shop, budget=timedelta(microseconds=1), pause=pause)
    second = run(world, shop, budget=timedelta(microseconds=1), pause=pause)
    assert second.position >= first.position
    third = run(world, shop, budget=timedelta(seconds=2), pause=pause)
    assert third.position > first.position


def test_narrowest_time_slice_is_read_whatever_its_size(world: World):
    started_sweep(world, days=1)
    (row,) = world.sql("UPDATE sweeps SET position = until - interval '40 minutes' RETURNING id")
    shop = Shop(a_day=100_000_000)
    assert run(world, shop).finished, row
    assert max(shop.held) > MAX_PAYMENTS


def test_list_that_changes_is_requested_again_for_a_shorter_slice(world: World):
    started_sweep(world, days=2)
    shop = Shop(a_day=100, changing_beyond=timedelta(hours=3))
    assert run(world, shop).finished
    assert max(shop.asked) > timedelta(days=1)


def test_list_that_keeps_changing_ends_with_the_time_budget(world: World):
    started_sweep(world, days=2)
    swept = run(world, Shop(a_day=100, changing_beyond=timedelta(0)), budget=timedelta(seconds=0.1))
    assert (swept.ended, swept.failure) == ("time budget spent", "the list changed while it was read")


def test_failed_reconciliation_by_hand_does_not_block_the_daily_one(world: World):
    started_sweep(world, days=400, reason=SweepReason.BY_HAND)
    shop = Away(world.now - timedelta(days=100))
    for _ in range(3):
        world.wait(hours=12)
        run(world, shop)
    rows = world.sql("SELECT reason, finished_at IS NOT NULL AS ended FROM sweeps ORDER BY id")
    assert ("by_hand", False) in [tuple(row) for row in rows]
    assert ("daily", True) in [tuple(row) for row in rows]


@pytest.mark.usefixtures("quick_waits")
def test_failing_reconciliation_of_a_hold_alternates_with_the_others(world: World):
    held = started_sweep(world, days=400)
    shop = Away(world.now - timedelta(days=100))
    short = timedelta(seconds=0.1)
    assert run(world, shop, budget=short).sweep == held
    world.wait(seconds=1)
    others = [run(world, shop, budget=short) for _ in range(2)]
    assert {each.sweep for each in others} > {held}
    assert [each.reason for each in others if each.finished] == ["daily"]


def test_reconciliation_charges_nothing_and_refunds_nothing(world: World):
    world.subscribe(pay())
    tasks.open_charges()
    world.sweep()
    assert world.portone.report().again_requests == 0
    endpoints = {request["endpoint"] for request in world.portone.requests()}
    assert not any("cancel" in endpoint or "again" in endpoint for endpoint in endpoints), endpoints


class Hesitant(Shop):
    """It fails the first few times."""

    def __init__(self, times: int) -> None:
        super().__init__(a_day=0)
        self.times = times

    async def payments(
        self, status: str, *, since: datetime, until: datetime, pause: float, most: int | None = None
    ) -> Found | TooMany | LookUpFailed:
        self.times -= 1
        if self.times >= 0:
            return LookUpFailed(Answer(message="no"))
        return await super().payments(status, since=since, until=until, pause=pause, most=most)


@pytest.mark.usefixtures("quick_waits")
def test_hold_requests_a_failed_list_again_in_the_same_run(world: World):
    started_sweep(world, days=2)
    assert run(world, Hesitant(3), budget=timedelta(minutes=1)).finished


@pytest.mark.usefixtures("quick_waits")
def test_hold_with_an_unreadable_list_frees_its_lease_and_keeps_the_reason(world: World):
    started_sweep(world, days=2)
    swept = run(world, Hesitant(1_000_000), budget=timedelta(seconds=0.1))
    assert swept.ended == "list not read"
    [row] = world.sql("SELECT lease_until, failure FROM sweeps WHERE holds_claims")
    assert (row.lease_until, row.failure) == (world.now, "no")
    world.wait(seconds=1)
    while not world.sql("SELECT finished_at FROM sweeps WHERE holds_claims")[0].finished_at:
        run(world, Hesitant(0), budget=timedelta(minutes=1))
    assert world.sql("SELECT failure FROM sweeps WHERE holds_claims")[0].failure is None


def test_reconciliation_that_holds_nothing_lets_others_go_first(world: World):
    started_sweep(world, days=2, reason=SweepReason.BY_HAND)
    assert run(world, Hesitant(1)).ended == "list not read"
    [row] = world.sql("SELECT lease_until FROM sweeps WHERE reason = 'by_hand'")
    assert row.lease_until == world.now + BACK_OFF


class Slow(Shop):
    """It reads for longer than a lease, while other workers run."""

    def __init__(self, world: World) -> None:
        super().__init__(a_day=0)
        self.world = world

    async def payments(
        self, status: str, *, since: datetime, until: datetime, pause: float, most: int | None = None
    ) -> Found | TooMany | LookUpFailed:
        for _ in range(4):
            self.world.wait(seconds=LEASE.total_seconds() / 2)
            async with asyncio.timeout(60):
                while not self._is_renewed():  # noqa: ASYNC110 - the row says it, and no event
                    await asyncio.sleep(0.001)
        return await super().payments(status, since=since, until=until, pause=pause, most=most)

    def _is_renewed(self) -> bool:
        lease_until = self.world.sql("SELECT lease_until FROM sweeps WHERE holds_claims")[0].lease_until
        return bool(lease_until >= self.world.now + LEASE)


def test_reconciliation_stays_with_its_worker_while_that_is_alive(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sweep_lease, "RENEW_SECONDS", 0.001)
    started_sweep(world, days=2)
    assert run(world, Slow(world), budget=timedelta(minutes=1)).finished


def test_reconciliation_of_a_killed_worker_is_taken_over_within_seconds(world: World):
    started_sweep(world, days=2)
    with world.runtime.sessions.begin() as session:
        assert reconciliation_queries.lease_sweep(session, now=world.now, lease=LEASE) is not None
    assert run(world, Shop(a_day=0)).reason == "daily", "what holds is taken"
    world.wait(seconds=21)
    swept = run(world, Shop(a_day=0))
    assert (swept.reason, swept.finished) == ("restored", True)


def test_reconciliation_with_a_lease_from_before_a_set_clock_is_taken_over(world: World):
    started_sweep(world, days=2)
    with world.runtime.sessions.begin() as session:
        assert reconciliation_queries.lease_sweep(session, now=world.now + timedelta(hours=2), lease=LEASE) is not None
    assert run(world, Shop(a_day=0)).reason == SweepReason.RESTORED
