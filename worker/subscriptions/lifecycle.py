"""Subscriptions from their beginning to their end: subscribe, pause, resume, change the key, cancel.

Each is one transaction of guarded UPDATEs: a tick, a pump or another person at the same time gets in the way of none.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from schedules.periods import first_start, next_start
from schedules.plans import Plan
from worker.database.engine import Sessions
from worker.database.mapping import plan_of
from worker.database.tables.billing import BillingKey
from worker.domain.customer_reference import EXPECTED, is_customer_reference, normalized
from worker.domain.errors import Refused
from worker.domain.states import ConsentSource, SubscriptionStatus
from worker.domain.subscription_code import new_code, read_code
from worker.ledger import charges, consents, subscription_holds
from worker.ledger.opening import open_due_now
from worker.ledger.voiding import void
from worker.subscriptions import duplicate_queries, queries
from worker.subscriptions.activation import begin as begin_pending
from worker.subscriptions.arrears import Arrears, arrears_of
from worker.subscriptions.billing_keys import usable_key
from worker.subscriptions.plans import plan_row
from worker.subscriptions.start_terms import amount_objection, begin

OVER = frozenset({SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED})


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A new subscription, as far as it was decided just now; one that waits for its first key has no next charge."""

    code: str
    status: SubscriptionStatus
    anchor_on: date
    next_charge_at: datetime | None


@dataclass(frozen=True, slots=True)
class Canceled:
    """What a cancellation did; charges in flight end by themselves, paid or void."""

    void: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class KeyChanged:
    """A subscription's billing key, and what it is charged with at once: how many charges, and their sum in won."""

    key_id: int
    woken: int
    amount: int


def subscribe(
    sessions: Sessions,
    customer_reference: str,
    *,
    plan: str,
    key: str | None,
    start_on: date | None = None,
    arrears: bool = False,
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
        terms = plan_of(row)
        billing_key = None if key is None else usable_key(session, key)
        pg = None if billing_key is None else billing_key.pg
        if objection := amount_objection(terms, pg, max_amount=max_amount):
            raise Refused(f"Plan {plan!r} costs {terms.amount:,} {terms.currency}, but {objection}.")
        beginning = begin(terms, start_on=start_on, now=now, arrears=arrears)
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
                "Cancel that one first."
            )
        if not allow_duplicates:
            _require_no_look_alike(session, subscribed.code)
            _require_no_same_key(session, subscribed.code, "--key")
            _require_meant(session, subscribed.code, key, billing_key)
    return subscribed


def cancel(sessions: Sessions, code: str, *, reason: str, now: datetime) -> Canceled:
    """End a subscription for good, and void what it owes, opened or not. A charge in flight ends by itself."""
    code = read_code(code)
    with sessions.begin() as session:
        charges.lock_open_charges(session, code)
        row = _up_to_date(session, _running(session, code, "canceled"), now)
        _move(session, row, SubscriptionStatus.CANCELED, reason, None, now)
        waiting = charges.waiting_charges(session, row.id)
        voided = void(session, waiting, reason=f"subscription canceled: {reason}", now=now)
        return Canceled(len(voided), charges.charges_in_flight(session, row.id))


def release(sessions: Sessions, code: str, *, reason: str, now: datetime) -> Arrears:
    """Let a subscription be charged again that a cap has held, and return what it is charged with from now on.

    Raises Refused when it is not held.
    """
    wanted = read_code(code)
    with sessions.begin() as session:
        row = queries.found(session, wanted)
        if row is None:
            raise no_such(code)
        if not subscription_holds.release(session, wanted, reason=reason, now=now):
            raise Refused(f"Subscription {wanted} is not held by a cap.")
        return arrears_of(session, row, now=now).chargeable


def pause(sessions: Sessions, code: str, *, reason: str, now: datetime) -> None:
    """Let nothing fall due until it is resumed. What it owes already is charged no more until then."""
    with sessions.begin() as session:
        row = _running(session, read_code(code), "paused")
        if row.status not in {SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE}:
            raise Refused(f"Subscription {row.code} is {row.status}; only one that is billed can be paused.")
        _move(session, _up_to_date(session, row, now), SubscriptionStatus.PAUSED, reason, None, now)


