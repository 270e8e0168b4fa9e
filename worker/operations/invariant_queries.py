# ruff: noqa: S608 - every query is put together from constants
"""What breaks each invariant, as SQL that gives the ids of such rows and changes nothing.

Most are asked about some charges or subscriptions, whose ids are given: those that have changed, or one slice of all
after the other. The others are asked as a whole, and begin at an index that holds few rows: what is open, what waits
for an operator. The comment above each says why ordinary operation never breaks it.
"""

from __future__ import annotations

from collections.abc import Mapping

from worker.domain.blockers import FAULTS, Blocker
from worker.domain.discrepancy_rules import DiscrepancyKind
from worker.ledger.blockers import CONDITIONS, all_but, none_of
from worker.ledger.charges import OWED
from worker.ledger.queues import MISPLACED
from worker.operations.invariant_subjects import (
    CHARGES,
    CLAIMED_OF_PLAN,
    COVERED,
    HELD,
    ITEMS_ADD_UP,
    ITS_ATTEMPTS,
    ITS_OWNER,
    ITS_STOPS,
    ITS_SUBSCRIPTION,
    OWED_OR_PAID,
    REFUNDS_ARE_COUNTED,
    SUBSCRIPTIONS,
    Subject,
    charges,
    explained,
)
from worker.operations.invariants import MAX_DEFERRALS

