"""Payments at PortOne that contradict our records: no period is charged in addition."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy.orm import Session

from tests.scenarios.conftest import World
from tests.scenarios.restore.test_restored import Backup, start
from tests.support.attempts import record
from tests.support.sandbox import Api, RunningSandbox
from worker import tasks
from worker.charging import pump as charging
from worker.charging.limited_claim import Claimed
from worker.domain.merchant_uid import derive
from worker.ledger import write_back as settlements
from worker.ledger.database_identity import WrongDatabase
from worker.ledger.queues import Wanted
from worker.reconciliation.compare import compare_page
from worker.sandbox.rules.behaviours import Reply, decline, misrecorded, pay, troubled
from worker.sandbox.switches import Repeat


@pytest.fixture(autouse=True)
def _portone_protects_nobody(sandbox: RunningSandbox) -> None:
    sandbox.admin.switch(repeated_paid=Repeat.ACCEPT)


def assert_nobody_paid_twice(world: World) -> None:
    assert [period for period, times in world.paid_periods().items() if times > 1] == []


def test_restored_attempt_in_flight_gives_way_to_the_later_one_that_paid(
    world: World, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    world.subscribe(decline("-7", "점검"), pay())
    world.sweep()
    tasks.open_charges()
    backups: list[Backup] = []
    claim = charging.Pump._claim

    def claim_and_dump(pump: charging.Pump, wanted: Mapping[str, Wanted] | None) -> Claimed:
        claimed = claim(pump, wanted)
        if claimed.attempts and not backups:
            backups.append(Backup(world, database_url, tmp_path / "in-flight.dump"))
        return claimed

    with monkeypatch.context() as patched:
        patched.setattr(charging.Pump, "_claim", claim_and_dump)
        tasks.charge()
    world.wait(minutes=11)
    world.tick()
    assert world.statuses() == {"paid": 1}
    world.wait(hours=8)
    backups[0].restore()
    tasks.open_charges()
    world.sweep()  # before the attempt that the backup has in flight is looked up
    for _ in range(5):
        world.tick()
        world.sweep()
        world.wait(minutes=10)
    start(world)
    world.tick()
    assert_nobody_paid_twice(world)
    assert world.statuses() == {"paid": 1}


def test_corrected_decline_pays_its_charge_while_the_next_attempt_is_unknown(world: World):
    world.plan(dunning="1,3,5")
    world.subscribe(misrecorded(), troubled(Reply.DROP, charged=False), pay())
    world.tick()
    (payment,) = world.portone.payments()
    world.wait(days=1)
    tasks.charge()
    world.portone.correct(payment["imp_uid"])
    world.sweep()
    world.live(days=1, step=timedelta(minutes=30))
    assert_nobody_paid_twice(world)
    assert world.statuses() == {"paid": 1}


def test_payment_of_another_amount_stops_its_charge_until_it_is_decided(world: World, sandbox: RunningSandbox):
    code = world.subscribe(decline(), pay())
    world.tick()
    (charge,) = world.charges()
    with Api(sandbox.base_url) as api:
        sandbox.admin.behave(pay())
        api.paid(derive("again", code, charge.period_start, 1), "key-1", amount=9000)
    world.wait(hours=1)
    world.sweep()
    world.live(days=2)
    assert_nobody_paid_twice(world)
    assert world.discrepancies() == [("other_amount", "open")]


def test_missing_period_paid_with_another_amount_becomes_a_discrepancy(world: World, sandbox: RunningSandbox):
    code = world.subscribe(pay())
    start = world.subscription(code).next_charge_at
    assert start is not None
    with Api(sandbox.base_url) as api:
        api.paid(derive("again", code, start, 1), "key-1", amount=9000)
    world.sweep()
    world.tick()
    assert [(charge.status, charge.amount) for charge in world.charges()] == [("due", 9900)]
    assert world.discrepancies() == [("other_amount", "open")]


def test_payment_of_another_amount_for_a_future_period_does_not_pay_it(world: World, sandbox: RunningSandbox):
    code = world.subscribe(pay())
    world.tick()
    (charge,) = world.charges()
    with Api(sandbox.base_url) as api:
        api.paid(derive("again", code, charge.period_end, 1), "key-1", amount=100)
    world.wait(hours=1)
    world.sweep()
    world.live(days=35, step=timedelta(days=1))
    assert [each.amount for each in world.charges()] == [9900, 9900]
    assert ("not_in_records", "open") in world.discrepancies()


@pytest.mark.parametrize("start", ["00010101000000", "99991231000000"])
def test_payment_with_an_impossible_date_does_not_end_reconciliation(world: World, sandbox: RunningSandbox, start: str):
    code = world.subscribe(pay())
    world.tick()
    with Api(sandbox.base_url) as api:
        api.paid(f"again{code}{start}001", "key-1", amount=100)
    world.wait(hours=1)
    assert world.sweep()["finished"]
    assert world.discrepancies() == [("not_in_records", "open")]


def test_payment_that_does_not_fit_the_schema_stops_no_other(world: World, sandbox: RunningSandbox):
    codes = [world.subscribe(pay()) for _ in range(3)]
    with Api(sandbox.base_url) as api:
        for number, code in enumerate(codes, start=1):
            start = world.subscription(code).next_charge_at
            assert start is not None
            api.paid(derive("again", code, start, 1), f"key-{number}")
    # A constraint of the schema, which an amount of 0 or beyond the column's range violates too.
    world.sql("ALTER TABLE charges ADD CONSTRAINT refuse CHECK (subscription_id <> 2)")
    world.wait(hours=1)
    assert world.sweep()["finished"]
    world.sql("ALTER TABLE charges DROP CONSTRAINT refuse")
    assert world.statuses() == {"paid": 2}
    assert sorted(world.discrepancies()) == [("missing_here", "repaired")] * 2 + [("not_in_records", "open")]


def test_reconciliation_concurrent_with_a_write_back_sees_its_result(world: World, monkeypatch: pytest.MonkeyPatch):
    world.plan(dunning="1,3")
    world.subscribe(misrecorded(), pay())
    world.tick()
    (payment,) = world.portone.payments()
    world.wait(days=1)
    written, swept = Event(), Event()
    apply_settlements = settlements.apply_settlements

    def apply_and_wait(session: Session, *arguments: object, **more: object) -> object:
        result = apply_settlements(session, *arguments, **more)  # type: ignore[arg-type] # handed on as they came
        written.set()
        swept.wait(0.5)
        return result

    monkeypatch.setattr(settlements, "apply_settlements", apply_and_wait)
    charge = Thread(target=tasks.charge)
    charge.start()
    assert written.wait(60)
    world.portone.correct(payment["imp_uid"])  # later than the look-up of the earlier attempt
    paid_at = int(world.now.timestamp())
    shown = record(imp_uid=payment["imp_uid"], merchant_uid=payment["merchant_uid"], paid_at=paid_at)
    compare_page(world.runtime.sessions, [shown], prefix="again", now=world.now)
    swept.set()
    charge.join()
    assert world.discrepancies() == [("paid_twice", "open")]


def test_repair_by_reconciliation_need_not_wait_for_the_next_day(world: World):
    world.subscribe(misrecorded())
    world.tick()
    world.sweep()
    (payment,) = world.portone.payments()
    world.portone.correct(payment["imp_uid"])
    world.sql(
        """INSERT INTO discrepancies (kind, status, status_reason, status_at, merchant_uid, imp_uid, charge_id,
                                    attempt_id, evidence, found_at, seen_at)
           SELECT 'declined_here', 'open', 'a late answer', :now, merchant_uid, :imp_uid, charge_id,
                  id, '{}', :now, :now
           FROM attempts""",
        now=world.now,
        imp_uid=payment["imp_uid"],
    )
    world.wait(minutes=11)
    world.sweep()
    assert world.statuses() == {"paid": 1}
    assert world.discrepancies() == [("declined_here", "repaired")]


def test_task_on_a_database_of_another_mode_raises_and_changes_nothing(world: World):
    world.subscribe(troubled(Reply.DROP, charged=True))
    world.tick()
    world.sql("SET LOCAL session_replication_role = replica; UPDATE database_identity SET mode = 'live'")
    for task in (tasks.open_charges, tasks.charge, tasks.reconcile, tasks.checkout_maintenance, tasks.sweep):
        with pytest.raises(WrongDatabase):
            task()
    assert [attempt.status for attempt in world.attempts()] == ["unknown"]


def test_account_without_any_of_our_payments_does_not_end_the_hold(world: World):
    for _ in range(3):
        world.subscribe(pay())
    world.tick()
    world.wait(hours=1)
    world.portone.reset()  # as another account would look
    world.sql("UPDATE database_identity SET identity = 'another'")
    for _ in range(6):
        world.tick()
        assert "is this its account?" in world.sweep()["failure"]
        world.wait(minutes=10)
    assert world.sql("SELECT finished_at FROM sweeps WHERE holds_claims")[0].finished_at is None
    assert world.discrepancies() == []


def test_key_killed_by_a_corrected_decline_is_alive_again(world: World):
    code = world.subscribe(misrecorded("CC54", "유효기간 경과"), pay())
    world.tick()
    assert [row.status for row in world.sql("SELECT status FROM billing_keys")] == ["dead"]
    (payment,) = world.portone.payments()
    world.portone.correct(payment["imp_uid"])
    world.wait(hours=1)
    world.sweep()
    assert [row.status for row in world.sql("SELECT status FROM billing_keys")] == ["active"]
    world.live(days=31, step=timedelta(days=1))
    assert [charge.status for charge in world.charges(code)] == ["paid", "paid"]
