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
