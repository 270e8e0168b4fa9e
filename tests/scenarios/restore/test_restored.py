"""A database restored from a backup has forgotten payments; PortOne has not, and nobody pays twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.scenarios.conftest import World
from tests.support.backup import dump, restore
from tests.support.sandbox import Api, RunningSandbox
from worker.charging import kill_switch
from worker.domain.merchant_uid import derive
from worker.ledger import charging_hold
from worker.sandbox.rules.behaviours import Reply, decline, pay, troubled
from worker.sandbox.switches import Repeat
from worker.subscriptions.cancellation import cancel


class Backup:
    """Last night's backup of a world."""

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
    """Let beat tick until charging is no longer held: the sweep has seen what was sent before the restore, too."""
    for _ in range(5):
        world.tick()
        world.sweep()
        world.wait(minutes=10)
    world.tick()


def start(world: World) -> None:
    """Let a person who has looked at what people did since the backup start charging."""
    started = kill_switch.start_charging(world.runtime.sessions, "all", now=world.now)
    assert started.left == []


def release(world: World) -> None:
    """Let a person end what holds charging, though nothing was compared."""
    with world.runtime.sessions.begin() as session:
        assert charging_hold.release(session, by="me", reason="cannot wait", now=world.now)


def catch_up(world: World) -> None:
    """Compare, and charge again when a person has started it."""
    compare(world)
    start(world)
    world.tick()


@pytest.mark.parametrize("rule", [Repeat.REFUSE, Repeat.REFUSE_AS_PG, Repeat.ACCEPT])
def test_a_restored_database_charges_nobody_twice(
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


def test_nothing_is_charged_before_the_comparison_has_ended(world: World, database_url: str, backup_file: Path):
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


def test_what_people_did_since_the_backup_is_asked_for_before_anybody_is_charged(
    world: World, database_url: str, backup_file: Path
):
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


def test_a_restore_that_a_page_has_noticed_is_stopped_for_people_when_all_is_compared(
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


def test_a_person_who_starts_while_it_is_held_is_not_asked_again(world: World, database_url: str, backup_file: Path):
    world.subscribe(pay())
    backup = Backup(world, database_url, backup_file)
    backup.restore()
    world.tick()
    start(world)
    compare(world)
    assert world.portone.report().charges == 1


def test_restore_that_a_page_has_noticed_and_a_person_released_is_stopped_for_people(
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
def test_period_paid_under_a_forgotten_number_is_not_charged_after_a_release(
    declines: int, rule: Repeat, world: World, sandbox: RunningSandbox, database_url: str, backup_file: Path
):
    """Nothing was compared then: every number of a charge is looked up before it is sent."""
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


def test_a_stop_of_before_the_backup_stays_as_it_was(world: World, database_url: str, backup_file: Path):
    world.subscribe(pay())
    kill_switch.set_switch(world.runtime.sessions, "all", reason="audit", stopped_by="me", now=world.now)
    backup = Backup(world, database_url, backup_file)
    backup.restore()
    compare(world)
    [stop] = world.sql("SELECT reason FROM stops")
    assert stop.reason == "audit"


def test_a_payment_that_lands_after_the_restore_is_seen(
    world: World, sandbox: RunningSandbox, database_url: str, backup_file: Path
):
    sandbox.admin.switch(repeated_paid=Repeat.ACCEPT)
    code = world.subscribe(pay())
    backup = Backup(world, database_url, backup_file)
    backup.restore()
    world.tick()
    world.sweep()
    world.wait(minutes=5)
    # A request of the world before, under way all the time.
    start = world.subscription(code).next_charge_at
    assert start is not None
    with Api(sandbox.base_url) as api:
        api.paid(derive("again", code, start, 1), "key-1")
    catch_up(world)
    assert world.statuses() == {"paid": 1}
    assert world.portone.report().again_requests == 1
    world.assert_books_agree()


def test_a_period_that_looks_missed_after_the_restore_is_adopted_and_not_void(
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


def test_a_subscription_made_after_the_backup_is_named_for_a_person(world: World, database_url: str, backup_file: Path):
    world.plan()
    backup = Backup(world, database_url, backup_file)
    world.subscribe(pay())
    world.tick()
    backup.restore()
    catch_up(world)
    assert world.discrepancies() == [("not_in_records", "open")]


def test_what_was_refunded_meanwhile_is_not_charged_again(
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


def test_after_a_long_silence_portone_is_asked_before_anything_is_charged(world: World):
    world.changed(silence_before_hold_seconds=300)
    world.subscribe(pay())
    world.tick()
    # As a snapshot of the disk would have it: the same database, older.
    with world.runtime.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))  # past "never deleted"
        for table in ("discrepancies", "attempts", "charges"):
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


def test_a_night_without_workers_holds_nothing_up_for_long(world: World):
    world.changed(silence_before_hold_seconds=300)
    world.subscribe(pay())
    world.wait(hours=9)
    assert world.tick()["charged"]["claimed"] == 0
    assert world.sweep()["finished"]
    assert world.tick()["charged"]["paid"] == 1


def test_a_short_silence_is_no_gap(world: World):
    world.changed(silence_before_hold_seconds=300)
    world.tick()
    world.subscribe(pay())
    world.wait(minutes=4)
    assert world.tick()["charged"]["paid"] == 1
    assert timedelta(seconds=world.runtime.settings.silence_before_hold_seconds) == world.runtime.settings.gap
