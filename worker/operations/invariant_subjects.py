# ruff: noqa: S608 - every query is put together from constants
"""What an invariant is asked about, and how the rows that belong to it are found, one by one.

Whatever the statistics say, a row is found by an index: OFFSET 0 has a subquery planned by itself, for one row.
"""

from __future__ import annotations

from enum import StrEnum

from worker.domain.discrepancy_rules import DiscrepancyKind
from worker.ledger.charges import OWED


class Subject(StrEnum):
    """What an invariant is asked about: some charges, some subscriptions, or everything that an index holds."""

    CHARGES = "charges"
    SUBSCRIPTIONS = "subscriptions"
    ALL = "all"


CAN_BREAK = {
    "paid_charge_has_a_paid_attempt": {"paid"},
    "completed_refunds_are_counted": {"paid"},
    "paid_attempt_pays_its_charge": {"due", "charging", "past_due", "uncollectible", "void"},
    "charging_has_an_open_attempt": {"charging"},
    "open_attempt_has_a_charge_in_flight": {"due", "past_due", "uncollectible", "void"},
    "charge_stands_in_the_queue_of_its_pg": {"due", "past_due"},
    "past_due_charge_has_a_next_attempt": {"past_due"},
    "subscription_that_is_over_owes_nothing": {"due", "past_due"},
    "due_charge_is_claimed": {"due", "past_due"},
    "deferred_charge_comes_to_an_end": {"due", "past_due"},
}
"""The statuses of the charges that can break an invariant, as its query says too: of most, nearly all are paid."""


def charges(alias: str = "c") -> str:
    """Return the FROM clause of the charges that are asked about."""
    return f"""unnest(CAST(:charges AS bigint[])) AS asked(id)
        CROSS JOIN LATERAL (SELECT * FROM charges WHERE id = asked.id OFFSET 0) {alias}"""


CHARGES = charges()

SUBSCRIPTIONS = """unnest(CAST(:subscriptions AS bigint[])) AS asked(id)
        CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = asked.id OFFSET 0) s"""
"""The FROM clause of the subscriptions `s` that are asked about."""

ITS_ATTEMPTS = "CROSS JOIN LATERAL (SELECT * FROM attempts WHERE charge_id = c.id OFFSET 0) a"
"""Joins the attempts `a` of a charge `c`."""

ITS_SUBSCRIPTION = "CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = c.subscription_id OFFSET 0) s"
"""Joins the subscription `s` of a charge `c`."""

ITS_OWNER = f"""{ITS_SUBSCRIPTION}
        LEFT JOIN LATERAL (SELECT * FROM billing_keys WHERE id = s.billing_key_id OFFSET 0) k ON true"""
"""Joins the subscription `s` of a charge `c`, and its billing key `k` if there is one."""

ITS_STOPS = "'all', k.pg, (SELECT 'plan:' || code FROM plans WHERE id = s.plan_id)"
"""Every scope in which a stop concerns a subscription `s` with a key `k`."""

CLAIMED_OF_PLAN = """EXISTS (
            SELECT FROM (SELECT subscription_id FROM charges WHERE id = a.charge_id OFFSET 0) c
            CROSS JOIN LATERAL (SELECT id, plan_id FROM subscriptions WHERE id = c.subscription_id OFFSET 0) s
            WHERE s.plan_id = h.plan_id AND NOT EXISTS (
                SELECT FROM changes x
                WHERE x.subscription_id = s.id AND x.kind = 'change_plan' AND x.status = 'applied'
                  AND x.status_at >= a.started_at OFFSET 0))"""
"""The condition that an attempt `a` is of the plan of a stop `h`, and was so already when it was claimed."""

ITEMS_ADD_UP = """EXISTS (
            SELECT FROM (
                SELECT sum(amount) AS amount, sum(tax_free) AS tax_free, sum(vat_amount) AS vat_amount,
                       count(*) AS items, count(vat_amount) AS stating
                FROM (SELECT * FROM charge_items WHERE charge_id = c.id OFFSET 0) i) i
            WHERE i.amount = c.amount AND i.tax_free = c.tax_free AND i.stating IN (0, i.items)
              AND i.vat_amount IS NOT DISTINCT FROM c.vat_amount)"""
"""The condition that the items of a charge `c` add up to its amounts; all of them state their VAT, or none."""

REFUNDS_ARE_COUNTED = """(c.paid_elsewhere IS NOT NULL OR c.refunded >= (
            SELECT COALESCE(sum(r.amount), 0)
            FROM (SELECT * FROM refunds WHERE charge_id = c.id AND status = 'completed' OFFSET 0) r
            WHERE NOT starts_with(r.status_reason, 'settled by hand')))"""
"""The condition that a charge `c` shows what we have refunded of it; an operator's word alone refunds nothing."""

COVERED = """EXISTS (
            SELECT FROM consents other
            WHERE other.subscription_id = c.subscription_id AND other.billing_key_id = a.billing_key_id
              AND other.agreed_at <= a.started_at
              AND (c.period_start > other.agreed_at OR EXISTS (
                SELECT FROM jsonb_to_recordset(other.periods) AS v(period_start timestamptz, amount bigint)
                WHERE v.period_start = c.period_start AND v.amount = c.amount)) OFFSET 0)"""
"""The condition that a consent covers what an attempt `a` charges for a charge `c`."""

OWED_OR_PAID = f"({OWED} OR c.status = 'paid')"
"""The condition that a charge `c` is owed or paid."""


def explained(*kinds: DiscrepancyKind) -> str:
    """Return the condition that a discrepancy of these kinds is open or resolved. Other kinds explain nothing."""
    named = ", ".join(f"'{kind.value}'" for kind in kinds)
    return f"""EXISTS (SELECT FROM discrepancies d WHERE d.charge_id = c.id AND d.kind IN ({named})
                    -- who resolves an unresolved attempt settles it
                    AND (d.status = 'open' OR d.status = 'resolved' AND d.kind <> 'unresolved') OFFSET 0)"""


# While a holding sweep stands nothing is opened and nothing claimed; afterwards that takes its time.
HELD = "EXISTS (SELECT FROM sweeps w WHERE w.holds_claims AND (w.finished_at IS NULL OR w.finished_at > {since}))"