def resume(sessions: Sessions, code: str, *, reason: str, now: datetime, owed: int | None = None) -> datetime:
    """Bill a paused subscription again, from its next period on; returns when. The pause is not owed.

    What was paid before the pause stays paid: nothing is charged earlier than had been planned. What was open stays
    open, and is charged again; `owed` is the sum that was said, None for "as it is now". Raises Refused.
    """
    with sessions.begin() as session:
        code = read_code(code)
        row = _running(session, code, "resumed")
        if row.status != SubscriptionStatus.PAUSED:
            raise Refused(f"Subscription {row.code} is {row.status}, not paused; there is nothing to resume.")
        if owed not in {None, (found := arrears_of(session, row, now=now).chargeable.amount)}:
            raise Refused(f"Subscription {code} owes {found:,} KRW by now, not {owed:,}; nothing was changed.")
        plan = plan_of(plan_row(session, row.plan_code))
        next_charge_at: datetime = max(row.paused_next_charge_at, next_start(plan, row.anchor_on, after=now))
        _move(session, row, _status_resumed(row, plan, next_charge_at), reason, next_charge_at, now)
    return next_charge_at


def owed_by(sessions: Sessions, code: str, *, now: datetime) -> Arrears:
    """Return what a subscription owes now: to be shown before something is done that has it charged."""
    code = read_code(code)
    with sessions() as session:
        row = queries.found(session, code)
        if row is None:
            raise no_such(code)
        return arrears_of(session, row, now=now)


def owed_by_new_key(
    sessions: Sessions, code: str, key: str, *, allow_duplicates: bool = False, max_amount: int, now: datetime
) -> Arrears:
    """Return what another key would be charged with at once: the key is changed, and all of it is rolled back.

    Raises Refused as `change_key` does.
    """
    with sessions() as session:
        return _change_key(session, code, key, "", allow_duplicates, max_amount, None, now)[1]


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
) -> KeyChanged:
    """Give a running subscription another active billing key, and charge by it at once what is owed.

    `owed` is the sum in won that was agreed to; None for "as it is now". The first key of a pending subscription begins
    it, and may be charged with its first period at once. With the key that it has already, charges that wait for
    consent are agreed to. A charge in flight is left alone: it was sent with the old key, and is charged by the new one
    if that comes to nothing. Raises Refused as `subscribe` does, and when another sum is owed by now.
    """
    with sessions.begin() as session:
        return _change_key(session, code, key, reason, allow_duplicates, max_amount, owed, now)[0]


def _change_key(
    session: Session,
    code: str,
    key: str,
    reason: str,
    allow_duplicates: bool,
    max_amount: int,
    owed: int | None,
    now: datetime,
) -> tuple[KeyChanged, Arrears]:
    code = read_code(code)
    charges.lock_open_charges(session, code)
    row = _running(session, code, "given another key")
    billing_key, terms = _key_for(session, row, key, max_amount)
    if row.status == SubscriptionStatus.PENDING:
        begun = begin_pending(session, row, terms, billing_key.id, reason=reason, now=now)
        assert begun, "the row is locked, so nobody else can have begun it"
        row = _running(session, code, "given another key")
        arrears = arrears_of(session, row, now=now)
    else:
        row = _up_to_date(session, row, now)
        arrears = _to_agree_to(session, row, billing_key, now)
    if owed not in {None, arrears.amount}:
        raise Refused(f"Subscription {code} owes {arrears.amount:,} KRW by now, not {owed:,}; nothing was changed.")
    charged = _agreed(session, row, billing_key.id, arrears, reason, now)
    if not allow_duplicates:
        _require_no_same_key(session, code, "KEY")
        _require_meant(session, code, key, billing_key)
    return KeyChanged(billing_key.id, charged.count, charged.amount), arrears


def _key_for(session: Session, row: Row[Any], key: str, max_amount: int) -> tuple[BillingKey, Plan]:
    """Find the key that a locked subscription is to be charged by, and its plan. Raises Refused."""
    billing_key = usable_key(session, key)
    terms = plan_of(plan_row(session, row.plan_code))
    if objection := amount_objection(terms, billing_key.pg, max_amount=max_amount):
        raise Refused(f"Plan {row.plan_code!r} costs {terms.amount:,} {terms.currency}, but {objection}.")
    return billing_key, terms


