"""Every invariant against a real PostgreSQL: a healthy book breaks none, and each kind of damage breaks exactly one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.integration.conftest import NOW, claim_now, open_all
from tests.integration.ledger.test_claiming import POLICY
from tests.support import acts
from tests.support.book import Book
from tests.support.pricing import GIVE_ITEMS
from worker.database.engine import Sessions, create_database_engine, session_factory
from worker.devstack.addresses import Postgres
from worker.domain.discrepancy_rules import DiscrepancyKind
from worker.domain.outcomes import (
    Answer,
    Declined,
    DeclineKind,
    NotCharged,
    NotChargedReason,
    Outcome,
    Paid,
    Unknown,
    UnknownReason,
)
from worker.domain.settlement import settle
from worker.domain.states import SweepReason
from worker.ledger import charging_hold, stops
from worker.ledger.write_back import write_back
from worker.operations import invariant_results
from worker.operations.invariant_check import check_invariants, look_and_record
from worker.operations.invariant_judge import MAX_COUNTED, MAX_EXAMPLES, BrokenInvariant
from worker.operations.invariant_queries import QUERIES
from worker.operations.invariants import INVARIANTS, MAX_DEFERRALS, Thresholds
from worker.reconciliation import queries as reconciliation_queries

THRESHOLDS = Thresholds(lookup_backoff=timedelta(days=8), sweep_every=timedelta(days=1))

OUTCOMES: dict[str, Outcome | None] = {
    "paid": Paid(NOW, Answer(http_status=200, imp_uid="imps_1")),
    "soft": Declined(DeclineKind.SOFT, Answer(message="[LACK_BALANCE]")),
    "hard": Declined(DeclineKind.HARD, Answer(message="expired")),
    "later": NotCharged(NotChargedReason.CONNECT_FAILED),
    "unknown": Unknown(UnknownReason.TIMEOUT),
    "flagged": Unknown(UnknownReason.OTHER_PAYMENT, needs_human=True),
    "in flight": None,
}
"""A charge of each fate. With their subscriptions, keys and attempts they have the ids 1 to 7, in this order."""

PAID, SOFT, HARD, LATER, UNKNOWN, FLAGGED, IN_FLIGHT, CANCELED, PAUSED = range(1, 10)


def a_book(sessions: Sessions) -> None:
    """Make a book with something of everything, by what makes it in earnest."""
    book = Book(sessions)
    for _ in OUTCOMES:
        book.subscribe(now=NOW)
    open_all(sessions)
    settlements = [
        settle(attempt, outcome, now=NOW, policy=POLICY)
        for attempt, outcome in zip(claim_now(sessions), OUTCOMES.values(), strict=True)
        if outcome is not None
    ]
    write_back(sessions, settlements, now=NOW)
    canceled, paused = book.subscribe(now=NOW), book.subscribe(now=NOW)
    acts.cancel(sessions, canceled.code, reason="moved", now=NOW)
    acts.pause(sessions, paused.code, reason="holiday", now=NOW)
    # Written side by side, so PostgreSQL decides which of them gets which number.
    with sessions() as session:
        fates = session.execute(text("SELECT id, charge_id FROM attempts WHERE id <> charge_id")).all()
        assert fates == []


@pytest.fixture(scope="module")
def healthy(postgres: Postgres) -> Iterator[Sessions]:
    """A healthy book, which every test leaves as it was."""
    admin, name = postgres.url.replace("/again?", "/postgres?"), f"test_{uuid4().hex}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE again")
        engine = create_database_engine(postgres.url.replace("/again?", f"/{name}?"), actor="test")
        sessions = session_factory(engine)
        a_book(sessions)
        for _ in range(2):
            assert check_invariants(sessions, now=NOW, thresholds=THRESHOLDS).broken == {}
        yield sessions
        engine.dispose()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def session(healthy: Sessions) -> Iterator[Session]:
    """A transaction without triggers that is rolled back: damage is done by hand."""
    with healthy() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        yield session
        session.rollback()


def look(session: Session, later: timedelta = timedelta(0)) -> list[BrokenInvariant]:
    return invariant_results.evaluate(session, now=NOW + later, thresholds=THRESHOLDS)


def names(found: list[BrokenInvariant]) -> list[str]:
    return [each.invariant.name for each in found]


def test_healthy_records_violate_nothing(session: Session):
    assert look(session) == []


A_CHARGE = f"""
    INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency, order_name, status,
                         status_at, created_at, paid_at)
    SELECT subscription_id, period_start + interval '1 day', period_end, amount, 0, 'KRW', '', 'paid', :now, :now, :now
    FROM charges WHERE id = {{of}};
    {GIVE_ITEMS};
    INSERT INTO attempts (charge_id, billing_key_id, number, merchant_uid, status, status_at, sends, started_at,
                          lease_until, imp_uid)
    SELECT c.id, a.billing_key_id, 1, replace(a.merchant_uid, '20260105', '20260106'), 'paid', :now, 1, :now, :now, 'i'
    FROM charges c, attempts a WHERE c.id = (SELECT max(id) FROM charges) AND a.id = {{of}}
