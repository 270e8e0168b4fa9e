"""No hot statement reads more than its batch needs, in a large book and whatever the planner's statistics say.

Statements are not copied here: the functions that send them are called, and every statement is explained as it is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

from tests.integration.conftest import LEASE, NOW
from tests.integration.ledger.test_claiming import POLICY
from tests.support import plans, scale
from worker.charging.open_due import CHUNK, open_due_charges
from worker.checkout import queries as checkout_queries
from worker.checkout import webhook_queries
from worker.database.engine import Sessions, create_database_engine
from worker.devstack.addresses import Postgres
from worker.domain.attempt import Attempt
from worker.domain.charge_limits import ChargeLimits, LimitCheck
from worker.domain.outcomes import Answer, Declined, DeclineKind, Paid, Unknown, UnknownReason
from worker.domain.settlement import settle
from worker.domain.states import BillingKeyStatus, ChargeStatus, SubscriptionStatus
from worker.ledger import charging_hold, history, lookup_queue, subscription_holds
from worker.ledger.claiming import claim
from worker.ledger.database_identity import HoldPolicy
from worker.ledger.write_back import write_back
from worker.operations import invariant_check, status_queries
from worker.operations.changed_rows import Touched
from worker.operations.invariant_judge import SLICE, Judge
from worker.operations.invariants import Thresholds
from worker.reconciliation import queries as reconciliation_queries
from worker.subscriptions import key_deletion_queries, key_queries
from worker.subscriptions import queries as subscription_queries

SUBSCRIPTIONS = 100_000
MONTHS = 4
DUE = 20_000
BATCH = 100
LISTED = 50

ROWS_EACH = 60
"""Rows that a statement may read for each of its batch: a charge with its attempts, neighbours, owner and key."""

PAGES_EACH = 120

ROWS_BESIDE = 1500
"""Rows beside those of the batch: the newest attempts, what is in flight, what is open in the small tables."""

PAGES_BESIDE = 1500

THRESHOLDS = Thresholds(lookup_backoff=timedelta(days=8), sweep_every=timedelta(days=1))
LIMITS = LimitCheck(
    ChargeLimits(
        amount=10**9, run_charges=10**6, run_sum=10**12, day_charges=10**6, day_sum=10**12,
        subscription_charges_per_day=3,
    ),
    {},
)  # fmt: skip
HOLD_POLICY = HoldPolicy(
    mode="sandbox", prefix="again", gap=timedelta(minutes=5), gap_wait=timedelta(0), quiet_period=timedelta(minutes=30)
)

# Charges that are due since an hour, some of which have been sent: in flight, or with an unknown outcome.
_DUE_CHARGES = """
    INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency, order_name, status,
                         status_at, queue, next_attempt_at, created_at)
    SELECT s.id, s.next_charge_at, s.next_charge_at + interval '30 days', 9900, 0, 'KRW', 'Plan',
           CASE WHEN s.id % 50 = 2 THEN 'charging' ELSE 'due' END, :now, k.pg,
           CASE WHEN s.id % 50 = 2 THEN NULL ELSE CAST(:now AS timestamptz) - interval '1 minute' END, :now
    FROM subscriptions s JOIN billing_keys k ON k.id = s.billing_key_id AND k.status = 'active'
    WHERE s.status = 'active' AND s.id <= :due
