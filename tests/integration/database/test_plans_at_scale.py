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

from schedules.plans import GateMode
from tests.integration.conftest import LEASE, NOW
from tests.integration.ledger.test_claiming import POLICY
from tests.support import plans, scale
from tests.support.pricing import GIVE_ITEMS
from worker.changes import customer_queries, price_queries, refund_queries
from worker.changes.apply_due import apply_due_changes
from worker.changes.customer_history import history_of
from worker.changes.kind import ChangePolicy
from worker.changes.subjects import lock_subject
from worker.charging.open_due import CHUNK, open_due_charges
from worker.checkout import queries as checkout_queries
from worker.checkout import webhook_queries
from worker.database.engine import Sessions, create_database_engine
from worker.database.planning import plan_by_index
from worker.devstack.addresses import Postgres
from worker.domain.attempt import Attempt
from worker.domain.charge_limits import ChargeLimits, LimitCheck
from worker.domain.events.destinations import Delivered, NotDelivered
from worker.domain.events.types import EventType
from worker.domain.forecast import day_of, days_from
from worker.domain.outcomes import Answer, Declined, DeclineKind, Paid, Unknown, UnknownReason
from worker.domain.settlement import settle
from worker.domain.states import BillingKeyStatus, ChargeStatus, SubscriptionStatus
from worker.events import delivery_queries, delivery_turn, destination_queries, resend_queries
from worker.events import queries as event_queries
from worker.forecast import queries as forecast_queries
from worker.forecast.asked import Asked
from worker.ledger import (
    changes,
    charging_hold,
    consents,
    end_of_dunning,
    history,
    lookup_queue,
    notices,
    plan_queues,
    refunds,
    standing_stops,
    stops,
    subscription_holds,
)
from worker.ledger.claiming import claim
from worker.ledger.database_identity import HoldPolicy
from worker.ledger.due_subscriptions import START
from worker.ledger.end_of_dunning import SpentCharge
from worker.ledger.gate_facts import ComingPeriod, read_coming
from worker.ledger.outbox import WrittenEvent
from worker.ledger.period_ends import charge_at
from worker.ledger.queues import HEAD
from worker.ledger.terms import terms_of
from worker.ledger.upcoming import upcoming_periods
from worker.ledger.voiding import void
from worker.ledger.write_back import write_back
from worker.metrics import readings
from worker.notices import ahead_queries, following_queries, told_queries
from worker.operations import invariant_check, status_queries, wait_queries
from worker.operations.changed_rows import Touched
from worker.operations.invariant_judge import SLICE, Judge
from worker.operations.invariants import Thresholds
from worker.reconciliation import queries as reconciliation_queries
from worker.refunds import queries as queries_of_refunds
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

NEWEST = 10
"""In batch rows, what the thousand newest attempts come to: they may lie on a page each, however they were written."""