QUERIES: Mapping[str, str] = {
    # A second payment, or one beside what was paid elsewhere, is written together with its discrepancy.
    "period_is_paid_once": f"""
        SELECT c.id FROM {CHARGES}
        WHERE (SELECT count(*) FROM attempts a WHERE a.charge_id = c.id AND a.status = 'paid')
              + CASE WHEN c.paid_elsewhere IS NULL THEN 0 ELSE 1 END > 1
          AND NOT {explained(DiscrepancyKind.PAID_TWICE)}
    """,
    # A charge is paid with its attempt, elsewhere, or with nothing; else a discrepancy is noted.
    "paid_charge_has_a_paid_attempt": f"""
        SELECT c.id FROM {CHARGES}
        WHERE c.status = 'paid' AND c.amount > 0 AND c.paid_elsewhere IS NULL AND NOT EXISTS (
            SELECT FROM attempts a WHERE a.charge_id = c.id AND a.status IN ('paid', 'started', 'unknown') OFFSET 0)
          AND NOT {explained(DiscrepancyKind.MISSING_HERE, DiscrepancyKind.DECLINED_HERE, DiscrepancyKind.UNRESOLVED)}
    """,
    "items_add_up_to_their_charge": f"SELECT c.id FROM {CHARGES} WHERE NOT {ITEMS_ADD_UP}",
    # A refund is completed together with what PortOne shows of its payment, which of two payments is the other one's.
    "completed_refunds_are_counted": f"""
        SELECT c.id FROM {CHARGES}
        WHERE c.status = 'paid' AND NOT {REFUNDS_ARE_COUNTED} AND NOT {explained(DiscrepancyKind.PAID_TWICE)}
    """,
    # An attempt and its charge become paid in one statement; where the charge is void already, a discrepancy is noted.
    "paid_attempt_pays_its_charge": f"""
        SELECT a.id FROM {CHARGES} {ITS_ATTEMPTS}
        WHERE a.status = 'paid' AND ({OWED} OR c.status = 'uncollectible'
               OR c.status = 'void' AND NOT {explained(DiscrepancyKind.NOT_OWED)})
    """,
    # Periods follow one another; a pause moves the next one on, never back. What was skipped is void and not owed, and
    # what was refunded has paid for nothing. A charge that changed may be overlapped by the next one, too.
    "periods_do_not_overlap": f"""
        SELECT DISTINCT c.id FROM {charges("first")}
        CROSS JOIN LATERAL (
            SELECT first.id, first.subscription_id, first.period_start, first.status
            UNION ALL (
                SELECT c.id, c.subscription_id, c.period_start, c.status FROM charges c
                WHERE c.subscription_id = first.subscription_id AND c.period_start > first.period_start
                  AND {OWED_OR_PAID}
                ORDER BY c.period_start LIMIT 1)
        ) c
        WHERE {OWED_OR_PAID} AND c.period_start < (
            SELECT other.period_end FROM charges other
            WHERE other.subscription_id = c.subscription_id AND other.period_start < c.period_start
              AND other.status <> 'void'
              AND (other.status <> 'paid' OR other.refunded < other.amount OR other.amount = 0)
            ORDER BY other.period_start DESC LIMIT 1)
    """,
    # It is derived from exactly these parts, none of which ever changes. The table itself takes letters and digits.
    "merchant_uid_names_its_period": f"""
        SELECT a.id FROM {CHARGES} {ITS_ATTEMPTS} {ITS_SUBSCRIPTION}
        WHERE right(a.merchant_uid, 30) <> concat(
                  s.code, to_char(c.period_start AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS'), lpad(a.number::text, 3, '0'))
              -- the prefix: 1 to 8 lower-case letters and digits, a letter first
              OR length(a.merchant_uid) NOT BETWEEN 31 AND 38 OR ascii(a.merchant_uid) NOT BETWEEN 97 AND 122
              OR lower(left(a.merchant_uid, -30)) <> left(a.merchant_uid, -30)
    """,
    # `again stop` returns when every claim that began before it has ended; clocks may differ by `clocks`. What a sweep
    # has adopted was never claimed: its lease is as long as nothing. A window may go through another PG than the key's.
    "nothing_is_claimed_while_stopped": f"""
        SELECT DISTINCT a.id FROM stops h
        CROSS JOIN LATERAL (
            SELECT id, billing_key_id, charge_id, started_at FROM (
                (SELECT * FROM attempts ORDER BY id DESC LIMIT 1000)
                UNION ALL
                SELECT * FROM attempts WHERE status IN ('started', 'unknown')
            ) newest
            WHERE started_at > h.stopped_at + CAST(:clocks AS interval) AND lease_until > started_at AND via = 'again'
            OFFSET 0
        ) a
        CROSS JOIN LATERAL (SELECT pg FROM billing_keys WHERE id = a.billing_key_id OFFSET 0) k
        WHERE h.scope IN ('all', k.pg) OR h.plan_id IS NOT NULL AND {CLAIMED_OF_PLAN}
    """,
    # What was open when a key was replaced and is in none of its consents is marked in the same transaction, and the
    # claim passes it by. What a sweep has adopted was never claimed.
    "charge_is_covered_by_a_consent": f"""
        SELECT a.id FROM {CHARGES} {ITS_ATTEMPTS}
        WHERE {OWED_OR_PAID} AND a.via = 'again' AND a.lease_until > a.started_at
          AND EXISTS (
            SELECT FROM consents t
            WHERE t.subscription_id = c.subscription_id AND t.billing_key_id = a.billing_key_id
              AND t.agreed_at BETWEEN c.period_start AND a.started_at OFFSET 0)
          AND NOT {COVERED}
    """,
    # The transaction that marks a charge waits for a claim of it to end, or opens it; clocks may differ by `clocks`.
    "charge_that_awaits_consent_is_not_sent": f"""
        SELECT a.id
        FROM (SELECT id, awaits_consent_since AS since FROM charges WHERE awaits_consent_since IS NOT NULL UNION ALL
              SELECT id, gate_held_since FROM charges WHERE gate_held_since IS NOT NULL OFFSET 0) c
        {ITS_ATTEMPTS}
        WHERE a.via = 'again' AND a.lease_until > a.started_at AND a.started_at > c.since + CAST(:clocks AS interval)
    """,
    # A claim makes both in one statement, and so does whatever settles them.
    "charging_has_an_open_attempt": f"""
        SELECT c.id FROM {CHARGES}
        WHERE c.status = 'charging' AND NOT EXISTS (
            SELECT FROM attempts a WHERE a.charge_id = c.id AND a.status IN ('started', 'unknown') OFFSET 0)
    """,
    # A late payment by an older attempt may pay a charge while a newer one is in flight. What was given up stays so
    # while a window may pay it.
    "open_attempt_has_a_charge_in_flight": f"""
        SELECT a.id FROM {CHARGES} {ITS_ATTEMPTS}
        WHERE a.status IN ('started', 'unknown') AND c.status NOT IN ('charging', 'paid')
          AND (a.via = 'again' OR c.status <> 'uncollectible')
    """,
    # Triggers keep the queues, in the transaction that changes a subscription, its key or a consent.
    "charge_stands_in_the_queue_of_its_pg": f"""
        SELECT c.id FROM {CHARGES} {ITS_OWNER} WHERE c.status IN ('due', 'past_due') AND {MISPLACED}
    """,
    # Only a refusal of the key itself leaves no next attempt; it kills the key, and another key wakes the charge,
    # unless the customer has not agreed to that.
    "past_due_charge_has_a_next_attempt": f"""
        SELECT c.id FROM {CHARGES} {ITS_OWNER}
        WHERE c.status = 'past_due' AND {CONDITIONS[Blocker.NO_NEXT_ATTEMPT]}
          AND {none_of({Blocker.SUBSCRIPTION, Blocker.BILLING_KEY, Blocker.CONSENT, Blocker.GATE})}
    """,
    # The flag and the discrepancy are written in one transaction; deciding it settles the attempt. What is flagged has
    # no next look-up, by which an index finds it.
    "flagged_attempt_is_up_for_review": """
        SELECT a.id FROM attempts a
        WHERE a.status = 'unknown' AND a.next_lookup_at IS NULL AND a.flagged_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM discrepancies d
            WHERE d.charge_id = a.charge_id AND d.attempt_id = a.id AND d.status = 'open' OFFSET 0)
    """,
    # What was declined is past due, being tried again, or given up; once the last of it is paid, it is active again.
    "past_due_subscription_owes_something": f"""
        SELECT s.id FROM {SUBSCRIPTIONS}
        WHERE s.status = 'past_due' AND NOT EXISTS (
            SELECT FROM charges c
            WHERE c.subscription_id = s.id
              AND (c.status IN ('past_due', 'uncollectible') OR c.declines > 0 AND c.status IN ('due', 'charging'))
            OFFSET 0)
    """,
    # A decline moves both in one transaction, and a payment makes it active only when nothing else is past due.
    "active_subscription_has_no_past_due_charge": f"""
        SELECT s.id FROM {SUBSCRIPTIONS}
        WHERE s.status IN ('trialing', 'active') AND EXISTS (
            SELECT FROM charges c WHERE c.subscription_id = s.id AND c.status = 'past_due' OFFSET 0)
    """,
    # A cancellation voids what is owed; what is in flight then ends paid or void.
    "subscription_that_is_over_owes_nothing": f"""
        SELECT c.id FROM {CHARGES} {ITS_SUBSCRIPTION}
        WHERE c.status IN ('due', 'past_due') AND s.status IN ('canceled', 'ended')
    """,
    "discrepancy_is_decided_within_a_week": """
        SELECT d.id FROM discrepancies d WHERE d.status = 'open' AND d.found_at < :discrepancy
    """,
    # Ticks come every minute. One that is behind by many periods gets some of them with each tick.
    "due_period_is_opened": f"""
        SELECT s.id FROM subscriptions s
        WHERE s.next_charge_at < :opening AND s.status_at < :opening AND s.created_at < :opening
          AND NOT {HELD.format(since=":opening")} AND NOT EXISTS (
            SELECT FROM charges c WHERE c.subscription_id = s.id AND c.created_at >= :opening OFFSET 0)
    """,
    # Nothing blocks it but what has to be seen, and all of that has been so for a while: a change of key, a resumption
    # or a decision is news. Ticks come every minute, and while all is held nothing is claimed.
    "due_charge_is_claimed": f"""
        SELECT c.id FROM {CHARGES} {ITS_OWNER}
        WHERE {none_of(all_but(*FAULTS))}
          AND c.next_attempt_at < :claiming AND c.status_at < :claiming AND k.status_at < :claiming
          AND NOT {HELD.format(since=":claiming")}
          AND NOT EXISTS (
            SELECT FROM discrepancies d WHERE d.charge_id = c.id AND d.status_at > :claiming OFFSET 0)
          AND NOT EXISTS (
            SELECT FROM holds h WHERE h.subscription_id = s.id AND h.status_at > :claiming OFFSET 0)
          AND NOT EXISTS (
            SELECT FROM last_stopped h WHERE h.scope IN ({ITS_STOPS}) AND h.seen_at > :claiming OFFSET 0)
          AND NOT EXISTS (
            SELECT FROM charges other
            WHERE other.subscription_id = c.subscription_id AND other.id <> c.id AND other.status_at > :claiming
            OFFSET 0)
          AND NOT EXISTS (
            SELECT FROM audit e WHERE e.entity = 'subscription' AND e.entity_id = s.id AND e.at > :claiming OFFSET 0)
    """,
    # Reconciliation takes it half a minute after its lease has ended, whatever is stopped or held.
    "abandoned_attempt_is_looked_up": "SELECT id FROM attempts a WHERE a.status = 'started' AND a.lease_until < :lease",
    # A look-up that fails gets another time at once.
    "look_up_is_made_in_time": """
        SELECT a.id FROM attempts a WHERE a.status = 'unknown' AND a.next_lookup_at < :look_up
    """,
    # The last look-up settles it or leaves it to an operator. While PortOne cannot be reached look-ups go on: reported.
    "unknown_attempt_comes_to_an_end": """
        SELECT a.id FROM attempts a
        WHERE a.status = 'unknown' AND a.flagged_at IS NULL AND a.started_at < :lookup_backoff
    """,
    "deferred_charge_comes_to_an_end": f"""
        SELECT c.id FROM {CHARGES} WHERE c.status IN ('due', 'past_due') AND c.deferrals >= {MAX_DEFERRALS}
    """,
    # Leases are given by the database's clock.
    "no_attempt_is_from_the_future": """
        SELECT a.id FROM attempts a
        WHERE a.status IN ('started', 'unknown') AND a.started_at > :now + CAST(:clocks AS interval)
    """,
    # A worker on it renews its lease; its end may lie ahead by a quiet period.
    "held_charging_goes_on": """
        SELECT w.id FROM sweeps w
        WHERE w.finished_at IS NULL AND w.holds_claims
          AND (w.lease_until < :sweep OR greatest(w.started_at, w.until) < :hold)
    """,
    # One starts every day. The first, and one that was missed, gets a day to end.
    "payments_are_compared_daily": """
        SELECT max(w.id) AS id FROM sweeps w
        WHERE w.reason = 'daily' AND w.ended_early IS NULL
        HAVING EXISTS (SELECT FROM charges c WHERE c.paid_at < :missed)
           AND count(*) FILTER (WHERE w.finished_at >= :missed) = 0
           AND count(*) FILTER (WHERE w.finished_at IS NULL AND w.started_at >= :under_way) = 0
    """,
}


def subject_of(name: str) -> Subject:
    """Return what an invariant is asked about, by the ids that its query takes."""
    for subject in (Subject.CHARGES, Subject.SUBSCRIPTIONS):
        if f":{subject} " in QUERIES[name]:
            return subject
    return Subject.ALL
