"""Changing the billing key: the new one is charged at once with what is owed and was agreed to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from schedules.plans import Plan
from worker.database.engine import Sessions
from worker.database.tables.billing import BillingKey
from worker.domain.errors import Refused
from worker.domain.identifiers import read_code
from worker.domain.states import ConsentSource, SubscriptionStatus
from worker.ledger import charges, consents
from worker.ledger.terms import own_terms
from worker.ledger.waking import ChargedNow
from worker.subscriptions import queries
from worker.subscriptions.activation import start as start_pending
from worker.subscriptions.arrears import Arrears, arrears_of
from worker.subscriptions.billing_keys import usable_key
from worker.subscriptions.duplicates import require_meant, require_no_same_key
from worker.subscriptions.locking import lock_running, open_missed_periods
from worker.subscriptions.queries import LockedSubscription
from worker.subscriptions.start_terms import amount_objection

NO_SUMS = (None, None)


@dataclass(frozen=True, slots=True)
class KeyChanged:
    """A subscription's billing key, and what it is charged with at once: how many charges, and their sum in won.

    `given_up` is the sum of what is unpaid too, and which by the plan's terms no new key is charged with.
    """

    key_id: int
    woken: int
    amount: int
    given_up: int = 0


def owed_by_new_key(
    sessions: Sessions, code: str, key: str, *, allow_duplicates: bool = False, max_amount: int, now: datetime
) -> Arrears:
    """Return what another key would be charged with at once: the key is changed, and all of it is rolled back.

    Raises Refused as `change_key` does.
    """
    with sessions() as session:
        return _change_key(session, code, key, "", allow_duplicates, max_amount, NO_SUMS, now)[1]


def change_key(
    sessions: Sessions,
    code: str,
    key: str,
    *,
    reason: str,
    allow_duplicates: bool = False,
    max_amount: int,
    now: datetime,
    owed: int | None = None,
    given_up: int | None = None,
) -> KeyChanged:
    """Change the billing key of a running subscription to another active one, and charge by it at once what is owed.

    `owed` is the sum in won that was agreed to, and `given_up` the one that was said not to be charged by another key,
    as the plan has it; None for "as it is now". The first key of a pending subscription begins
    it, and may be charged with its first period at once. With the key that it has already, charges that wait for
    consent are agreed to. A charge in flight is left alone: it was sent with the old key, and is charged by the new one
    if that comes to nothing. Raises Refused as `subscribe` does, and when another sum is owed by now.
    """
    with sessions.begin() as session:
        said = owed, given_up
        return _change_key(session, code, key, reason, allow_duplicates, max_amount, said, now)[0]


def _change_key(
    session: Session,
    code: str,
    key: str,
    reason: str,
    allow_duplicates: bool,
    max_amount: int,
    said: tuple[int | None, int | None],
    now: datetime,
) -> tuple[KeyChanged, Arrears]:
    code = read_code(code)
    charges.lock_open_charges(session, code)
    row = lock_running(session, code, "given another key")
    billing_key, terms = _key_for(session, row, key, max_amount)
    if row.status == SubscriptionStatus.PENDING:
        started = start_pending(session, row, terms, billing_key.id, reason=reason, now=now)
        assert started, "the row is locked, so no other process can have started it"
        row = lock_running(session, code, "given another key")
        arrears = arrears_of(session, row, now=now)
    else:
        row = open_missed_periods(session, row, now)
        arrears = _to_agree_to(session, row, billing_key, terms, now)
    _require_as_said(code, arrears, *said)
    charged = _agreed(session, row, billing_key.id, arrears, reason, now)
    if not allow_duplicates:
        require_no_same_key(session, code, "KEY")
        require_meant(session, code, key, billing_key)
    return KeyChanged(billing_key.id, charged.count, charged.amount, arrears.given_up_amount), arrears


def _require_as_said(code: str, arrears: Arrears, owed: int | None, given_up: int | None) -> None:
    if owed not in {None, arrears.amount}:
        raise Refused(f"Subscription {code} owes {arrears.amount:,} KRW by now, not {owed:,}; nothing was changed.")
    if given_up not in {None, arrears.given_up_amount}:
        raise Refused(
            f"Of what subscription {code} owes, {arrears.given_up_amount:,} KRW are given up by now, not {given_up:,}; "
            "nothing was changed."
        )


def _key_for(session: Session, row: LockedSubscription, key: str, max_amount: int) -> tuple[BillingKey, Plan]:
    """Find the key that a locked subscription is to be charged by, and its plan. Raises Refused."""
    billing_key = usable_key(session, key)
    terms = own_terms(session, row.id).plan
    if objection := amount_objection(terms, billing_key.pg, max_amount=max_amount):
        raise Refused(f"Subscription {row.code} costs {terms.amount:,} {terms.currency}, but {objection}.")
    return billing_key, terms


def _to_agree_to(
    session: Session, row: LockedSubscription, billing_key: BillingKey, plan: Plan, now: datetime
) -> Arrears:
    """List what a key is to be charged with: another one as the plan says, its own with what waits for consent.

    Raises Refused for its own, when all of it was agreed to.
    """
    arrears = arrears_of(session, row, now=now)
    if billing_key.id != row.billing_key_id:
        return arrears.by_new_key(plan.arrears)
    if arrears.chargeable == arrears:
        raise Refused(f"Subscription {row.code} has billing key {billing_key.id} already; give another one.")
    return arrears


def _agreed(
    session: Session, row: LockedSubscription, key_id: int, arrears: Arrears, reason: str, now: datetime
) -> ChargedNow:
    """Write down what an operator has agreed to for the customer, and let the key be charged with it."""
    values = {
        "subscription_id": row.id,
        "checkout_id": None,
        "billing_key_id": key_id,
        "source": ConsentSource.OPERATOR,
        "wording": f"by command: {reason}",
        "next_charge_at": arrears.next_charge_at,
    }
    consent = consents.add(session, values, arrears.periods, arrears.given_up, now=now)
    if key_id != row.billing_key_id:
        change = f"billing key {row.billing_key_id or 'none'} to {key_id}: {reason}"
        changed = queries.change_key(session, row, key_id, reason=change, now=now)
        assert changed, "the row is locked, so no other process can have given it a key"
    return consents.charge_what_was_agreed(session, row.id, consent, agreed_at=now, now=now)