"""
AN_ATTEMPT = """
    INSERT INTO attempts (charge_id, billing_key_id, number, merchant_uid, status, status_at, sends, started_at,
                          lease_until, imp_uid)
    SELECT charge_id, billing_key_id, 2, left(merchant_uid, -3) || '002', 'paid', :now, 1, :now, :now, 'i'
    FROM attempts WHERE id = {of}
"""
A_SWEEP = """
    INSERT INTO sweeps (reason, holds_claims, since, until, position, started_at, lease_until, finished_at)
    VALUES ('{reason}', {holds}, :now, :now, :now, {started}, {lease}, {finished})
"""

A_CONSENT = """
    INSERT INTO consents (subscription_id, billing_key_id, source, wording, amount, currency, cadence, due_now, periods,
                          agreed_at)
    SELECT c.subscription_id, a.billing_key_id, 'operator', 'w', c.amount, 'KRW', 'month', {due_now}, {periods}, :now
    FROM charges c JOIN attempts a ON a.charge_id = c.id WHERE c.id = {of}
"""

A_REFUND = """
    INSERT INTO refunds (charge_id, imp_uid, merchant_uid, pg, currency, paid, checksum, amount, tax_free, reference,
                         reason, status, status_reason, status_at, started_at, sends, sent_at, settled_at)
    SELECT a.charge_id, a.imp_uid, a.merchant_uid, 'kakaopay', 'KRW', 9900, 9900, 3000, 0, 'r-1', 'late', 'completed',
           '{reason}', :now, :now, 1, :now, :now
    FROM attempts a WHERE a.charge_id = {of}
