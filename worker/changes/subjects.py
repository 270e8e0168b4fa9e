"""The subject of a change, locked in the one order in which rows are locked: charges, then their subscription."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from worker.changes.kind import Subject
from worker.database.mapping import plan_of
from worker.domain.changes import Moment, When, start_of
from worker.domain.errors import Refused
from worker.domain.identifiers import read_code
from worker.ledger import changes, charges
from worker.subscriptions import queries
from worker.subscriptions.locking import not_found
from worker.subscriptions.plans import plan_row

_LONGEST_WAIT = timedelta(minutes=1)
"""Twice what a lock is waited for. What was done by a clock that is further ahead was not done meanwhile."""


def lock_subject(session: Session, *, subscription: str | None, charge: int | None) -> Subject:
    """Lock the subject of a change. Raises Refused for an unknown one."""
    if charge is not None:
        code = charges.owner_of(session, charge)
        if code is None:
            raise Refused(f"There is no charge {charge}. `again charge list` shows those there are.")
    else:
        code = read_code(subscription or "")
    charges.lock_open_charges(session, code, besides=charge)
    return relock(session, code, charge)


def relock(session: Session, code: str, charge: int | None = None) -> Subject:
    """Read a subscription again that this transaction has locked, or locks now that its charges are."""
    row = queries.locked(session, code)
    if row is None:
        raise not_found(code)
    return Subject(subscription=row, plan=plan_of(plan_row(session, row.plan_code)), charge_id=charge)


def no_earlier(session: Session, subject: Subject, *, now: datetime) -> datetime:
    """Return `now`, or the instant of what was done to a locked subject while its lock was waited for.

    A clock that was read before the wait would have this one done before that one: a charge that was made due at once
    would seem to wait for a time.
    """
    applied_at = changes.last_applied_at(session, subject.id)
    return now if applied_at is None or applied_at - now > _LONGEST_WAIT else max(now, applied_at)


def instant(subject: Subject, when: When, *, now: datetime) -> datetime:
    """Return when a change of this subject takes effect. Raises Refused for a date that cannot be."""
    row = subject.subscription
    match when:
        case Moment.NOW:
            return now
        case Moment.PERIOD_END:
            return max(now, row.next_charge_at or row.paused_next_charge_at or now)
        case _:
            return start_of(when, subject.zone, now=now)