def _to_agree_to(session: Session, row: Row[Any], billing_key: BillingKey, now: datetime) -> Arrears:
    """List what a key is to be charged with. Raises Refused for its own, when all of it was agreed to."""
    arrears = arrears_of(session, row, now=now)
    if billing_key.id == row.billing_key_id and arrears.chargeable == arrears:
        raise Refused(f"Subscription {row.code} has billing key {billing_key.id} already; give another one.")
    return arrears


def _agreed(
    session: Session, row: Row[Any], key_id: int, arrears: Arrears, reason: str, now: datetime
) -> consents.ChargedNow:
    """Write down what an operator has agreed to for the customer, and let the key be charged with it."""
    values = {
        "subscription_id": row.id,
        "checkout_id": None,
        "billing_key_id": key_id,
        "source": ConsentSource.OPERATOR,
        "wording": f"by command: {reason}",
        "next_charge_at": arrears.next_charge_at,
    }
    consent = consents.add(session, values, ((each.period_start, each.amount) for each in arrears.periods), now=now)
    if key_id != row.billing_key_id:
        change = f"billing key {row.billing_key_id or 'none'} to {key_id}: {reason}"
        changed = queries.change_key(session, row, key_id, reason=change, now=now)
        assert changed, "the row is locked, so nobody else can have given it a key"
    return consents.charge_what_was_agreed(session, row.id, consent, agreed_at=now, now=now)


def _require_no_look_alike(session: Session, code: str) -> None:
    """Refuse what may be the same customer once more. Raised inside the transaction, so nothing of it is written."""
    if (other := duplicate_queries.of_reference(session, code)) is not None:
        raise Refused(
            f"The customer of {other} has a running subscription to the same plan, by a reference that differs in "
            "case, width or spaces only. Use that one, or give --allow-duplicates if they are two customers."
        )


def _require_no_same_key(session: Session, code: str, name: str) -> None:
    """Refuse a key that pays for the same plan already: most likely one customer, who would pay twice."""
    if (other := duplicate_queries.of_key(session, code)) is not None:
        raise Refused(
            f"The billing key given as {name} pays for the same plan already, for subscription {other}: it would be "
            "charged for both. Give --allow-duplicates if that is meant."
        )


def _require_meant(session: Session, code: str, given: str | None, key: BillingKey | None) -> None:
    """Refuse a bare number that may be a customer_uid which is not there yet, and is somebody else's key by its id."""
    if given is None or key is None or not given.isdigit() or key.customer_uid == given:
        return
    if (other := duplicate_queries.of_another_customer(session, code)) is not None:
        raise Refused(
            f"{given} is the id of a billing key that pays for {other}, of another customer. If you mean that key, "
            f"give #{given}; the customer_uid {given} is none that is known, and `again key add` adds one."
        )


def no_such(code: str) -> Refused:
    return Refused(f"There is no subscription {code!r:.60}. `again subscription list` shows those there are.")


def _running(session: Session, code: str, wanted: str) -> Row[Any]:
    """Lock a subscription that is not over, or raise Refused."""
    row = queries.locked(session, code)
    if row is None:
        raise no_such(code)
    if row.status in OVER:
        raise Refused(f"Subscription {code} is {row.status}, which is for good; it cannot be {wanted}.")
    return row


def _up_to_date(session: Session, row: Row[Any], now: datetime) -> Row[Any]:
    """Open what has come due and no tick has opened yet, and read the locked subscription again."""
    due = queries.due_now(session, row.id, now=now)
    if due is None:
        return row
    open_due_now(session, due, now=now)
    return _running(session, row.code, "changed")


def _move(
    session: Session,
    row: Row[Any],
    status: SubscriptionStatus,
    reason: str,
    next_charge_at: datetime | None,
    now: datetime,
) -> None:
    moved = queries.move(session, row, status, reason=reason, next_charge_at=next_charge_at, now=now)
    assert moved, "the row is locked, so nobody else can have moved it"


def _status_resumed(row: Row[Any], plan: Plan, next_charge_at: datetime) -> SubscriptionStatus:
    if row.owes:
        return SubscriptionStatus.PAST_DUE
    if plan.trial_days and next_charge_at == first_start(plan, row.anchor_on):
        return SubscriptionStatus.TRIALING  # it was paused in its trial, which is not over
    return SubscriptionStatus.ACTIVE