"""
_IN_FLIGHT = """
    INSERT INTO attempts (charge_id, billing_key_id, number, merchant_uid, status, status_at, sends, started_at,
                          lease_until, next_lookup_at)
    SELECT c.id, c.subscription_id, 1, 'again' || lpad(c.subscription_id::text, 13, '0')
               || to_char(c.period_start AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS') || '001',
           CASE WHEN c.id % 2 = 0 THEN 'started' ELSE 'unknown' END, :now, 1, :now,
           CAST(:now AS timestamptz) - interval '1 second', CASE WHEN c.id % 2 = 1 THEN CAST(:now AS timestamptz) END
    FROM charges c WHERE c.status = 'charging'
"""
_TO_OPEN = "UPDATE subscriptions SET next_charge_at = :now WHERE status = 'active' AND id BETWEEN :due + 1 AND 2 * :due"


@pytest.fixture(scope="module")
def engine(postgres: Postgres) -> Iterator[Engine]:
    """A book with four hundred thousand charges, of which twenty thousand are due, and as many periods to be opened."""
    admin, name = postgres.url.replace("/again?", "/postgres?"), f"test_{uuid4().hex}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE again")
        engine = create_database_engine(postgres.url.replace("/again?", f"/{name}?"), actor="worker 1")
        scale.fill(engine, now=NOW, subscriptions=SUBSCRIPTIONS, months=MONTHS, attempted=2)
        with engine.begin() as filled:
            filled.execute(text("SET LOCAL session_replication_role = replica"))
            filled.execute(text(_DUE_CHARGES), {"now": NOW, "due": DUE})
            filled.execute(text(_IN_FLIGHT), {"now": NOW})
            filled.execute(text(_TO_OPEN), {"now": NOW, "due": DUE})
            filled.execute(text(scale.JUDGED))
        yield engine
        engine.dispose()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module", params=["fresh", *plans.WRONG])
def believing(engine: Engine, request: pytest.FixtureRequest) -> Engine:
    """The engine, of a database whose planner believes what the parameter says; each spoils more of it."""
    if request.param == "fresh":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        return engine
    with engine.begin() as connection:
        plans.believe(connection, request.param)
    engine.dispose()
    return engine


Run = Callable[[Sessions], object]


def in_session(use: Callable[[Session], object]) -> Run:
    def run(sessions: Sessions) -> None:
        with sessions.begin() as session:
            use(session)

    return run


def claimed(session: Session, limit: int = BATCH) -> list[Attempt]:
    return claim(session, now=NOW, limit=limit, lease=LEASE, prefix="again", check=LIMITS)


def claim_and_write_back(sessions: Sessions) -> None:
    with sessions.begin() as session:
        attempts = claimed(session)
    assert len(attempts) >= BATCH
    outcomes = (
        Paid(NOW, Answer(http_status=200, imp_uid="imps_1")),
        Declined(DeclineKind.SOFT, Answer(message="[LACK_BALANCE]")),
        Unknown(UnknownReason.TIMEOUT),
    )
    settlements = [
        settle(attempt, outcomes[number % 3], now=NOW, policy=POLICY) for number, attempt in enumerate(attempts)
    ]
    write_back(sessions, settlements, now=NOW)


def judged(session: Session) -> None:
    judge = Judge(session, now=NOW, thresholds=THRESHOLDS)
    last = session.execute(text("SELECT max(id) FROM charges")).scalar_one()
    judge.judge(Touched(range(last - SLICE, last), range(1, SLICE + 1)))


def listed(**wanted: Any) -> Run:
    asked = {"status": None, "plan": None, "customer": None, **wanted}
    return in_session(lambda session: subscription_queries.listed(session, **asked, limit=LISTED))


def charges_listed(status: ChargeStatus | None, subscription: str | None) -> Run:
    return in_session(
        lambda session: history.charges(session, status=status, subscription=subscription, limit=LISTED, now=NOW)
    )


CODE = "0000000077777"
ACTS: dict[str, tuple[Run, int]] = {
    # what is done, and how many rows it is asked for
    "claim and write back": (claim_and_write_back, 3 * BATCH),
    "open": (lambda sessions: open_due_charges(sessions, now=NOW, limit=12, hold_policy=HOLD_POLICY), CHUNK),
    "expire leases": (in_session(lambda s: lookup_queue.expire_leases(s, now=NOW, limit=BATCH)), BATCH),
    "take look-ups": (in_session(lambda s: lookup_queue.lease_due(s, now=NOW, limit=BATCH, lease=LEASE)), BATCH),
    "the hold after a silence": (
        in_session(lambda s: charging_hold.declare_restored(s, HOLD_POLICY, now=NOW)),
        0,
    ),
    "may anything be charged": (
        in_session(lambda s: charging_hold.charging_is_allowed(s, HOLD_POLICY, now=NOW)),
        0,
    ),
    "a check of the invariants": (
        lambda sessions: invariant_check.check_invariants(sessions, now=NOW, thresholds=THRESHOLDS),
        SLICE,
    ),
    "a slice of a full pass": (in_session(judged), SLICE),
    "take checkouts": (in_session(lambda s: checkout_queries.take_open(s, now=NOW, limit=BATCH)), BATCH),
    "expire links": (in_session(lambda s: checkout_queries.expire_unused(s, now=NOW, limit=BATCH)), BATCH),
    "take webhooks": (in_session(lambda s: webhook_queries.take(s, now=NOW, limit=BATCH)), BATCH),
    "prune webhooks": (in_session(lambda s: webhook_queries.prune(s, now=NOW, limit=BATCH)), BATCH),
    "take unneeded keys": (
        in_session(lambda s: key_deletion_queries.take(s, now=NOW, pause=LEASE, limit=BATCH)),
        BATCH,
    ),
    "take a sweep": (in_session(lambda s: reconciliation_queries.lease_sweep(s, now=NOW, lease=LEASE)), 0),
    "failing look-ups": (
        in_session(lambda s: (status_queries.failing_look_ups(s), status_queries.look_up_failure(s))),
        0,
    ),
    "held subscriptions": (in_session(subscription_holds.held), 0),
    "list subscriptions": (listed(), LISTED),
    "list a customer": (listed(customer="customer-77777"), LISTED),
    **{f"list {status} subscriptions": (listed(status=status), LISTED) for status in SubscriptionStatus},
    "show a subscription": (in_session(lambda s: subscription_queries.shown(s, CODE)), 1),
    **{
        f"list {status} keys": (
            in_session(lambda s, status=status: key_queries.listed(s, status=status, limit=LISTED)),  # type: ignore[misc]
            LISTED,
        )
        for status in BillingKeyStatus
    },
    "find a key": (in_session(lambda s: key_queries.matching(s, "key-77777")), 1),
    "list charges": (charges_listed(None, None), LISTED),
    "list paid charges": (charges_listed(ChargeStatus.PAID, None), LISTED),
    "list charges of a subscription": (charges_listed(None, CODE), LISTED),
    "show a charge": (in_session(lambda s: (history.charge(s, 77777, now=NOW), history.charge_story(s, 77777))), 1),
    "find a payment": (in_session(lambda s: history.charge_of(s, "again")), 1),
    "audit": (
        in_session(lambda s: (history.audit(s, "subscription", 7), history.operator_acts(s, limit=LISTED))),
        LISTED,
    ),
}


@pytest.mark.parametrize("act", ACTS)
def test_statements_read_no_more_than_their_batch_whatever_the_statistics_say(act: str, believing: Engine):
    run, batch = ACTS[act]
    with believing.connect() as connection, connection.begin() as transaction:
        sessions: Sessions = sessionmaker(connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
        with plans.readings(connection) as read:
            run(sessions)
        transaction.rollback()
    most_rows, most_pages = ROWS_BESIDE + ROWS_EACH * batch, PAGES_BESIDE + PAGES_EACH * batch
    assert read, "nothing was read"
    assert [str(each) for each in read if each.rows > most_rows or each.pages > most_pages] == []
