"""A database restored from a backup lacks payments that PortOne has; no customer is charged twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.scenarios.conftest import World
from tests.support.acts import cancel
from tests.support.backup import dump, restore
from tests.support.sandbox import Api, RunningSandbox
from worker.charging import kill_switch
from worker.domain.changes import ChangeKind
from worker.domain.merchant_uid import derive
from worker.ledger import charging_hold
from worker.sandbox.rules.behaviours import Reply, decline, pay, troubled
from worker.sandbox.switches import Repeat


class Backup:
    """A backup of a world's database."""

    def __init__(self, world: World, database_url: str, file: Path) -> None:
        self._world, self._url, self._file = world, database_url, file
        dump(database_url, file)

    def restore(self) -> None:
        self._world.runtime.engine.dispose()
        restore(self._url, self._file)


@pytest.fixture
def backup_file(tmp_path: Path) -> Path:
    return tmp_path / "last-night.dump"


def compare(world: World) -> None:
    """Tick until charging is no longer held: reconciliation has then covered the sends before the restore, too."""
    for _ in range(5):
        world.tick()
        world.sweep()
        world.wait(minutes=10)
    world.tick()


def start(world: World) -> None:
    """Resume charging as an operator who has checked what was done since the backup."""
    started = kill_switch.start_charging(world.runtime.sessions, "all", now=world.now)
    assert started.left == []


def release(world: World) -> None:
    """End the hold as an operator, although nothing was compared."""
    with world.runtime.sessions.begin() as session:
        assert charging_hold.release(session, by="me", reason="cannot wait", now=world.now)


def catch_up(world: World) -> None:
    """Reconcile, and charge again once an operator has resumed it."""
    compare(world)
    start(world)
    world.tick()


@pytest.mark.parametrize("rule", [Repeat.REFUSE, Repeat.REFUSE_AS_PG, Repeat.ACCEPT])
def test_restored_database_charges_no_customer_twice(
    rule: Repeat, world: World, sandbox: RunningSandbox, database_url: str, backup_file: Path
):
    sandbox.admin.switch(repeated_paid=rule)
    world.plan(dunning="1")
    payers = [world.subscribe(pay()) for _ in range(3)]
    second_try = world.subscribe(decline(), pay())
    lost_answer = world.subscribe(troubled(Reply.DROP, charged=True))
    backup = Backup(world, database_url, backup_file)
    world.tick()
    world.live(days=2)
    assert world.statuses() == {"paid": 5}
    requests = world.portone.report().again_requests

    backup.restore()
    assert world.charges() == []
    catch_up(world)

    assert world.portone.report().again_requests == requests, "nothing was sent again"
    assert world.statuses() == {"paid": 5}
    assert world.discrepancies() == [("missing_here", "repaired")] * 5
    assert [charge.status for charge in world.charges(second_try)] == ["paid"]
    world.assert_books_agree()

    world.live(days=31, step=timedelta(days=1))
    assert world.statuses() == {"paid": 10}
    for code in (*payers, lost_answer):
        assert len(world.charges(code)) == 2
    world.assert_books_agree()


def test_restored_database_charges_nothing_before_reconciliation_has_ended(
    world: World, database_url: str, backup_file: Path
):
    world.subscribe(pay())
    backup = Backup(world, database_url, backup_file)
    backup.restore()
    world.tick()
    world.sweep()
    assert world.charges() == [], "held, and not even opened"
    world.wait(minutes=29)
    world.sweep()
    world.tick()
    assert world.charges() == []
    world.wait(minutes=2)
    world.sweep()
    world.tick()
    assert world.statuses() == {"due": 1}, "a person starts it"
    start(world)
    world.tick()
    assert world.statuses() == {"paid": 1}


