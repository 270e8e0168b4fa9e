"""Why a charge waits and what happens next, in a sentence. Pure: what blocks it, the ledger has told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from schedules.open_hours import OpenHours
from worker.domain.blockers import Blocker
from worker.domain.consent_gate.rules import BY_CODE, RuleCode
from worker.domain.merchant_uid import MAX_NUMBER
from worker.domain.states import (
    OPEN_ATTEMPTS,
    AttemptStatus,
    BillingKeyStatus,
    ChargeStatus,
    SubscriptionStatus,
)
from worker.domain.stop_scopes import of_subscription, start_command

Shown = Callable[[datetime], str]
"""How an instant is written for the reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAttempt:
    """The newest attempt of a charge."""

    number: int
    status: AttemptStatus
    status_reason: str
    started_at: datetime
    lease_until: datetime
    next_lookup_at: datetime | None
    flag_reason: str | None
    window_until: datetime | None = None  # if it is the customer's, in a payment window


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeState:
    """Where a charge stands: what blocks it, if anything, and what the sentence about that names."""

    status: ChargeStatus
    blocker: Blocker | None
    status_reason: str
    declines: int
    next_attempt_at: datetime | None
    paid_at: datetime | None
    subscription: SubscriptionStatus
    subscription_code: str
    key: BillingKeyStatus | None
    stop_scope: str | None
    stop_reason: str | None
    open_hours: OpenHours = field(default_factory=OpenHours)  # of its key's PG
    stopped_by: str | None = None
    hold_reason: str | None = None  # its subscription is held
    held_by: str | None = None  # the operator who holds it; None for what is held by itself
    first_charge_id: int | None  # another charge of the subscription that is charged before this one
    discrepancy_id: int | None  # the first of its discrepancies that wait for a decision; until then it is not claimed
    attempt: LastAttempt | None
    amount: int = 1  # in won; 0 where nothing was to be charged
    refunded: int = 0  # the part that PortOne shows as refunded
    charge_id: int = 0
    paid_elsewhere: str | None = None  # how it was paid, when PortOne has not seen its money
    written_off_at: datetime | None = None
    is_postponed: bool = False
    awaits_consent_since: datetime | None = None  # its subscription's key was replaced without consent to this charge
    gate_held_since: datetime | None = None
    gate_lacks: tuple[RuleCode, ...] = ()  # what the consent gate has found lacking


def explain_charge(state: ChargeState, *, now: datetime, shown: Shown) -> str:
    """Return what happens to a charge next, as a sentence."""
    match state.status:
        case ChargeStatus.PAID:
            assert state.paid_at is not None
            if not state.amount:
                return f"Nothing was to be charged for it, so it was settled on {shown(state.paid_at)}; that was all."
            elsewhere = "" if state.paid_elsewhere is None else f" elsewhere ({state.paid_elsewhere})"
            return f"It was paid{elsewhere} on {shown(state.paid_at)}{_refund(state)}; nothing more happens."
        case ChargeStatus.UNCOLLECTIBLE:
            return _given_up(state, now, shown)
        case ChargeStatus.VOID:
            return f"It is not owed ({state.status_reason}); nothing more happens."
        case ChargeStatus.CHARGING:
            return _in_flight(state.attempt, now, shown)
        case ChargeStatus.DUE | ChargeStatus.PAST_DUE:
            return _waiting(state, shown)


def _refund(state: ChargeState) -> str:
    if not state.refunded:
        return ""
    part = f"{state.refunded:,} of {state.amount:,} KRW of it"
    return f", and {'all of it' if state.refunded >= state.amount else part} was refunded"


def _given_up(state: ChargeState, now: datetime, shown: Shown) -> str:
    """Return what became of a charge that was given up; a customer may still pay it in a payment window."""
    times = "once" if state.declines == 1 else f"{state.declines} times"
    given_up = f"It was declined {times} and its dunning calendar is spent"
    if state.written_off_at is not None:
        given_up = f"It was written off on {shown(state.written_off_at)} ({state.status_reason})"
    if state.attempt is not None and state.attempt.status in OPEN_ATTEMPTS:
        return f"{given_up}. {_in_flight(state.attempt, now, shown)}"
    return f"{given_up}; nothing more happens, unless `again charge collect {state.charge_id}` tries it once more."


def _in_flight(attempt: LastAttempt | None, now: datetime, shown: Shown) -> str:
    if attempt is None or attempt.status not in OPEN_ATTEMPTS:
        return "It has no open attempt, which should never happen: report it as a defect."
    if attempt.window_until is not None and now < attempt.window_until and attempt.flag_reason is None:
        until = shown(attempt.window_until)
        return f"Only the customer can pay it, in the payment window of attempt {attempt.number}, until {until}."
    named = f"Attempt {attempt.number}"
    if attempt.status is AttemptStatus.STARTED:
        if now <= attempt.lease_until:
            return f"{named} is under way since {shown(attempt.started_at)}; PortOne's answer decides."
        return f"{named} was given up by its worker; the next reconciliation asks PortOne what became of it."
    if attempt.next_lookup_at is None:
        reason = attempt.flag_reason or attempt.status_reason
        return f"The outcome of attempt {attempt.number} is unknown and has to be decided by an operator: {reason}."
    again = "PortOne is asked again at the next reconciliation"
    if attempt.next_lookup_at > now:
        again = f"PortOne is asked again on {shown(attempt.next_lookup_at)}"
    return f"What became of attempt {attempt.number} is unknown ({attempt.status_reason}); {again}."


