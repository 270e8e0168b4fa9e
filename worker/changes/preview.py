"""Previews: a change is applied by the very code that will apply it, looked at, and rolled back.

So what is shown is what is charged, whatever decides it. The premise is that everything which falls due until then, and
in the periods that are shown, is paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from worker.changes.kind import ChangePolicy, Circumstances, Kind, Subject
from worker.changes.progress import TooFarAhead, apply_due, open_started, open_until
from worker.changes.subjects import relock
from worker.domain.changes import ChangeKind
from worker.domain.previews import Effect, Preview, PreviewedPeriod
from worker.ledger import changes, previewing
from worker.subscriptions import queries

_BEFORE = timedelta(microseconds=1)

SHOWN_PERIODS = 3
"""How many of the next billing periods a preview shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A change to be tried: on which subject, with which parameters, for when."""

    kind: Kind
    subject: Subject
    parameters: Any
    effective_at: datetime
    reason: str
    policy: ChangePolicy


def preview_of(session: Session, trial: Trial, *, now: datetime) -> Preview:
    """Return what a change of a locked subject comes to; everything that is done for it is rolled back.

    Raises Refused as the kind does.
    """
    code, at = trial.subject.code, trial.effective_at
    savepoint = session.begin_nested()
    try:
        if at > now:
            # A cancellation comes before what else is planned for its instant.
            planned = at - _BEFORE if trial.kind.kind is ChangeKind.CANCEL else at
            _move_on(session, trial.subject.id, code, at, trial.policy, planned=planned, but=trial.subject.charge_id)
        given = Circumstances(at=at, now=max(at, now), reason=trial.reason, policy=trial.policy, at_once=at <= now)
        effect = trial.kind.apply(session, relock(session, code, trial.subject.charge_id), trial.parameters, given)
        paid_until = _paid_until(session, code)
        periods = next_periods(session, trial.subject.id, code, max(at, now), trial.policy)
    finally:
        savepoint.rollback()
        session.expire_all()
    return _preview(trial, effect, paid_until, periods, now)


def _preview(
    trial: Trial, effect: Effect, paid_until: datetime | None, periods: tuple[PreviewedPeriod, ...], now: datetime
) -> Preview:
    return Preview(
        kind=trial.kind.kind,
        subscription=trial.subject.code,
        charge=trial.subject.charge_id,
        effective_at=trial.effective_at,
        at_once=trial.effective_at <= now,
        time_zone=str(trial.subject.zone),
        effect=effect,
        paid_until=paid_until,
        periods=periods,
    )


def _move_on(
    session: Session,
    subscription_id: int,
    code: str,
    until: datetime,
    policy: ChangePolicy,
    *,
    planned: datetime | None = None,
    but: int | None = None,
) -> None:
    """Let everything happen until an instant, changes until `planned`, as if each charge were paid, `but` one."""
    apply_due(session, code, policy=policy, now=planned or until, previewed=True)
    open_until(session, subscription_id, until, now=until, on_time=True)
    previewing.assume_paid(session, subscription_id, but=but, now=until)


def _paid_until(session: Session, code: str) -> datetime | None:
    shown = queries.shown(session, code)
    return None if shown is None else shown["paid_until"]


def next_periods(
    session: Session, subscription_id: int, code: str, since: datetime, policy: ChangePolicy
) -> tuple[PreviewedPeriod, ...]:
    """Open the next periods of a locked subscription, one after the other, and return what each came to.

    For a savepoint that is rolled back. What is planned for it is applied in its time; a change that cannot be applied
    yet, such as one that waits for an answer of PortOne's, ends what can be foreseen; so do hundreds of periods that no
    tick has opened yet.
    """
    last, at = previewing.newest_charge(session, subscription_id), since
    event = next_event(session, subscription_id, code)
    while event is not None and len(previewing.charges_after(session, subscription_id, last)) < SHOWN_PERIODS:
        at = max(at, event)
        try:
            _move_on(session, subscription_id, code, at, policy)
        except TooFarAhead:
            break
        open_started(session, subscription_id, now=at)
        previewing.assume_paid(session, subscription_id, now=at)
        before, event = event, next_event(session, subscription_id, code)
        if event == before:
            break
    return tuple(previewing.charges_after(session, subscription_id, last)[:SHOWN_PERIODS])


def next_event(session: Session, subscription_id: int, code: str, *, after: datetime | None = None) -> datetime | None:
    """Return when a period of the subscription begins next, or a change of it takes effect: of those `after`, if so."""
    row = relock(session, code).subscription
    scheduled = [each.effective_at for each in changes.scheduled(session, subscription_id) if each.waits_for is None]
    instants = [each for each in (row.next_charge_at, *scheduled) if each is not None]
    return min((each for each in instants if after is None or each > after), default=None)