def test_restored_database_waits_for_an_operator_before_charging(world: World, database_url: str, backup_file: Path):
    code = world.subscribe(pay())
    world.tick()
    backup = Backup(world, database_url, backup_file)
    cancel(world.runtime.sessions, code, reason="moved away", now=world.now)
    backup.restore()
    compare(world)
    world.live(days=32, step=timedelta(days=2))
    [stop] = world.sql("SELECT scope, reason FROM stops")
    assert stop.scope == "all"
    for said in ("restored", "2026-01-05 12:00 KST", "cancellations", "kill switch", "`again start`"):
        assert said in stop.reason
    cancel(world.runtime.sessions, code, reason="moved away", now=world.now)
    start(world)
    world.live(days=4, step=timedelta(days=2))
    assert world.portone.report().charges == 1, "the next period would have been charged"


def test_restore_noticed_by_a_page_stops_charging_after_reconciliation(
    world: World, database_url: str, backup_file: Path
):
    world.subscribe(pay())
    backup = Backup(world, database_url, backup_file)
    backup.restore()
    world.tick()
    world.sql("ALTER TABLE audit DISABLE TRIGGER audit_is_append_only")
    world.sql("DELETE FROM stops")  # the pages' role could not write it
    world.sql("DELETE FROM audit WHERE entity = 'stop'")
    compare(world)
    assert world.portone.report().charges == 0
    start(world)
    world.tick()
    assert world.portone.report().charges == 1


def test_operator_who_resumes_during_the_hold_is_not_asked_again(world: World, database_url: str, backup_file: Path):
    world.subscribe(pay())
    backup = Backup(world, database_url, backup_file)
    backup.restore()
    world.tick()
    start(world)
    compare(world)
    assert world.portone.report().charges == 1


def test_restore_noticed_by_a_page_and_released_early_still_stops_charging(
    world: World, database_url: str, backup_file: Path
):
    world.subscribe(pay())
    backup = Backup(world, database_url, backup_file)
    backup.restore()
    world.tick()
    world.sql("ALTER TABLE audit DISABLE TRIGGER audit_is_append_only")
    world.sql("DELETE FROM stops")  # the pages' role could not write it
    world.sql("DELETE FROM audit WHERE entity = 'stop'")
    release(world)
    world.tick()
    assert world.portone.report().charges == 0
    start(world)
    world.tick()
    assert world.portone.report().charges == 1


@pytest.mark.parametrize("rule", [Repeat.REFUSE, Repeat.REFUSE_AS_PG, Repeat.ACCEPT])
@pytest.mark.parametrize("declines", [0, 1])
def test_period_paid_by_a_lost_attempt_is_not_charged_after_an_early_release(
    declines: int, rule: Repeat, world: World, sandbox: RunningSandbox, database_url: str, backup_file: Path
):
    """Without a comparison, every attempt number of a charge is looked up before it is sent."""
    sandbox.admin.switch(repeated_paid=rule)
    world.subscribe(*[decline("LACK_BALANCE", "잔액이 부족합니다")] * declines, pay(), pay())
    backup = Backup(world, database_url, backup_file)
    world.live(days=2)
    assert world.statuses() == {"paid": 1}
    backup.restore()
    world.tick()
    release(world)
    start(world)
    world.tick()
    assert world.portone.report().charges == 1
    assert world.statuses() == {"paid": 1}
    assert world.sql("SELECT FROM stops") == [], "nobody else charges: it was ours"


def test_stop_from_before_the_backup_stays(world: World, database_url: str, backup_file: Path):
    world.subscribe(pay())
    kill_switch.set_switch(world.runtime.sessions, "all", reason="audit", stopped_by="me", now=world.now)
    backup = Backup(world, database_url, backup_file)
    backup.restore()
    compare(world)
    [stop] = world.sql("SELECT reason FROM stops")
    assert stop.reason == "audit"


def test_payment_that_lands_after_the_restore_is_backfilled(
    world: World, sandbox: RunningSandbox, database_url: str, backup_file: Path
):
    sandbox.admin.switch(repeated_paid=Repeat.ACCEPT)
    code = world.subscribe(pay())
    backup = Backup(world, database_url, backup_file)
    backup.restore()
    world.tick()
    world.sweep()
    world.wait(minutes=5)
    # A request from before the restore, in progress all the time.
    start = world.subscription(code).next_charge_at
    assert start is not None
    with Api(sandbox.base_url) as api:
        api.paid(derive("again", code, start, 1), "key-1")
    catch_up(world)
    assert world.statuses() == {"paid": 1}
    assert world.portone.report().again_requests == 1
    world.assert_books_agree()