"""

DAMAGE: dict[str, tuple[str, str]] = {
    # what breaks it, and the id that must be told
    "period_is_paid_once": (AN_ATTEMPT.format(of=PAID), f"{PAID}"),
    "paid_charge_has_a_paid_attempt": (
        f"UPDATE attempts SET status = 'declined', decline_kind = 'soft' WHERE id = {PAID}",
        f"{PAID}",
    ),
    "items_add_up_to_their_charge": (
        f"UPDATE charge_items SET amount = amount + 1 WHERE charge_id = {LATER}",
        f"{LATER}",
    ),
    "completed_refunds_are_counted": (A_REFUND.format(of=PAID, reason="PortOne shows it"), f"{PAID}"),
    "paid_attempt_pays_its_charge": (AN_ATTEMPT.format(of=SOFT), "SELECT max(id) FROM attempts"),
    "periods_do_not_overlap": (A_CHARGE.format(of=PAID), "SELECT max(id) FROM charges"),
    "merchant_uid_names_its_period": (
        f"UPDATE attempts SET merchant_uid = left(merchant_uid, -3) || '007' WHERE id = {IN_FLIGHT}",
        f"{IN_FLIGHT}",
    ),
    "nothing_is_claimed_while_stopped": (
        """INSERT INTO stops (scope, reason, stopped_by, stopped_at)
           VALUES ('kakaopay', '', 'me', CAST(:now AS timestamptz) - interval '1 hour')""",
        "1",  # all of them
    ),
    "charge_is_covered_by_a_consent": (A_CONSENT.format(of=PAID, due_now=0, periods="'[]'"), f"{PAID}"),
    "charge_that_awaits_consent_is_not_sent": (
        f"UPDATE charges SET awaits_consent_since = status_at - interval '1 hour' WHERE id = {IN_FLIGHT}",
        f"{IN_FLIGHT}",
    ),
    "charging_has_an_open_attempt": (
        f"UPDATE attempts SET status = 'not_charged' WHERE id = {IN_FLIGHT}",
        f"{IN_FLIGHT}",
    ),
    "open_attempt_has_a_charge_in_flight": (
        f"UPDATE charges SET status = 'due', next_attempt_at = :now WHERE id = {IN_FLIGHT}",
        f"{IN_FLIGHT}",
    ),
    "charge_stands_in_the_queue_of_its_pg": (f"UPDATE charges SET queue = NULL WHERE id = {LATER}", f"{LATER}"),
    "past_due_charge_has_a_next_attempt": (
        f"UPDATE billing_keys SET status = 'active' WHERE id = {HARD}",
        f"{HARD}",
    ),
    "flagged_attempt_is_up_for_review": ("UPDATE discrepancies SET status = 'resolved'", f"{FLAGGED}"),
    "past_due_subscription_owes_something": (
        f"UPDATE subscriptions SET status = 'past_due' WHERE id = {PAID}",
        f"{PAID}",
    ),
    "active_subscription_has_no_past_due_charge": (
        f"UPDATE subscriptions SET status = 'active' WHERE id = {SOFT}",
        f"{SOFT}",
    ),
    "subscription_that_is_over_owes_nothing": (
        f"UPDATE subscriptions SET status = 'ended', next_charge_at = NULL WHERE id = {LATER}",
        f"{LATER}",
    ),
    "discrepancy_is_decided_within_a_week": (
        "UPDATE discrepancies SET found_at = found_at - interval '8 days'",
        "SELECT max(id) FROM discrepancies",
    ),
    "due_period_is_opened": (
        f"""UPDATE subscriptions SET next_charge_at = next_charge_at - interval '40 days',
            status_at = status_at - interval '1 day', created_at = created_at - interval '1 day' WHERE id = {PAID};
            UPDATE charges SET created_at = created_at - interval '1 day'""",
        f"{PAID}",
    ),
    "due_charge_is_claimed": (
        f"""UPDATE charges SET status_at = status_at - interval '1 day', next_attempt_at = CAST(:now AS timestamptz)
            - interval '2 hours' WHERE id = {LATER};
            UPDATE billing_keys SET status_at = status_at - interval '1 day';
            DELETE FROM audit WHERE entity = 'subscription'""",
        f"{LATER}",
    ),
    "abandoned_attempt_is_looked_up": (
        f"UPDATE attempts SET lease_until = lease_until - interval '1 hour' WHERE id = {IN_FLIGHT}",
        f"{IN_FLIGHT}",
    ),
    "look_up_is_made_in_time": (
        f"UPDATE attempts SET next_lookup_at = next_lookup_at - interval '2 hours' WHERE id = {UNKNOWN}",
        f"{UNKNOWN}",
    ),
    "unknown_attempt_comes_to_an_end": (
        f"UPDATE attempts SET started_at = started_at - interval '9 days' WHERE id = {UNKNOWN}",
        f"{UNKNOWN}",
    ),
    "deferred_charge_comes_to_an_end": (
        f"UPDATE charges SET deferrals = {MAX_DEFERRALS} WHERE id = {LATER}",
        f"{LATER}",
    ),
    "no_attempt_is_from_the_future": (
        f"UPDATE attempts SET started_at = started_at + interval '1 hour' WHERE id = {IN_FLIGHT}",
        f"{IN_FLIGHT}",
    ),
    "held_charging_goes_on": (
        A_SWEEP.format(
            reason="gap",
            holds="true",
            started=":now",
            lease="CAST(:now AS timestamptz) - interval '1 hour'",
            finished="NULL",
        ),
        "SELECT max(id) FROM sweeps",
    ),
    "payments_are_compared_daily": (
        A_SWEEP.format(
            reason="daily",
            holds="false",
            started="CAST(:now AS timestamptz) - interval '3 days'",
            lease=":now",
            finished="CAST(:now AS timestamptz) - interval '3 days'",
        )
        + f"; UPDATE charges SET paid_at = paid_at - interval '4 days' WHERE id = {PAID}",
        "SELECT max(id) FROM sweeps",
    ),
}


def test_invariants_have_a_query_and_a_damage_here():
    assert list(QUERIES) == [invariant.name for invariant in INVARIANTS]
    assert set(DAMAGE) == set(QUERIES)


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_breaks_exactly_one_invariant_and_its_id_is_told(name: str, session: Session):
    damage, told = DAMAGE[name]
    for statement in damage.split(";"):
        session.execute(text(statement), {"now": NOW} if ":now" in statement else {})
    found = look(session)
    assert names(found) == [name]
    (wanted,) = session.execute(text(told if told.startswith("SELECT") else f"SELECT {told}")).one()
    assert wanted in found[0].examples


UNGUARDED = """
    DO $$ DECLARE guard record; BEGIN
        FOR guard IN SELECT tgname, tgrelid::regclass AS name FROM pg_trigger WHERE tgfoid = 'forbid_change'::regproc
        LOOP EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', guard.name, guard.tgname); END LOOP;
    END $$
