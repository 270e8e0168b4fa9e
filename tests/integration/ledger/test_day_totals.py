"""The caps against a real PostgreSQL: what exceeds one leaves no trace, and is counted once however many claim."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import text

from tests.integration.conftest import LEASE, NOW, open_all
from tests.support.book import Book
from worker.charging import kill_switch
from worker.database.engine import Sessions
from worker.domain import charge_limits
from worker.domain.attempt import Attempt
from worker.domain.charge_limits import ChargeLimits, LimitCheck, LimitExceeded, SubscriptionLimitsExceeded, Total
from worker.ledger import stops, subscription_holds
from worker.ledger.claiming import claim

MANY = 10**12
NO_CAPS = ChargeLimits(
    amount=MANY,
    run_charges=MANY,
    run_sum=MANY,
    day_charges=MANY,
    day_sum=MANY,
    subscription_charges_per_day=1000,
)
TODAY = date(2026, 1, 5)


def claimed(
    sessions: Sessions,
    limits: ChargeLimits,
    *,
    run: dict[str, Total] | None = None,
    limit: int = 100,
    now: datetime = NOW,
) -> list[Attempt]:
    with sessions.begin() as session:
        return claim(session, now=now, limit=limit, lease=LEASE, prefix="test", check=LimitCheck(limits, run or {}))


def rows(sessions: Sessions, query: str) -> list[tuple[object, ...]]:
    with sessions() as session:
        return [tuple(row) for row in session.execute(text(query))]


def due(book: Book, sessions: Sessions, count: int, pg: str = "kakaopay") -> None:
    for _ in range(count):
        book.subscribe(now=NOW, pg=pg)
    open_all(sessions)


def settle_all(sessions: Sessions, status: str, *, at: datetime = NOW) -> None:
    """What an answer would have made of everything in flight."""
    kind = "'soft'" if status == "declined" else "NULL"
    with sessions.begin() as session:
        session.execute(
            text(f"""UPDATE attempts SET status = '{status}', settled_at = :at, status_at = :at, decline_kind = {kind},
                                         imp_uid = 'imps_' || id WHERE status = 'started'"""),
            {"at": at},
        )
        charge = "status = 'paid', paid_at = :at" if status == "paid" else "status = 'due', next_attempt_at = :at"
        session.execute(text(f"UPDATE charges SET {charge}, status_at = :at WHERE status = 'charging'"), {"at": at})


EXCEEDED = [
    # the caps, what the run has claimed before, and the setting that five charges of 9,900 won exceed
    (replace(NO_CAPS, run_charges=4), {}, "AGAIN_MAX_RUN_CHARGES"),
    (replace(NO_CAPS, run_charges=9), {"kakaopay": Total(5, 5)}, "AGAIN_MAX_RUN_CHARGES"),
    (replace(NO_CAPS, run_sum=49_499), {}, "AGAIN_MAX_RUN_SUM"),
    (replace(NO_CAPS, day_charges=4), {}, "AGAIN_MAX_DAY_CHARGES"),
    (replace(NO_CAPS, day_sum=49_499), {}, "AGAIN_MAX_DAY_SUM"),
]


@pytest.mark.parametrize(("limits", "run", "setting"), EXCEEDED)
def test_a_claim_beyond_a_cap_leaves_no_attempt_and_counts_nothing(
    limits: ChargeLimits, run: dict[str, Total], setting: str, book: Book, sessions: Sessions
):
    due(book, sessions, 5)
    with pytest.raises(LimitExceeded, match=f"^{setting} allows") as exceeded:
        claimed(sessions, limits, run=run)
    assert exceeded.value.pg == "kakaopay"
    assert rows(sessions, "SELECT count(*) FROM attempts") == [(0,)]
    assert rows(sessions, "SELECT DISTINCT status FROM charges") == [("due",)]
    assert rows(sessions, "SELECT * FROM day_totals") == []


def test_charges_that_reach_a_limit_without_exceeding_it_are_claimed(book: Book, sessions: Sessions):
    due(book, sessions, 5)
    exact = ChargeLimits(
        amount=9_900,
        run_charges=5,
        run_sum=49_500,
        day_charges=5,
        day_sum=49_500,
        subscription_charges_per_day=1,
    )
    assert len(claimed(sessions, exact)) == 5
    assert rows(sessions, "SELECT * FROM day_totals") == [(TODAY, "kakaopay", 5, 49_500, NOW)]


def test_the_day_is_counted_by_pg_and_in_seoul(book: Book, sessions: Sessions):
    due(book, sessions, 2)
    claimed(sessions, NO_CAPS)
    due(book, sessions, 1, "payco")
    due(book, sessions, 1)
    claimed(sessions, NO_CAPS)
    next_day = NOW + timedelta(hours=12)  # 00:00 in Seoul
    due(book, sessions, 1)
    claimed(sessions, NO_CAPS, now=next_day)
    assert rows(sessions, "SELECT day_on, pg, sends, since FROM day_totals ORDER BY day_on, pg") == [
        (TODAY, "kakaopay", 3, NOW),
        (TODAY, "payco", 1, NOW),
        (date(2026, 1, 6), "kakaopay", 1, next_day),
    ]


@pytest.mark.parametrize("_round", range(5))
def test_two_claims_at_once_do_not_exceed_the_day_together(_round: int, book: Book, sessions: Sessions):
    due(book, sessions, 6)
    barrier = Barrier(2)

    def one(_: int) -> int:
        barrier.wait()
        try:
            return len(claimed(sessions, replace(NO_CAPS, day_charges=5), limit=3))
        except LimitExceeded:
            return 0

    with ThreadPoolExecutor(2) as threads:
        both = sorted(threads.map(one, range(2)))
    assert both == [0, 3]
    assert rows(sessions, "SELECT sends FROM day_totals") == [(3,)]
    assert rows(sessions, "SELECT count(*) FROM attempts") == [(3,)]


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        ("paid", True),
        ("declined", True),  # the issuer was asked
        ("not_charged", False),  # proved: nothing happened
    ],
)
def test_a_subscription_is_charged_so_often_a_day_and_not_once_more(
    status: str, counts: bool, book: Book, sessions: Sessions
):
    book.plan("daily", now=NOW, cadence="day")
    book.subscribe(now=NOW, plan="daily", starts_on=date(2025, 12, 27))
    open_all(sessions)
    limits = replace(NO_CAPS, subscription_charges_per_day=3)
    for minute in range(3):
        now = NOW + timedelta(minutes=minute)
        assert len(claimed(sessions, limits, now=now)) == 1
        settle_all(sessions, status, at=now)
    later = NOW + timedelta(minutes=5)
    if not counts:
        assert len(claimed(sessions, limits, now=later)) == 1
        return
    with pytest.raises(SubscriptionLimitsExceeded, match=r"AGAIN_MAX_SUBSCRIPTION_CHARGES_PER_DAY .* 4 times today"):
        claimed(sessions, limits, now=later)
    # a new day in Seoul is another one
    assert len(claimed(sessions, limits, now=NOW + timedelta(hours=12))) == 1


def test_one_charge_that_is_tried_again_and_again_counts_as_often(book: Book, sessions: Sessions):
    due(book, sessions, 1)
    limits = replace(NO_CAPS, subscription_charges_per_day=3)
    for minute in range(3):
        now = NOW + timedelta(minutes=minute)
        assert len(claimed(sessions, limits, now=now)) == 1
        settle_all(sessions, "declined", at=now)
    with pytest.raises(SubscriptionLimitsExceeded, match="4 times today"):
        claimed(sessions, limits, now=NOW + timedelta(minutes=5))


def test_charges_of_past_days_do_not_count_towards_the_daily_limit(book: Book, sessions: Sessions):
    book.plan("daily", now=NOW, cadence="day")
    book.subscribe(now=NOW, plan="daily", starts_on=date(2025, 12, 27))
    open_all(sessions)
    for ago in range(9, 0, -1):
        day = NOW - timedelta(days=ago)
        with sessions.begin() as session:
            session.execute(text("UPDATE charges SET next_attempt_at = :day WHERE status = 'due'"), {"day": day})
        assert len(claimed(sessions, NO_CAPS, now=day)) == 1
        settle_all(sessions, "paid", at=day)
    assert len(claimed(sessions, replace(NO_CAPS, subscription_charges_per_day=1))) == 1


def stop_by_cap(sessions: Sessions, pg: str) -> None:
    with sessions.begin() as session:
        stops.stop(session, scope=pg, reason="too much", stopped_by=charge_limits.STOPPED_BY_LIMIT, now=NOW)


def test_release_of_a_limit_by_an_operator_restarts_the_count(book: Book, sessions: Sessions):
    due(book, sessions, 4)
    limits = replace(NO_CAPS, day_charges=3)
    claimed(sessions, NO_CAPS, limit=2)
    due(book, sessions, 1, "payco")
    with pytest.raises(LimitExceeded):
        claimed(sessions, limits)
    stop_by_cap(sessions, "kakaopay")
    assert [each.request.pg for each in claimed(sessions, limits)] == ["payco"]  # the other channel goes on
    later = NOW + timedelta(minutes=1)
    assert kill_switch.start_charging(sessions, "kakaopay", now=later).resets_count
    assert rows(sessions, "SELECT pg, sends, amount, since FROM day_totals ORDER BY pg") == [
        ("kakaopay", 0, 0, later),
        ("payco", 1, 9_900, NOW),
    ]
    assert len(claimed(sessions, limits, now=later)) == 2


def hold(sessions: Sessions, exceeded: SubscriptionLimitsExceeded, *, now: datetime = NOW) -> None:
    with sessions.begin() as session:
        subscription_holds.hold(session, exceeded.reasons, by=charge_limits.STOPPED_BY_LIMIT, now=now)


def test_held_subscription_is_not_claimed_and_all_others_are(book: Book, sessions: Sessions):
    book.plan("dear", now=NOW, amount="50000000")
    dear = [book.subscribe(now=NOW, plan="dear") for _ in range(2)]
    due(book, sessions, 3)
    limits = replace(NO_CAPS, amount=2_000_000)
    with pytest.raises(SubscriptionLimitsExceeded) as exceeded:
        claimed(sessions, limits)
    assert rows(sessions, "SELECT count(*) FROM attempts") == [(0,)]
    hold(sessions, exceeded.value)
    assert len(claimed(sessions, limits)) == 3
    with sessions() as session:
        held = subscription_holds.held(session)
    assert [each.code for each in held] == [each.code for each in dear]
    assert all(f"`again subscription release {each.code}`" in each.reason for each in held)


def test_release_of_a_subscription_restarts_its_count(book: Book, sessions: Sessions):
    book.plan("daily", now=NOW, cadence="day")
    far_behind = book.subscribe(now=NOW, plan="daily", starts_on=date(2026, 1, 1))
    open_all(sessions)
    limits = replace(NO_CAPS, subscription_charges_per_day=1)
    claimed(sessions, limits)
    settle_all(sessions, "paid")
    later = NOW + timedelta(minutes=1)
    with pytest.raises(SubscriptionLimitsExceeded) as exceeded:
        claimed(sessions, limits, now=later)
    hold(sessions, exceeded.value, now=later)
    assert claimed(sessions, limits, now=later) == []
    with sessions.begin() as session:
        assert subscription_holds.release(session, far_behind.code, reason="looked at", now=later)
    assert len(claimed(sessions, limits, now=later)) == 1
    assert rows(sessions, "SELECT to_status, reason FROM audit WHERE entity = 'hold' ORDER BY id")[1:] == [
        ("released", "looked at")
    ]


def test_switch_set_by_an_operator_leaves_the_count_as_it_is(book: Book, sessions: Sessions):
    due(book, sessions, 2)
    claimed(sessions, NO_CAPS)
    kill_switch.set_switch(sessions, "kakaopay", reason="lunch", stopped_by="cli", now=NOW)
    assert not kill_switch.start_charging(sessions, "kakaopay", now=NOW).resets_count
    assert rows(sessions, "SELECT sends FROM day_totals") == [(2,)]