COUNTED = 500
"""Stands for what is counted up to 10,000 of each: charges by PG, and events by destination."""

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
# Half of what waits for its dunning day cannot be charged then.
_OUT_OF_QUEUE = "UPDATE charges SET queue = NULL WHERE status = 'past_due' AND subscription_id % 100 = 1"
_CREDITED = """
    INSERT INTO adjustments (subscription_id, kind, description, amount, amount_left, created_at)
    SELECT id, 'credit', 'credit', 3000, 3000, :now FROM subscriptions WHERE status = 'active' AND id % 10 = 3
"""
_TO_OPEN = "UPDATE subscriptions SET next_charge_at = :now WHERE status = 'active' AND id BETWEEN :due + 1 AND 2 * :due"
# One that was applied for each subscription, and one to come for one in a hundred.
_CHANGES = """
    INSERT INTO changes (kind, subscription_id, parameters, effective_at, status, status_at, reason, digest, preview,
                         fingerprint, created_at)
    SELECT CASE WHEN v.status = 'applied' THEN 'pause' ELSE 'end_dunning' END, s.id,
           jsonb_build_object('failure', 'lost_key', 'charge', NULL, 'billing_key', s.billing_key_id),
           CAST(:now AS timestamptz) + interval '1 day', v.status, :now, 'a book', '', '{}', '', :now
    FROM subscriptions s CROSS JOIN unnest(ARRAY['applied', 'scheduled']) AS v(status)
    WHERE v.status = 'applied' OR s.id % 100 = 0
"""
# Half of the events are not delivered yet; of some subscriptions several are not, and of none a few hundred.
_EVENTS = """
    INSERT INTO events (position, id, type, version, at, subscription_id, data)
    SELECT n, 'evt_' || n, 'charge.paid', 1, :now, CASE WHEN n % 200 > 0 THEN n % 30000 + 1 END, '{}'
    FROM generate_series(1, 80000) n
"""
# A notice of every other renewal, and one that is kept for each event.
_NOTICES = """
    INSERT INTO notices (subscription_id, kind, about, due_at, sent_at, content)
    SELECT id, 'renewal', next_charge_at, :now, :now, '{}' FROM subscriptions
    WHERE next_charge_at IS NOT NULL AND id % 4 < 2
"""
_KEPT = """
    INSERT INTO notices (subscription_id, kind, about, source, due_at)
    SELECT subscription_id, 'paid', at, id, at FROM events WHERE subscription_id IS NOT NULL
"""
_DESTINATION = """
    INSERT INTO destinations (name, kind, target, secrets, types, status, status_at, created_at)
    VALUES ('shop', 'webhook', 'https://shop.example', '{whsec_}', '{}', 'active', :now, :now)
"""
_DELIVERIES = """
    INSERT INTO deliveries (destination_id, position, subscription_id, next_try_at)
    SELECT d.id, e.position, coalesce(e.subscription_id, 0), e.at - interval '1 minute'
    FROM events e CROSS JOIN destinations d WHERE e.position > 40000
"""


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
            filled.execute(text(GIVE_ITEMS))
            filled.execute(text(_OUT_OF_QUEUE))
            filled.execute(text(_CREDITED), {"now": NOW})
            filled.execute(text(_IN_FLIGHT), {"now": NOW})
            filled.execute(text(_TO_OPEN), {"now": NOW, "due": DUE})
            filled.execute(text(_CHANGES), {"now": NOW})
            for statement in (_EVENTS, _DESTINATION, _DELIVERIES, _NOTICES, _KEPT):
                filled.execute(text(statement), {"now": NOW})
            filled.execute(text(scale.JUDGED))
        yield engine
        engine.dispose()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


_TABLES = text("SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")