"""
"""What the tables forbid is done, and audited like everything else."""

# What moves on with a change of a status, and not without one.
IN_PASSING = {
    "charge_stands_in_the_queue_of_its_pg": f"""
        UPDATE charges SET status = 'charging', next_attempt_at = NULL, wait_reason = NULL WHERE id = {LATER};
        UPDATE charges SET status = 'due', queue = NULL, next_attempt_at = CAST(:now AS timestamptz)
            + interval '1 hour' WHERE id = {LATER}""",
    "merchant_uid_names_its_period": f"""UPDATE attempts SET merchant_uid = left(merchant_uid, -3) || '007',
        status = 'unknown', next_lookup_at = :now WHERE id = {IN_FLIGHT}""",
    "deferred_charge_comes_to_an_end": f"""
        UPDATE charges SET status = 'charging', next_attempt_at = NULL, wait_reason = NULL WHERE id = {LATER};
        UPDATE charges SET status = 'due', deferrals = {MAX_DEFERRALS},
            next_attempt_at = CAST(:now AS timestamptz) + interval '1 hour' WHERE id = {LATER}""",
    "items_add_up_to_their_charge": f"""
        UPDATE charge_items SET amount = amount + 1 WHERE charge_id = {LATER};
        UPDATE charges SET status = 'charging', next_attempt_at = NULL, wait_reason = NULL WHERE id = {LATER};
        UPDATE charges SET status = 'due', next_attempt_at = CAST(:now AS timestamptz) + interval '1 hour'
            WHERE id = {LATER}""",
    "charge_that_awaits_consent_is_not_sent": DAMAGE["charge_that_awaits_consent_is_not_sent"][0],
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found_by_the_next_check_and_by_every_one_after_it(name: str, healthy: Sessions):
    damage, told = DAMAGE[name]
    with healthy() as session:
        session.execute(text(UNGUARDED))
        for statement in IN_PASSING.get(name, damage).split(";"):
            session.execute(text(statement), {"now": NOW} if ":now" in statement else {})
        (wanted,) = session.execute(text(told if told.startswith("SELECT") else f"SELECT {told}")).one()
        for _ in range(2):
            looked = look_and_record(session, INVARIANTS, now=NOW, thresholds=THRESHOLDS)
            assert names(looked.broken) == [name]
            assert wanted in looked.broken[0].examples


@pytest.mark.parametrize("name", ["merchant_uid_names_its_period", "deferred_charge_comes_to_an_end"])
def test_change_that_no_trigger_audits_is_left_to_a_full_pass(name: str, session: Session):
    # What is in flight is looked at all the time.
    session.execute(text(DAMAGE[name][0].replace(f"id = {IN_FLIGHT}", f"id = {PAID}")))
    assert look_and_record(session, INVARIANTS, now=NOW, thresholds=THRESHOLDS).broken == []
    assert names(look(session)) == [name]


KNOWN = """
    INSERT INTO discrepancies (kind, status, status_at, merchant_uid, charge_id, evidence, found_at, seen_at)
    VALUES ('{kind}', '{status}', :now, 'm', {charge}, '{{}}', :now, :now)
