"""Another price of a plan: for new subscriptions by its date, for those there are by a change, with their consent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.scenarios.changes.test_holds import hold, release
from tests.scenarios.conftest import World
from worker.changes import queries
from worker.changes.consent import agree_to_change
from worker.changes.customer_history import CustomerChange, history_of
from worker.changes.price_move import MoveTotals, PriceMove, go_on_moving, move_prices
from worker.changes.prices import NewPrice, add_price
from worker.domain.changes import ChangeKind
from worker.domain.errors import RefusalCode, Refused
from worker.domain.pricing.amounts import Amounts
from worker.domain.states import ConsentSource
from worker.sandbox.rules.behaviours import pay
from worker.subscriptions import sign_up

A_DAY = timedelta(days=1)


def new_price(world: World, amount: int, on: date | None = None) -> int:
    new = NewPrice(Amounts(amount), on)
    added = add_price(world.runtime.sessions, "monthly", new, max_amount=1_000_000, now=world.now)
    return added.version


def move(world: World, version: int, *, dry_run: bool = False, **cohort: object) -> MoveTotals:
    wanted = PriceMove(plan="monthly", version=version, **cohort)  # type: ignore[arg-type]
    return move_prices(
        world.runtime.sessions, wanted, reason="2026", max_amount=1_000_000, now=world.now, dry_run=dry_run
    )


def amounts(world: World, code: str) -> list[int]:
    return [charge.amount for charge in world.charges(code)]


def test_price_rise_takes_effect_with_consent_and_leaves_the_price_without(world: World):
    asked, silent = world.subscribe(pay()), world.subscribe(pay())
    world.tick()
    version = new_price(world, 12_900)
    totals = move(world, version, on=date(2026, 2, 1))
    assert (totals.moved, totals.waiting_for_consent, totals.before, totals.after) == (2, 2, 19_800, 25_800)
    waiting = {
        row.code: row.id
        for row in world.sql("""
        SELECT s.code, x.id FROM changes x JOIN subscriptions s ON s.id = x.subscription_id
        WHERE x.waits_for = 'consent'""")
    }
    agree_to_change(
        world.runtime.sessions,
        waiting[asked],
        wording="2026-01",
        source=ConsentSource.HOST,
        policy=world.runtime.change_policy,
        now=world.now,
    )
    world.live(days=70, step=A_DAY)
    assert amounts(world, asked) == [9_900, 12_900, 12_900]
    assert amounts(world, silent) == [9_900, 9_900, 9_900]
    (consent,) = world.sql("SELECT amount, source, wording FROM consents")
    assert tuple(consent) == (12_900, "host", "2026-01")
    world.assert_books_agree()
    world.assert_money_agrees()


def test_lower_price_applies_from_the_first_period_on_its_date(world: World):
    code = world.subscribe(pay())  # on the 5th
    world.tick()
    move(world, new_price(world, 7_900), on=date(2026, 2, 6))
    world.live(days=70, step=A_DAY)
    assert amounts(world, code) == [9_900, 9_900, 7_900]
    world.assert_books_agree()


def test_dry_run_comes_to_the_same_as_the_move_and_writes_nothing(world: World):
    world.subscribe(pay())
    canceled = world.subscribe(pay())
    world.tick()
    world.change(ChangeKind.CANCEL, canceled)
    version = new_price(world, 12_900)
    dry = move(world, version, dry_run=True)
    assert world.sql("SELECT id FROM changes WHERE kind = 'change_price'") == []
    assert world.sql("SELECT id FROM bulk_runs") == []
    wet = move(world, version)
    assert (dry.moved, dry.after, dry.skipped) == (wet.moved, wet.after, wet.skipped)
    assert dry.moved == 1
    (why,) = dry.skipped
    assert "canceled on 2026-02-05" in why


def test_cohort_by_sign_up_date_and_by_list_leaves_the_others_grandfathered(world: World):
    early = world.subscribe(pay())
    world.tick()
    world.wait(days=10)
    late, listed = world.subscribe(pay()), world.subscribe(pay())
    version = new_price(world, 7_900)
    first = move(world, version, signed_up_from=date(2026, 1, 10), codes=(late, early))
    assert first.moved == 1
    assert move(world, version, codes=(listed,)).moved == 1
    world.live(days=60, step=A_DAY)
    assert set(amounts(world, early)) == {9_900}
    assert amounts(world, late)[-1] == amounts(world, listed)[-1] == 7_900
    world.assert_books_agree()


def test_new_subscription_gets_the_price_whose_day_has_come(world: World):
    world.plan("monthly")
    new_price(world, 12_900, on=date(2026, 1, 20))
    sold = [
        sign_up.subscribe(
            world.runtime.sessions, "early", plan="monthly", key=None, max_amount=1_000_000, now=world.now
        ).code
    ]
    world.wait(days=20)
    sold.append(
        sign_up.subscribe(
            world.runtime.sessions, "late", plan="monthly", key=None, max_amount=1_000_000, now=world.now
        ).code
    )
    assert [world.subscription(code).price_version for code in sold] == [1, 2]


def test_move_ended_halfway_goes_on_where_it_stopped(world: World, monkeypatch: pytest.MonkeyPatch):
    codes = [world.subscribe(pay()) for _ in range(5)]
    world.tick()
    version = new_price(world, 7_900)
    monkeypatch.setattr("worker.changes.price_move.CHUNK", 2)

    class Stopped(Exception):
        pass

    def stop(totals: MoveTotals) -> None:
        raise Stopped

    wanted = PriceMove(plan="monthly", version=version)
    with pytest.raises(Stopped):
        move_prices(
            world.runtime.sessions,
            wanted,
            reason="2026",
            max_amount=10_000,
            now=world.now,
            dry_run=False,
            progress=stop,
        )
    (run,) = world.sql("SELECT id, finished_at FROM bulk_runs")
    assert run.finished_at is None
    assert go_on_moving(world.runtime.sessions, run.id, max_amount=10_000, now=world.now).moved == 3
    rows = world.sql("SELECT subject FROM bulk_rows WHERE status = 'done' ORDER BY number")
    assert [row.subject for row in rows] == codes
    world.live(days=40, step=A_DAY)
    assert {amounts(world, code)[-1] for code in codes} == {7_900}
    world.assert_books_agree()


def test_move_to_an_unknown_version_or_above_the_limit_is_refused(world: World):
    world.subscribe(pay())
    with pytest.raises(Refused, match="no version 7"):
        move(world, 7)
    with pytest.raises(Refused, match="AGAIN_MAX_AMOUNT"):
        new_price(world, 2_000_000)
    with pytest.raises(Refused, match="in the past"):
        new_price(world, 7_900, on=date(2020, 1, 1))


def test_consent_given_after_the_date_takes_effect_with_the_next_period(world: World):
    code = world.subscribe(pay())
    world.tick()
    move(world, new_price(world, 12_900))
    world.live(days=40, step=A_DAY)  # 5 February has passed at the old price
    (waiting,) = world.sql("SELECT id FROM changes WHERE waits_for = 'consent'")
    agree_to_change(
        world.runtime.sessions,
        waiting.id,
        wording="2026-01",
        source=ConsentSource.OPERATOR,
        policy=world.runtime.change_policy,
        now=world.now,
    )
    world.live(days=30, step=A_DAY)
    assert amounts(world, code) == [9_900, 9_900, 12_900]
    assert world.now > datetime(2026, 3, 5, tzinfo=UTC)
    world.assert_books_agree()


def agree(world: World, change: int, **given: Any) -> None:
    agree_to_change(
        world.runtime.sessions,
        change,
        wording="2026-01",
        source=ConsentSource.OPERATOR,
        policy=world.runtime.change_policy,
        now=world.now,
        **given,
    )


def waiting_for_consent(world: World) -> int:
    (row,) = world.sql("SELECT id FROM changes WHERE waits_for = 'consent'")
    id_: int = row.id
    return id_


def test_consent_after_an_outage_leaves_what_began_before_it_at_the_old_price(world: World):
    code = world.subscribe(pay())
    world.tick()
    move(world, new_price(world, 12_900))
    world.wait(days=65)  # nothing runs: 5 February and 5 March have started
    agree(world, waiting_for_consent(world))
    world.tick()
    world.live(days=30, step=A_DAY)
    assert amounts(world, code) == [9_900, 9_900, 9_900, 12_900]
    world.assert_books_agree()
    world.assert_money_agrees()


def test_consent_given_late_is_refused_while_charging_is_held(world: World):
    code = world.subscribe(pay())
    world.tick()
    move(world, new_price(world, 12_900))
    world.wait(days=35)
    waiting = waiting_for_consent(world)
    hold(world)
    with pytest.raises(Refused, match="held") as refused:
        agree(world, waiting)
    assert refused.value.code is RefusalCode.BUSY
    release(world)
    agree(world, waiting)
    world.live(days=30, step=A_DAY)
    assert amounts(world, code) == [9_900, 9_900, 12_900]
    world.assert_books_agree()


def test_quantity_changed_since_is_what_is_shown_agreed_to_and_charged(world: World):
    code = world.subscribe(pay())
    world.tick()
    move(world, new_price(world, 12_900))
    waiting = waiting_for_consent(world)
    (asked,) = coming(world, code)
    world.change(ChangeKind.CHANGE_PLAN, code, quantity=2)  # from 5 February on, like the price
    world.live(days=35, step=A_DAY)
    (shown,) = coming(world, code)
    assert "costs 25,800 KRW instead of 19,800 KRW" in shown.sentence.en
    assert "19,800원에서 25,800원으로" in shown.sentence.ko
    with world.runtime.sessions() as session:
        row = queries.shown(session, waiting)
        assert row is not None
        assert row["preview"]["sentence"]["en"] == shown.sentence.en
    with pytest.raises(Refused, match="another one than was shown"):
        agree(world, waiting, fingerprint=asked.fingerprint)
    agree(world, waiting, fingerprint=shown.fingerprint)
    world.live(days=30, step=A_DAY)
    assert amounts(world, code) == [9_900, 19_800, 25_800]
    (applied,) = world.sql("""
        SELECT t.amount, x.status_reason FROM changes x JOIN consents t ON t.id = x.consent_id""")
    assert tuple(applied) == (25_800, shown.sentence.en)
    world.assert_books_agree()
    world.assert_money_agrees()


def test_quantity_that_is_planned_counts_for_the_price_after_it(world: World):
    code = world.subscribe(pay())
    world.tick()
    move(world, new_price(world, 12_900), on=date(2026, 3, 1))
    world.change(ChangeKind.CHANGE_PLAN, code, quantity=2)
    shown = next(each for each in coming(world, code) if each.kind is ChangeKind.CHANGE_PRICE)
    agree(world, shown.id, fingerprint=shown.fingerprint)
    world.live(days=65, step=A_DAY)
    assert amounts(world, code) == [9_900, 19_800, 25_800]
    (applied,) = world.sql("""
        SELECT t.amount, x.status_reason FROM changes x JOIN consents t ON t.id = x.consent_id""")
    assert tuple(applied) == (25_800, shown.sentence.en)


def test_price_that_comes_to_more_than_may_be_charged_fails_in_its_time(world: World):
    quantity, once, plain = (world.subscribe(pay()) for _ in range(3))
    world.tick()
    move(world, new_price(world, 12_900), is_agreed=True)
    world.change(ChangeKind.CHANGE_PLAN, quantity, date(2026, 1, 20), quantity=2, proration="none")
    world.change(ChangeKind.ONE_OFF, once, date(2026, 2, 1), amount=10_000, name="Fee")
    world.changed(max_amount=20_000)
    world.live(days=35, step=A_DAY)
    assert [amounts(world, each)[1] for each in (quantity, once, plain)] == [19_800, 19_900, 12_900]
    failed = world.sql("SELECT status_reason FROM changes WHERE status = 'failed'")
    assert len(failed) == 2
    assert all("AGAIN_MAX_AMOUNT" in row.status_reason for row in failed)
    world.assert_books_agree()


def test_lower_price_that_is_due_outlives_a_move_to_another_price(world: World):
    code = world.subscribe(pay())
    world.tick()
    move(world, new_price(world, 7_900))
    dearer = new_price(world, 8_900)
    world.wait(days=35)  # 5 February has started, and no tick has come since
    totals = move(world, dearer)
    assert totals.moved == 0
    (why,) = totals.failed
    assert "is about to be applied" in why
    world.tick()
    assert amounts(world, code) == [9_900, 7_900]
    assert move(world, dearer).waiting_for_consent == 1
    world.assert_books_agree()


def coming(world: World, code: str) -> list[CustomerChange]:
    """Return the changes to come of a subscription, as its customer sees them."""
    reference = world.subscription(code).customer_reference
    (history,) = (each for each in history_of(world.runtime.sessions, reference) if each.code == code)
    return list(history.changes)