@pytest.fixture(scope="module", params=["fresh", *plans.WRONG])
def believing(engine: Engine, request: pytest.FixtureRequest) -> Engine:
    """The engine, of a database whose planner believes what the parameter says; each spoils more of it."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if request.param == "fresh":
            connection.execute(text("VACUUM ANALYZE"))
            # Only what a parameter says is believed: autovacuum would come at any time, to any of the tables.
            for table in connection.scalars(_TABLES).all():
                connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
        else:
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


def plan_stopped_and_started(session: Session) -> None:
    """Set charges of the large plan aside, ask what has stopped it and what is in flight, and return them."""
    stops.stop(session, scope="plan:large", reason="a test", stopped_by="me", now=NOW)
    stopped = stops.plan_id(session, "plan:large")
    assert stopped is not None
    moved, place = plan_queues.set_aside(session, stopped, queue="kakaopay", after=HEAD, limit=BATCH)
    assert (moved > BATCH / 2, place is not None) == (True, True)
    assert standing_stops.of_plan(session, stopped) is not None
    assert standing_stops.of_subscription(session, 8)
    stops.calls_in_flight(session, now=NOW, scope="plan:large")
    assert plan_queues.unstopped(session) == []
    stops.start(session, scope="plan:large", now=NOW)
    assert plan_queues.return_charges(session, plan_queues.unstopped(session), limit=BATCH) == moved


def dunning_ended(session: Session) -> None:
    """Do what a write-back does where calendars are spent, keys have died, and what was declined is paid."""
    plan_by_index(session)
    session.execute(text("UPDATE plans SET dunning_end = 'cancel', key_deadline_days = 7"))
    ids = range(1, BATCH + 1)
    end_of_dunning.spent(session, [SpentCharge(each, each, each) for each in ids], now=NOW)
    end_of_dunning.lost_keys(session, range(BATCH + 1, 2 * BATCH + 1), now=NOW)
    end_of_dunning.undo_settled(session, ids, reason="it was paid", now=NOW)
    consents.give_up_returned(session, ids, now=NOW)


def delivered(session: Session) -> None:
    """Do what a relay does of a destination: claim, write down what came of it, and look for more."""
    (destination,) = destination_queries.with_work(session, now=NOW)
    claimed = delivery_turn.take(session, destination.id, [], now=NOW).claim(BATCH, lease=LEASE, idle=True)
    assert len(claimed) == BATCH
    outcomes = (Delivered(), NotDelivered("answered 500"))
    answered = [(each, outcomes[number % 2]) for number, each in enumerate(claimed)]
    delivery_turn.take(session, destination.id, answered, now=NOW).claim(BATCH, lease=LEASE, idle=True)


def queued_again(session: Session) -> None:
    """Queue events that a destination has had."""
    written = [WrittenEvent(position, EventType.CHARGE_PAID, position) for position in range(1, BATCH)]
    delivery_queries.queue(session, written)
    wanted = resend_queries.Range(after=BATCH, last=30_000)
    assert resend_queries.queue(session, wanted, None, now=NOW, limit=BATCH)[1] == BATCH


def coming(session: Session) -> ahead_queries.Part[ahead_queries.NextCharge]:
    """Read the next charges, of every other of which its customer was told."""
    part = ahead_queries.next_charges(session, after=START, until=NOW + FAR, now=NOW, limit=BATCH)
    assert (part.looked, len(part.untold) > BATCH / 4) == (BATCH, True)
    return part


def forecast_batches(session: Session) -> None:
    """Read a batch of each walk of a forecast: of charges in a queue and in none, of renewals, and of changes."""
    plan_by_index(session)
    last = day_of(NOW + FAR)
    days = days_from(last, last, now=NOW)
    asked = Asked(days=days, now=NOW, policy=ChangePolicy(max_amount=10**6), gate=GateMode.STRICT).parameters(session)
    for queue in ("kakaopay", None):
        assert forecast_queries.waiting(session, queue, asked, after=START, limit=BATCH)
    groups, _ = forecast_queries.coming(session, asked, after=START, limit=BATCH)
    read_coming(
        session, [ComingPeriod(each, NOW, 10**6) for group in groups for each in group.due.ids], GateMode.STRICT
    )
    codes, _ = forecast_queries.changing(session, asked, after=START, limit=BATCH)
    assert (sum(len(each.codes) for each in groups), len(codes)) == (BATCH, BATCH)


def read_events(session: Session) -> None:
    """Read events of a type that all are of, of one that none is of, of both, of one subscription, and by an id."""
    paid, refunded = EventType.CHARGE_PAID, EventType.REFUND_COMPLETED
    for types in ([], [paid], [refunded], [paid, refunded]):
        wanted = event_queries.Wanted(types=types)
        many = 0 if types == [refunded] else LISTED
        assert len(event_queries.newest(session, wanted, limit=LISTED)) == many
        assert len(event_queries.after(session, 40_000, wanted, limit=LISTED)) == many
    of_one = event_queries.Wanted(types=[paid], subscription="0000000000777")
    assert event_queries.newest(session, of_one, limit=LISTED) == event_queries.after(session, 0, of_one, limit=LISTED)
    assert event_queries.by_id(session, "evt_77777")
    assert event_queries.last_position(session) == 80_000


def judged(session: Session) -> None:
    judge = Judge(session, now=NOW, thresholds=THRESHOLDS)
    last = session.execute(text("SELECT max(id) FROM charges")).scalar_one()
    judge.judge(Touched(range(last - SLICE, last), range(1, SLICE + 1)))


def cohort(session: Session) -> object:
    """Lock some subscriptions of a plan, to move them to another price."""
    plan_by_index(session)
    return price_queries.cohort(session, price_queries.Members(plan_id=1), after=0, now=NOW, limit=BATCH)


def void_some(session: Session) -> None:
    """Void charges that are due, of which some have used a credit."""
    last = session.execute(text("SELECT max(id) FROM charges")).scalar_one()
    assert len(void(session, range(last - BATCH, last), reason="a test", now=NOW)) > BATCH / 2


def shown_terms(session: Session) -> None:
    """Read what one subscription pays, and what its next periods come to."""
    (row,) = session.execute(text("SELECT id, anchor_on, next_charge_at FROM subscriptions WHERE id = 77773"))
    assert upcoming_periods(session, row.id, row.anchor_on, row.next_charge_at, now=NOW, count=3)


def shown_history(sessions: Sessions, customer: str) -> None:
    """Read whose a subscription, a charge and a change is, and a customer's history."""
    with sessions() as session:
        owner = customer_queries.owner_of(session, "subscription", CODE)
        customer_queries.owner_of(session, "charge", 77777)
        customer_queries.owner_of(session, "change", 77777)
    assert owner == customer
    (shown,) = history_of(sessions, customer)
    assert shown.charges