"""


EXPLAINED = [
    # what is damaged, its charge, and the kinds of discrepancy that explain it
    (AN_ATTEMPT.format(of=PAID), PAID, {"paid_twice"}),
    (DAMAGE["paid_charge_has_a_paid_attempt"][0], PAID, {"missing_here", "declined_here", "unresolved"}),
    (f"UPDATE charges SET status = 'void', paid_at = NULL WHERE id = {PAID}", PAID, {"not_owed"}),
    (AN_ATTEMPT.format(of=SOFT), SOFT, set()),  # it may be charged again, whatever an operator is asked about
]
ANSWERED_BY_SETTLING = {"unresolved"}


@pytest.mark.parametrize("status", ["open", "resolved", "repaired", "gone"])
@pytest.mark.parametrize(("damage", "charge", "kinds"), EXPLAINED)
def test_discrepancy_of_another_kind_does_not_explain_a_violation(
    status: str, damage: str, charge: int, kinds: set[str], session: Session
):
    session.execute(text(damage), {"now": NOW} if ":now" in damage else {})
    (broken,) = names(look(session))
    explaining = set()
    for kind in DiscrepancyKind:
        with session.begin_nested() as one:
            session.execute(text(KNOWN.format(kind=kind.value, status=status, charge=charge)), {"now": NOW})
            if broken not in names(look(session)):
                explaining.add(kind.value)
            one.rollback()
    known = {"open": kinds, "resolved": kinds - ANSWERED_BY_SETTLING}
    assert explaining == known.get(status, set())


NOBODYS_FAULT = {
    # what stands in the way of charges that have long been due
    "everything is stopped": "INSERT INTO stops VALUES ('all', '', 'me', :now)",
    "its channel is stopped": "INSERT INTO stops VALUES ('kakaopay', '', 'me', :now)",
    "it was stopped until just now": "INSERT INTO last_stopped VALUES ('all', :now)",
    "charging is held": A_SWEEP.format(reason="gap", holds="true", started=":now", lease=":now", finished="NULL"),
    "charging was held until just now": A_SWEEP.format(
        reason="gap", holds="true", started=":now", lease=":now", finished=":now"
    ),
    "its key is dead": f"UPDATE billing_keys SET status = 'dead' WHERE id = {LATER}",
    "it has a new key": f"UPDATE billing_keys SET status_at = :now WHERE id = {LATER}",
    "a person is asked about it": KNOWN.format(kind="other_amount", status="open", charge=LATER),
    "a person has decided about it just now": KNOWN.format(kind="other_amount", status="resolved", charge=LATER),
    "its subscription was resumed just now": "INSERT INTO audit (at, actor, entity, entity_id, to_status, reason) "
    f"VALUES (:now, 'me', 'subscription', {LATER}, 'active', 'back')",
}


@pytest.mark.parametrize("why", NOBODYS_FAULT)
def test_blocked_due_charge_is_not_late(why: str, session: Session):
    damage, _ = DAMAGE["due_charge_is_claimed"]
    for statement in [*damage.split(";"), NOBODYS_FAULT[why]]:
        session.execute(text(statement), {"now": NOW} if ":now" in statement else {})
    assert look(session) == []


def test_charge_decided_long_ago_is_late_like_any_other(session: Session):
    damage, _ = DAMAGE["due_charge_is_claimed"]
    decided = KNOWN.format(kind="other_amount", status="resolved", charge=LATER)
    long_ago = "UPDATE discrepancies SET status_at = status_at - interval '2 hours'"
    for statement in [*damage.split(";"), decided, long_ago]:
        session.execute(text(statement), {"now": NOW} if ":now" in statement else {})
    assert names(look(session)) == ["due_charge_is_claimed"]


LISTED = "jsonb_build_array(jsonb_build_object('period_start', c.period_start, 'amount', c.amount))"


@pytest.mark.parametrize(
    "later",
    [
        A_CONSENT.format(of=PAID, due_now=9900, periods=LISTED),
        A_CONSENT.format(of=PAID, due_now=0, periods="'[]'").replace(":now", ":now - interval '1 year'"),
    ],
    ids=["it is listed", "it began afterwards"],
)
def test_charge_that_another_consent_of_its_key_covers_is_in_order(session: Session, later: str):
    for statement in (A_CONSENT.format(of=PAID, due_now=0, periods="'[]'"), later):
        session.execute(text(statement), {"now": NOW})
    assert look(session) == []


@pytest.mark.parametrize(
    ("reason", "refunded", "broken"),
    [
        ("PortOne shows it", 2999, ["completed_refunds_are_counted"]),
        ("PortOne shows it", 3000, []),
        ("PortOne shows it", 9900, []),  # more was refunded in PortOne's console
        ("settled by hand: as the PG says", 0, []),
    ],
)
def test_refund_is_in_order_once_its_charge_shows_as_much(
    session: Session, reason: str, refunded: int, broken: list[str]
):
    session.execute(text(A_REFUND.format(of=PAID, reason=reason)), {"now": NOW})
    session.execute(text(f"UPDATE charges SET refunded = {refunded} WHERE id = {PAID}"))
    assert names(look(session)) == broken


def test_uncommitted_rows_are_not_seen(healthy: Sessions, session: Session):
    session.execute(text(f"UPDATE charges SET status = 'due', next_attempt_at = now() WHERE id = {IN_FLIGHT}"))
    with healthy() as other:
        assert look(other) == []


def test_a_holding_sweep_that_is_worked_on_is_in_order_until_it_takes_too_long(session: Session):
    until = NOW + timedelta(minutes=30)
    charging_hold.begin_sweep(session, reason=SweepReason.RESTORED, holds_claims=True, since=NOW, until=until, now=NOW)
    taken = reconciliation_queries.lease_sweep(session, now=NOW, lease=timedelta(seconds=20))
    assert taken is not None
    for hours, expected in ((0.1, []), (5, []), (7, ["held_charging_goes_on"])):
        now = NOW + timedelta(hours=hours)
        reconciliation_queries.release_lease(
            session, taken, now=now, back_off=timedelta(0), failure=""
        )  # a worker was there
        held = [each for each in INVARIANTS if each.name == "held_charging_goes_on"]
        assert names(invariant_results.evaluate(session, now=now, thresholds=THRESHOLDS, invariants=held)) == expected


def test_examples_and_counting_end_somewhere(session: Session):
    session.execute(
        text(f"""
        INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency, order_name, status,
                             status_at, created_at)
        SELECT {PAID}, :now - make_interval(days => n), :now - make_interval(days => n - 1), 9900, 0, 'KRW', '',
               'charging', :now, :now
        FROM generate_series(1, {MAX_COUNTED + 1}) n"""),
        {"now": NOW},
    )
    (found,) = [each for each in look(session) if each.invariant.name == "charging_has_an_open_attempt"]
    assert (found.count, len(found.examples)) == (MAX_COUNTED, MAX_EXAMPLES)


def test_a_stop_without_a_claim_after_it_is_in_order(session: Session):
    stops.stop(session, scope=stops.EVERYTHING, reason="audit", stopped_by="me", now=NOW)
    assert look(session) == []


def test_claim_of_a_stopped_plan_is_found_unless_it_was_of_another_plan_then(session: Session):
    session.execute(
        text("""INSERT INTO stops SELECT 'plan:' || code, '', 'me', CAST(:now AS timestamptz) - interval '1 hour', id
                FROM plans"""),
        {"now": NOW},
    )
    assert names(look(session)) == ["nothing_is_claimed_while_stopped"]
    session.execute(
        text("""INSERT INTO changes (kind, subscription_id, parameters, effective_at, status, status_at, reason, digest,
                                     preview, fingerprint, created_at)
                SELECT 'change_plan', id, '{}', :now, 'applied', :now, 'x', '', '{}', '', :now FROM subscriptions"""),
        {"now": NOW},
    )
    assert look(session) == []
