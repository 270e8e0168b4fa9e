"""Changes: what a customer, an operator or a host wants done to a subscription or a charge, and when. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from schedules.local_time import instant_of
from worker.domain.errors import RefusalCode, Refused

LONGEST_WAIT = timedelta(days=3653)
"""A change cannot be scheduled later than this from now: ten years."""

LONGEST_KEY = 80
"""Characters of an idempotency key."""


LONGEST_REASON = 500
LONGEST_COMMENT = 4000
"""Characters of what is kept with a change: why it was asked for, and the customer's own words."""


class ChangeKind(StrEnum):
    """What is done. Each has a module of its name in `worker.changes.kinds`."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    CHANGE_PLAN = "change_plan"  # plan, quantity, or both
    MOVE_RENEWAL = "move_renewal"
    TRIAL = "trial"  # extended, or ended now
    CHANGE_PRICE = "change_price"  # to another version of its plan's price
    DISCOUNT = "discount"
    CREDIT = "credit"
    ONE_OFF = "one_off"
    COLLECT = "collect"
    POSTPONE = "postpone"
    VOID = "void"
    WRITE_OFF = "write_off"
    PAID_ELSEWHERE = "paid_elsewhere"
    REFUND = "refund"
    OVERRIDE_GATE = "override_gate"  # a charge that the consent gate holds is made after all
    END_DUNNING = "end_dunning"  # by a worker: what the plan does once dunning has failed


class ChangeStatus(StrEnum):
    SCHEDULED = "scheduled"  # waits for its time, for an approval or for a consent
    APPLIED = "applied"
    UNDONE = "undone"  # before it was applied
    SUPERSEDED = "superseded"  # another change took its place
    FAILED = "failed"  # its time came, and the state had become wrong for it


class WaitsFor(StrEnum):
    """What a scheduled change waits for besides its time."""

    APPROVAL = "approval"  # of a second operator
    CONSENT = "consent"  # of the customer
    PORTONE = "portone"  # it has been sent, or is about to be


class BulkRowStatus(StrEnum):
    """What became of one row of a bulk run."""

    WAITING = "waiting"
    DONE = "done"  # its change was applied, or is scheduled
    SKIPPED = "skipped"  # there was nothing to do
    FAILED = "failed"  # it was refused


class Moment(StrEnum):
    """When a change takes effect, unless a date is given."""

    NOW = "now"
    PERIOD_END = "period-end"  # when the next period begins that has no charge yet


When = Moment | date

CHANGE_TRANSITIONS: Mapping[ChangeStatus, frozenset[ChangeStatus]] = {
    ChangeStatus.SCHEDULED: frozenset(set(ChangeStatus) - {ChangeStatus.SCHEDULED}),
    ChangeStatus.APPLIED: frozenset(),
    ChangeStatus.UNDONE: frozenset(),
    ChangeStatus.SUPERSEDED: frozenset(),
    ChangeStatus.FAILED: frozenset(),
}

OF_A_CHARGE = frozenset(
    {
        ChangeKind.COLLECT,
        ChangeKind.POSTPONE,
        ChangeKind.VOID,
        ChangeKind.WRITE_OFF,
        ChangeKind.PAID_ELSEWHERE,
        ChangeKind.REFUND,
        ChangeKind.OVERRIDE_GATE,
    }
)
"""The kinds that are about one charge; the others are about its subscription."""


def read_when(text: str) -> When:
    """Return when a change takes effect: `now`, `period-end`, or a date such as 2027-03-01. Raises Refused."""
    try:
        return Moment(text) if text in set(Moment) else date.fromisoformat(text)
    except ValueError:
        raise Refused(
            f"{text!r:.40} is no time for a change; it must be now, period-end or a date such as 2027-03-01."
        ) from None


def start_of(on: date, zone: ZoneInfo, *, now: datetime) -> datetime:
    """Return the instant at which a date begins in a zone, before any period that begins on it; today is now.

    Raises Refused for a date in the past or more than ten years ahead.
    """
    today = now.astimezone(zone).date()
    if not today <= on <= (now + LONGEST_WAIT).astimezone(zone).date():
        raise Refused(
            f"{on} is in the past or more than ten years ahead; give a date from {today} on.",
            code=RefusalCode.WRONG_DATE,
        )
    return now if on == today else instant_of(datetime.combine(on, time.min), zone)


def digest_of(kind: ChangeKind, subject: Mapping[str, Any], parameters: Mapping[str, Any], when: When) -> str:
    """Return what two requests under one idempotency key must have in common."""
    asked = [kind, dict(subject), dict(parameters), str(when)]
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:32]