def listed(**wanted: Any) -> Run:
    asked = {"status": None, "plan": None, "customer": None, **wanted}
    return in_session(lambda session: subscription_queries.listed(session, **asked, limit=LISTED))


def charges_listed(status: ChargeStatus | None, subscription: str | None) -> Run:
    return in_session(
        lambda session: history.charges(session, status=status, subscription=subscription, limit=LISTED, now=NOW)
    )


FAR = timedelta(days=32)  # in which every next charge comes
CODE = "0000000077777"
ACTS: dict[str, tuple[Run, int]] = {
    # what is done, and how many rows it is asked for
    "claim and write back": (claim_and_write_back, 3 * BATCH),
    "stop and start a plan": (in_session(plan_stopped_and_started), BATCH),
    "end dunning": (in_session(dunning_ended), BATCH),
    "open": (lambda sessions: open_due_charges(sessions, now=NOW, limit=12, hold_policy=HOLD_POLICY), CHUNK),
    "apply changes, none of which is due": (
        lambda sessions: apply_due_changes(sessions, policy=ChangePolicy(max_amount=10**6), now=NOW),
        0,
    ),
    "what is to come of a subscription": (in_session(lambda s: changes.scheduled(s, 77777)), 1),
    "a cohort": (in_session(cohort), BATCH),
    "void charges": (in_session(void_some), BATCH),
    "what a subscription pays": (in_session(shown_terms), 1),
    "deliver events": (in_session(delivered), 3 * BATCH),
    "queue events": (in_session(queued_again), 2 * BATCH),
    "read events": (in_session(read_events), LISTED),
    "prune events": (in_session(lambda s: event_queries.prune(s, 70_000, limit=BATCH)), BATCH),
    "expire leases": (in_session(lambda s: lookup_queue.expire_leases(s, now=NOW, limit=BATCH)), BATCH),
    "take look-ups": (in_session(lambda s: lookup_queue.lease_due(s, now=NOW, limit=BATCH, lease=LEASE)), BATCH),
    "the hold after a silence": (
        in_session(lambda s: charging_hold.declare_restored(s, HOLD_POLICY, now=NOW)),
        NEWEST,
    ),
    "may anything be charged": (
        in_session(lambda s: charging_hold.charging_is_allowed(s, HOLD_POLICY, now=NOW)),
        NEWEST,
    ),
    "a check of the invariants": (
        lambda sessions: invariant_check.check_invariants(sessions, now=NOW, thresholds=THRESHOLDS),
        SLICE,
    ),
    "a slice of a full pass": (in_session(judged), SLICE),
    "take checkouts": (in_session(lambda s: checkout_queries.take_open(s, now=NOW, limit=BATCH)), BATCH),
    "expire links": (in_session(lambda s: checkout_queries.expire_unused(s, now=NOW, limit=BATCH)), BATCH),
    "take webhooks": (in_session(lambda s: webhook_queries.take(s, now=NOW, limit=BATCH)), BATCH),
    "a forecast": (in_session(forecast_batches), 2 * BATCH),
    "notices to come": (
        in_session(
            lambda s: (
                terms_of(s, [each.id for each in coming(s).untold]),
                ahead_queries.next_prices(s, after=START, until=NOW + FAR, now=NOW, limit=BATCH),
                ahead_queries.next_charges_of(s, CODE, until=NOW + FAR, now=NOW),
                ahead_queries.next_prices_of(s, CODE, until=NOW + FAR, now=NOW),
            )
        ),
        BATCH,
    ),
    "notices that are kept": (
        in_session(
            lambda s: (
                following_queries.facts(s, [each.id for each in notices.due(s, now=NOW, limit=BATCH)]),
                told_queries.told(s, None, limit=LISTED),
                told_queries.told(s, CODE, limit=LISTED),
            )
        ),
        BATCH,
    ),
    "prune webhooks": (in_session(lambda s: webhook_queries.prune(s, now=NOW, limit=BATCH)), BATCH),
    "take unneeded keys": (
        in_session(lambda s: key_deletion_queries.take(s, now=NOW, pause=LEASE, limit=BATCH)),
        BATCH,
    ),
    "take a sweep": (in_session(lambda s: reconciliation_queries.lease_sweep(s, now=NOW, lease=LEASE)), 0),
    "take refunds": (in_session(lambda s: refunds.take_due(s, now=NOW, limit=BATCH, lease=LEASE)), BATCH),
    "start refunds": (in_session(lambda s: refund_queries.changes_to_start(s, now=NOW, limit=BATCH)), BATCH),
    "refund with a cancellation": (
        in_session(
            lambda s: (
                refund_queries.refund_of_cancellation(s, 7),
                refund_queries.current_charge(s, CODE, now=NOW),
            )
        ),
        1,
    ),
    "refunds of a charge": (
        in_session(
            lambda s: (
                queries_of_refunds.refundable_charge(s, 77777),
                queries_of_refunds.refunds_of_charge(s, 77777),
                queries_of_refunds.refunds_in_console(s, 77777),
            )
        ),
        1,
    ),
    "failing look-ups": (
        in_session(lambda s: (status_queries.failing_look_ups(s), status_queries.look_up_failure(s))),
        0,
    ),
    "held subscriptions": (in_session(subscription_holds.held), 0),
    "a scrape of the metrics": (in_session(lambda s: readings.read(s, {}, now=NOW)), COUNTED),
    "the backlog": (in_session(lambda s: wait_queries.waits(s, now=NOW)), COUNTED),
    "list subscriptions": (listed(), LISTED),
    "list a customer": (listed(customer="customer-77777"), LISTED),
    "the history of a customer": (lambda sessions: shown_history(sessions, "customer-77777"), LISTED),
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
    "lock what a change is about": (in_session(lambda s: lock_subject(s, subscription=CODE, charge=None)), 1),
    "the current charge": (in_session(lambda s: charge_at(s, 77777, NOW)), 1),
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


def test_part_far_on_in_a_walk_of_notices_reads_no_more_pages_than_the_first(believing: Engine):
    pages = []
    for after in (START, (NOW + timedelta(days=28), 0)):
        with believing.connect() as connection, Session(connection) as session, plans.readings(connection) as read:
            ahead_queries.next_charges(session, after=after, until=NOW + FAR, now=NOW, limit=BATCH)
        pages.append(sum(each.pages for each in read))
    first, far = pages
    assert far < first + 50