def test_paid_period_missing_after_the_restore_is_backfilled_and_not_void(
    world: World, database_url: str, backup_file: Path
):
    world.plan(catch_up="skip")
    world.subscribe(pay())
    backup = Backup(world, database_url, backup_file)
    world.tick()
    world.wait(days=3)
    backup.restore()
    catch_up(world)
    assert world.statuses() == {"paid": 1}
    world.assert_books_agree()


def test_subscription_lost_by_the_restore_is_reported_to_an_operator(
    world: World, database_url: str, backup_file: Path
):
    world.plan()
    backup = Backup(world, database_url, backup_file)
    world.subscribe(pay())
    world.tick()
    backup.restore()
    catch_up(world)
    assert world.discrepancies() == [("not_in_records", "open")]


def test_payment_refunded_after_the_backup_is_not_charged_again(
    world: World, sandbox: RunningSandbox, database_url: str, backup_file: Path
):
    world.subscribe(pay())
    backup = Backup(world, database_url, backup_file)
    world.tick()
    (payment,) = world.portone.payments()
    with Api(sandbox.base_url) as api:
        api.post("/payments/cancel", imp_uid=payment["imp_uid"], checksum=9900, tax_free=0)
    backup.restore()
    catch_up(world)
    (charge,) = world.charges()
    assert (charge.status, charge.refunded) == ("paid", 9900)
    assert world.portone.report().again_requests == 1


def test_discounted_payments_after_the_backup_are_charges_with_that_discount(
    world: World, database_url: str, backup_file: Path
):
    code = world.subscribe(pay(), starts_on=world.now.date() + timedelta(days=1))
    world.change(ChangeKind.DISCOUNT, code, percent=50, periods=2)
    world.change(ChangeKind.CREDIT, code, amount=3000)
    backup = Backup(world, database_url, backup_file)
    world.live(days=33, step=timedelta(days=1))
    assert [charge.amount for charge in world.charges()] == [1950, 4950]
    backup.restore()
    catch_up(world)
    assert [(charge.status, charge.amount) for charge in world.charges()] == [("paid", 1950), ("paid", 4950)]
    assert world.sql("SELECT FROM adjustments WHERE used_at IS NULL") == []
    assert world.portone.report().charges == 2
    world.assert_books_agree()
    world.assert_money_agrees()


def test_long_silence_holds_charging_until_portone_is_compared(world: World):
    world.changed(silence_before_hold_seconds=300)
    world.subscribe(pay())
    world.tick()
    # As a snapshot of the disk would have it: the same database, older.
    with world.runtime.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))  # past "never deleted"
        for table in ("discrepancies", "attempts", "charges", "outbox WHERE charge_id IS NOT NULL"):
            session.execute(text(f"DELETE FROM {table}"))
    world.sql("UPDATE subscriptions SET next_charge_at = anchor_on + interval '1 hour'")
    world.wait(hours=1)
    world.tick()
    assert world.charges() == [], "held"
    assert world.sweep()["reason"] == "gap"
    world.tick()
    assert world.statuses() == {"paid": 1}
    assert world.portone.report().again_requests == 1
    world.assert_books_agree()


def test_night_without_workers_holds_charging_only_briefly(world: World):
    world.changed(silence_before_hold_seconds=300)
    world.subscribe(pay())
    world.wait(hours=9)
    assert world.tick()["charged"]["claimed"] == 0
    assert world.sweep()["finished"]
    assert world.tick()["charged"]["paid"] == 1


def test_short_silence_holds_nothing(world: World):
    world.changed(silence_before_hold_seconds=300)
    world.tick()
    world.subscribe(pay())
    world.wait(minutes=4)
    assert world.tick()["charged"]["paid"] == 1
    assert timedelta(seconds=world.runtime.settings.silence_before_hold_seconds) == world.runtime.settings.gap
