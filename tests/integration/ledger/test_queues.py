"""The queues of charges: kept by the database, left by what cannot be charged, and entered again."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from tests.integration.conftest import LEASE, NOW, claim_now, open_all
from tests.integration.ledger.test_write_back import until
from tests.support import acts
from tests.support.book import Book
from worker.charging.charge_queues import release_blocked
from worker.database.engine import Sessions
from worker.database.planning import plan_by_index
from worker.ledger.claiming import claim
from worker.ledger.queues import Wanted, leave_queues, waiting_queues

DEAD_KEY = "UPDATE billing_keys SET status = 'dead'"
LIVE_KEY = "UPDATE billing_keys SET status = 'active'"
PAUSED = "UPDATE subscriptions SET status = 'paused', paused_next_charge_at = next_charge_at, next_charge_at = NULL"
RESUMED = "UPDATE subscriptions SET status = 'active', next_charge_at = :now, paused_next_charge_at = NULL"
WITHHELD = "UPDATE charges SET awaits_consent_since = :now"
AGREED = "UPDATE charges SET awaits_consent_since = NULL"


def run(sessions: Sessions, statement: str) -> None:
    with sessions.begin() as session:
        session.execute(text(statement), {"now": NOW})


def queues(sessions: Sessions) -> list[str | None]:
    with sessions() as session:
        return list(session.scalars(text("SELECT queue FROM charges ORDER BY id")))


def left(sessions: Sessions, *, limit: int = 1000) -> int:
    with sessions.begin() as session:
        return leave_queues(session, now=NOW, limit=limit)


def waiting(sessions: Sessions) -> Sequence[str]:
    with sessions() as session:
        plan_by_index(session)
        return waiting_queues(session)


def test_charge_is_opened_into_the_queue_of_its_keys_pg(book: Book, sessions: Sessions):
    for pg in ("kakaopay", "payco", "kakaopay"):
        book.subscribe(now=NOW, pg=pg)
    open_all(sessions)
    assert sorted(map(str, queues(sessions))) == ["kakaopay", "kakaopay", "payco"]
    assert waiting(sessions) == ["kakaopay", "payco"]


@pytest.mark.parametrize(
    ("blocks", "frees"), [(DEAD_KEY, LIVE_KEY), (PAUSED, RESUMED), (WITHHELD, AGREED)], ids=["key", "pause", "consent"]
)
def test_charge_that_cannot_be_charged_leaves_its_queue_and_returns(
    book: Book, sessions: Sessions, blocks: str, frees: str
):
    book.subscribe(now=NOW)
    open_all(sessions)
    assert left(sessions) == 0
    run(sessions, blocks)
    assert (left(sessions), queues(sessions), left(sessions)) == (1, [None], 0)
    assert claim_now(sessions) == []
    run(sessions, frees)
    assert queues(sessions) == ["kakaopay"]
    assert len(claim_now(sessions)) == 1


def test_charges_follow_their_subscription_to_a_key_of_another_pg(book: Book, sessions: Sessions):
    book.subscribe(now=NOW, pg="kakaopay")
    open_all(sessions)
    book.subscribe(now=NOW, pg="payco")
    run(sessions, "UPDATE subscriptions SET billing_key_id = (SELECT id FROM billing_keys WHERE pg = 'payco')")
    assert queues(sessions) == ["payco"]
    run(sessions, "UPDATE subscriptions SET billing_key_id = NULL")
    assert queues(sessions) == [None]


def test_charge_whose_key_is_being_changed_stays_in_its_queue(book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    open_all(sessions)
    run(sessions, DEAD_KEY)
    with sessions.begin() as changing:
        changing.execute(text(LIVE_KEY))
        assert left(sessions) == 0
    assert queues(sessions) == ["kakaopay"]


def test_queue_is_kept_where_other_triggers_are_off(book: Book, sessions: Sessions):
    book.subscribe(now=NOW)
    with sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("""INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency,
                        order_name, status, status_at, next_attempt_at, created_at)
                    SELECT id, :now, :later, 9900, 0, 'KRW', 'Plan', 'due', :now, :now, :now FROM subscriptions"""),
            {"now": NOW, "later": NOW + timedelta(days=30)},
        )
    assert queues(sessions) == ["kakaopay"]


def test_claim_takes_what_is_wanted_of_each_queue_behind_a_place(book: Book, sessions: Sessions):
    for pg in ("kakaopay", "kakaopay", "payco", "payco", "payco"):
        book.subscribe(now=NOW, pg=pg)
    open_all(sessions)

    def claimed(wanted: dict[str, Wanted]) -> list[tuple[str, datetime | None, int]]:
        with sessions.begin() as session:
            attempts = claim(session, now=NOW, limit=0, lease=LEASE, prefix="test", queues=wanted)
        return [(each.request.pg, each.charge.due_at, each.charge.id) for each in attempts]

    with sessions() as session:
        of_payco = list(session.scalars(text("SELECT id FROM charges WHERE queue = 'payco' ORDER BY id")))
    first = claimed({"kakaopay": Wanted(5), "payco": Wanted(1)})
    assert sorted(pg for pg, _, _ in first) == ["kakaopay", "kakaopay", "payco"]
    (place,) = [(due_at, charge_id) for pg, due_at, charge_id in first if pg == "payco"]
    assert place[1] == of_payco[0]
    assert place[0] is not None
    behind = claimed({"payco": Wanted(5, after=(place[0], of_payco[1]))})
    assert [charge_id for _, _, charge_id in behind] == of_payco[2:]
    assert [charge_id for _, _, charge_id in claimed({"payco": Wanted(5), "toss": Wanted(5)})] == of_payco[1:2]


def test_run_takes_no_more_out_of_the_queues_than_it_has_time_for(
    book: Book, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("worker.ledger.queues.LEAVE_AT_ONCE", 1)
    monkeypatch.setattr("worker.charging.charge_queues.MOST_RELEASES", 2)
    for _ in range(3):
        book.subscribe(now=NOW)
    open_all(sessions)
    run(sessions, DEAD_KEY)
    release_blocked(sessions, lambda: NOW)
    assert queues(sessions).count(None) == 2
    release_blocked(sessions, lambda: NOW)
    assert queues(sessions).count(None) == 3


def test_subscription_resumed_beside_a_write_back_of_its_charge_waits_for_it(book: Book, sessions: Sessions):
    """What a window pays may stand in no queue: the resumption puts it back, and the write-back moves both."""
    code = book.subscribe(now=NOW).code
    open_all(sessions)
    run(sessions, PAUSED)
    assert left(sessions) == 1
    run(sessions, "UPDATE charges SET status = 'charging', next_attempt_at = NULL")
    with ThreadPoolExecutor(1) as pool:
        with sessions.begin() as writing:
            writing.execute(text("UPDATE charges SET status = 'due', next_attempt_at = :now"), {"now": NOW})
            resuming = pool.submit(acts.resume, sessions, code, reason="back", now=NOW)
            with sessions() as watching:
                until(lambda: bool(watching.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))))
            writing.execute(text("UPDATE subscriptions SET status_reason = 'settled'"))
        resuming.result()
    assert queues(sessions) == ["kakaopay"]
