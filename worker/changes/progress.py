"""Moving a subscription on in time, in one transaction: periods are opened and changes applied, in order."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.orm import Session

from worker.changes.kind import ChangePolicy, Circumstances, NotYet
from worker.changes.registry import KINDS
from worker.changes.subjects import relock
from worker.changes.wording import day_en
from worker.domain.changes import ChangeStatus
from worker.domain.errors import RefusalCode, Refused
from worker.ledger import changes
from worker.ledger.changes import Change
from worker.ledger.due_subscriptions import due_subscription
from worker.ledger.opening import open_due_now

log = structlog.get_logger()

_BEFORE = timedelta(microseconds=1)

MOST_PERIODS_AHEAD = 400
"""How many periods a preview opens to get to an instant: rows are locked meanwhile, and a period takes milliseconds."""


class TooFarAhead(Refused):
    """More periods begin until an instant than previews open."""


def apply_due(
    session: Session, code: str, *, policy: ChangePolicy, now: datetime, previewed: bool = False
) -> tuple[int, int]:
    """Apply every change of a locked subscription whose time has come; return how many were applied, and have failed.

    What began before a change takes effect is opened first, on the terms of that time. A change that its state has made
    wrong has failed: the reason is kept, and the next one follows. One that has to wait holds up those after it.
    `previewed`: everything is rolled back, so no log tells of it, and what began is opened as if on time.
    """
    applied = failed = 0
    subscription_id = relock(session, code).id
    while (change := changes.next_due(session, subscription_id, now=now)) is not None:
        open_until(session, subscription_id, change.effective_at, now=now, on_time=previewed)
        try:
            done, said = _apply(session, change, policy, now)
        except NotYet:
            break
        if not previewed:
            tell = log.info if done else log.warning
            tell(said, change=change.id, kind=change.kind.value, subscription=change.code)
        applied, failed = applied + done, failed + (not done)
    return applied, failed


def apply_one(session: Session, change_id: int, *, policy: ChangePolicy, now: datetime) -> None:
    """Apply one change of a locked subscription if its time has come, whatever else is due; open nothing for it."""
    change = changes.found(session, change_id)
    if change is not None and change.waits_for is None and change.effective_at <= now:
        with suppress(NotYet):
            done, said = _apply(session, change, policy, now)
            log.info(said, change=change.id, kind=change.kind.value, subscription=change.code, applied=done)


def open_until(
    session: Session, subscription_id: int, until: datetime, *, now: datetime, on_time: bool = False
) -> None:
    """Open the periods of a locked subscription that begin before an instant, and none that begins with it.

    `on_time`: as previews want it. Raises TooFarAhead then, when those are too many.
    """
    _open(session, subscription_id, until - _BEFORE, now, on_time=on_time)


def open_started(session: Session, subscription_id: int, *, now: datetime) -> None:
    """Open the periods of a locked subscription that have started by now and that no tick has opened."""
    _open(session, subscription_id, now, now)


def _open(session: Session, subscription_id: int, until: datetime, now: datetime, *, on_time: bool = False) -> None:
    due = due_subscription(session, subscription_id, now=until)
    if due is None:
        return
    most = MOST_PERIODS_AHEAD if on_time else None
    if not open_due_now(session, due, now=now, until=until, on_time=on_time, most=most):
        day = day_en(until + _BEFORE, ZoneInfo(due.time_zone))
        raise TooFarAhead(
            f"A change is planned at most {MOST_PERIODS_AHEAD} periods ahead, and more than that begin before {day}. "
            "Give an earlier date, or ask when that day is nearer.",
            code=RefusalCode.WRONG_DATE,
        )


def _apply(session: Session, change: Change, policy: ChangePolicy, now: datetime) -> tuple[bool, str]:
    """Apply one change; return whether it was applied, and what the log says."""
    kind = KINDS[change.kind]
    given = Circumstances(at=change.effective_at, now=now, reason=change.reason, policy=policy, change_id=change.id)
    ids = [change.id]
    try:
        with session.begin_nested():
            subject = relock(session, change.code, change.charge_id)
            effect = kind.apply(session, subject, kind.read(change.parameters), given)
    except Refused as refused:
        changes.end(session, ids, ChangeStatus.FAILED, reason=str(refused), now=now)
        return False, "change has failed"
    ended = changes.end(session, ids, ChangeStatus.APPLIED, reason=effect.sentence.en, now=now)
    return True, "change applied" if ended else "change was not needed any more"  # and has undone itself