def _waiting(state: ChargeState, shown: Shown) -> str:
    """Return what a charge waits for that is neither in flight nor over."""
    if state.blocker is None:
        return "It is due; the next pump run charges it."
    return _SENTENCES[state.blocker](state, shown)


def _not_billed(state: ChargeState, _: Shown) -> str:
    return f"Its subscription is {state.subscription}, so it is not charged."


def _undecided(state: ChargeState, _: Shown) -> str:
    return f"It waits for a decision: see `again review show {state.discrepancy_id}`."


def _stopped(state: ChargeState, _: Shown) -> str:
    assert state.stop_scope is not None
    by = "" if state.stopped_by is None else f", by {state.stopped_by}"
    command = start_command(state.stop_scope)
    return f"Charging is stopped ({state.stop_scope}: {state.stop_reason}{by}); it waits for `{command}`."


def _closed(state: ChargeState, _: Shown) -> str:
    return (
        f"It is due, and its PG is not called now. Its hours are {state.open_hours} in Seoul; `again channel list` "
        "says when it opens, and it is charged then."
    )


def _held(state: ChargeState, _: Shown) -> str:
    if state.held_by is None:
        return f"Its subscription is held: {state.hold_reason}"
    command = start_command(of_subscription(state.subscription_code))
    return f"Its subscription is stopped ({state.hold_reason}, by {state.held_by}); it waits for `{command}`."


def _charging_is_held(_: ChargeState, __: Shown) -> str:
    return (
        "It is due, and charging is held until PortOne's payments are compared with our records: `again status` says "
        "since when, and `again doctor sweeps` what to do."
    )


def _attempts_spent(_: ChargeState, __: Shown) -> str:
    return f"It has had {MAX_NUMBER} attempts, more than any calendar: report it as a defect."


def _contradicted(_: ChargeState, __: Shown) -> str:
    return "Its newest attempt is open or paid, which should never happen: report it as a defect."


def _no_next_attempt(state: ChargeState, _: Shown) -> str:
    return f"No further attempt is planned with its billing key; it waits for another: {_key_command(state)}."


def _behind_another(state: ChargeState, _: Shown) -> str:
    return f"It is due, and waits until charge {state.first_charge_id} of the same subscription is settled."


def _without_key(state: ChargeState, _: Shown) -> str:
    if state.key is None:
        return f"Its subscription has no billing key; it waits for one: {_key_command(state)}."
    return f"Its billing key is {state.key}; it waits for another one: {_key_command(state)}."


def _without_consent(state: ChargeState, shown: Shown) -> str:
    assert state.awaits_consent_since is not None
    return (
        f"The billing key was replaced on {shown(state.awaits_consent_since)} without consent to this charge, so "
        f"it is not made with the new one; it waits for consent: `again checkout link {state.subscription_code} "
        f"--replace`, or {_key_command(state)} with the same key."
    )


def _held_by_gate(state: ChargeState, shown: Shown) -> str:
    assert state.gate_held_since is not None
    lacks = " and ".join(BY_CODE[code].lacks.en for code in state.gate_lacks)
    return (
        f"The consent gate holds it since {shown(state.gate_held_since)}: what it lacks is {lacks}. It is charged once "
        f"that is there (`again consent add {state.subscription_code}` writes a consent down), or by `again charge "
        f"override {state.charge_id} --reason`."
    )


def _key_command(state: ChargeState) -> str:
    return f"`again subscription key {state.subscription_code} KEY`"


def _later(state: ChargeState, shown: Shown) -> str:
    assert state.next_attempt_at is not None
    if state.is_postponed:
        return f"It was postponed; it is charged on {shown(state.next_attempt_at)}."
    if state.attempt is None:
        return f"It is charged on {shown(state.next_attempt_at)}."
    ended = f"Attempt {state.attempt.number} ended {state.attempt.status} ({state.attempt.status_reason})"
    return f"{ended}; it is charged again on {shown(state.next_attempt_at)}."


_SENTENCES: Mapping[Blocker, Callable[[ChargeState, Shown], str]] = {
    Blocker.SUBSCRIPTION: _not_billed,
    Blocker.DISCREPANCY: _undecided,
    Blocker.BILLING_KEY: _without_key,
    Blocker.CONSENT: _without_consent,
    Blocker.GATE: _held_by_gate,
    Blocker.STOP: _stopped,
    Blocker.CHANNEL_CLOSED: _closed,
    Blocker.SUBSCRIPTION_HELD: _held,
    Blocker.ATTEMPTS_SPENT: _attempts_spent,
    Blocker.LAST_ATTEMPT: _contradicted,
    Blocker.NO_NEXT_ATTEMPT: _no_next_attempt,
    Blocker.NOT_YET: _later,
    Blocker.CHARGING_HOLD: _charging_is_held,
    Blocker.ANOTHER_CHARGE: _behind_another,
}
"""What is said of each blocker; of a charge that does not wait, its status says it."""
