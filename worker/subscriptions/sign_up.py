"""Signing up: a new subscription, on a billing key or pending until its first one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import date, datetime

from worker.database.engine import Sessions
from worker.database.mapping import plan_of
from worker.domain.customer_reference import EXPECTED, is_customer_reference, normalized
from worker.domain.errors import RefusalCode, Refused
from worker.domain.identifiers import new_code
from worker.domain.states import SubscriptionStatus
from worker.ledger.terms import as_sold
from worker.subscriptions import queries
from worker.subscriptions.billing_keys import usable_key
from worker.subscriptions.duplicates import require_meant, require_no_look_alike, require_no_same_key
from worker.subscriptions.plans import plan_row
from worker.subscriptions.start_terms import amount_objection, decide_start


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A new subscription, as far as it was decided just now; one that waits for its first key has no next charge."""

    code: str
    status: SubscriptionStatus
    anchor_on: date
    next_charge_at: datetime | None


def subscribe(
    sessions: Sessions,
    customer_reference: str,
    *,
    plan: str,
    key: str | None,
    start_on: date | None = None,
    backdate: bool = False,
    allow_duplicates: bool = False,
    max_amount: int,
    now: datetime,
) -> Subscribed:
    """Begin a subscription. Raises Refused for everything that could not be charged, and for a second one.

    A second one is that of the same customer; and, unless `allow_duplicates`, one that looks like it: whose reference
    differs in case, width or spaces only, or which has the same billing key, on the same plan.
    Without a key it is `pending`: it begins when its first key is registered, or on `start_on` if that is later.
    """
    customer_reference = normalized(customer_reference)
    if not is_customer_reference(customer_reference):
        raise Refused(f"The customer reference {customer_reference!r:.60} must be {EXPECTED}.")
    with sessions.begin() as session:
        row = plan_row(session, plan)
        terms = as_sold(session, row.id, plan_of(row), now=now)
        billing_key = None if key is None else usable_key(session, key)
        pg = None if billing_key is None else billing_key.pg
        if objection := amount_objection(terms, pg, max_amount=max_amount):
            raise Refused(f"Plan {plan!r} costs {terms.amount:,} {terms.currency}, but {objection}.")
        beginning = decide_start(terms, start_on=start_on, now=now, backdate=backdate)
        subscribed = Subscribed(new_code(), beginning.status, beginning.anchor_on, beginning.next_charge_at)
        if billing_key is None:
            subscribed = replace(subscribed, status=SubscriptionStatus.PENDING, next_charge_at=None)
        added = {
            **asdict(subscribed),
            "customer_reference": customer_reference,
            "plan_id": row.id,
            "billing_key_id": None if billing_key is None else billing_key.id,
            "reason": "subscribed" if billing_key is not None else "waits for its first billing key",
        }
        if queries.add(session, added, now=now) is None:
            code = queries.running(session, plan_id=row.id, customer_reference=customer_reference)
            raise Refused(
                f"{customer_reference!r} has a running subscription to plan {plan!r} already: {code}. "
                "Cancel that one first.",
                code=RefusalCode.HAS_PLAN,
            )
        if not allow_duplicates:
            require_no_look_alike(session, subscribed.code)
            require_no_same_key(session, subscribed.code, "--key")
            require_meant(session, subscribed.code, key, billing_key)
    return subscribed
