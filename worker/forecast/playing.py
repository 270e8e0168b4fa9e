"""What becomes of a subscription in the days to come, played by the very code that will do it, and rolled back.

So a change that is scheduled, an end of dunning or the consent gate decides as it will. The premise is that every
charge which is tried is paid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from worker.changes.preview import next_event
from worker.changes.progress import apply_due, open_started
from worker.changes.subjects import lock_subject
from worker.database.engine import Sessions
from worker.domain.blockers import Blocker
from worker.domain.channel_rules import opens_at
from worker.domain.forecast import Coming, Mark
from worker.forecast.asked import Asked
from worker.ledger import blockers, consent_gate, previewing
from worker.ledger.channel_rules import channel_rules
from worker.ledger.previewing import PlannedCharge

_MOST_AT_ONCE = 100
"""Rounds of charges at one instant: a subscription has one charge in flight, and the next follows."""


def played(sessions: Sessions, code: str, asked: Asked) -> list[Coming]:
    """Return what a subscription will be charged with until the last day of a forecast, and what will be held then."""
    with sessions() as session, session.begin():
        subject = lock_subject(session, subscription=code, charge=None)
        savepoint = session.begin_nested()
        found = list(_Play(session, subject.id, code, subject.zone, asked).lines())
        savepoint.rollback()
    return found


class _Play:
    def __init__(self, session: Session, subscription_id: int, code: str, zone: ZoneInfo, asked: Asked) -> None:
        self._session, self._id, self._code, self._zone, self._asked = session, subscription_id, code, zone, asked
        self._blockers = blockers.parameters(session, now=asked.now)
        self._rules = channel_rules(session)
        self._is_changed = False

    def lines(self) -> Iterator[Coming]:
        at: datetime | None = self._asked.now
        while at is not None and at <= self._asked.until:
            now = at
            applied, _ = apply_due(self._session, self._code, policy=self._asked.policy, now=now, previewed=True)
            self._is_changed = self._is_changed or applied > 0
            open_started(self._session, self._id, now=now)
            waiting = self._judged(now)
            for _ in range(_MOST_AT_ONCE):
                if not (
                    free := [each for each in waiting if each.blocker is None and self._opens_at(each, now) == now]
                ):
                    break
                yield from (self._line(each, now) for each in free)
                previewing.take_as_paid(self._session, self._id, [each.id for each in free], now=now)
                waiting = self._waiting(now)  # what that has let free is charged as well
            at = self._next(now, waiting)
        for each in self._waiting(self._asked.until):
            if each.next_attempt_at <= self._asked.until and each.blocker is not None:
                yield self._line(each, max(each.next_attempt_at, self._asked.now))

    def _waiting(self, now: datetime) -> Sequence[PlannedCharge]:
        return previewing.planned_charges(self._session, self._id, {**self._blockers, "now": now})

    def _opens_at(self, each: PlannedCharge, at: datetime) -> datetime:
        return opens_at(self._rules, each.pg or "", at)

    def _judged(self, now: datetime) -> Sequence[PlannedCharge]:
        """Let the consent gate judge once more what it holds, as its ticks do, and return what waits then."""
        waiting = self._waiting(now)
        if not any(each.blocker is Blocker.GATE for each in waiting):
            return waiting
        consent_gate.judge_held_of(self._session, self._id, now=now)
        return self._waiting(now)

    def _next(self, now: datetime, waiting: Sequence[PlannedCharge]) -> datetime | None:
        """Return the next instant at which something happens to it: what the gate holds is judged every day."""
        instants = [self._opens_at(each, max(each.next_attempt_at, now)) for each in waiting]
        if any(each.blocker is Blocker.GATE for each in waiting):
            instants.append(_midnight_after(now, self._zone))
        instants.append(next_event(self._session, self._id, self._code, after=now) or now)
        return min((each for each in instants if each > now), default=None)

    def _line(self, each: PlannedCharge, at: datetime) -> Coming:
        return Coming(
            at=at,
            plan=each.plan,
            pg=each.pg or "",
            amount=each.amount,
            period_start=each.period_start,
            subscriptions=[self._code],
            marks=list(self._marks(each)),
            held=each.blocker,
        )

    def _marks(self, each: PlannedCharge) -> Iterator[Mark]:
        if each.was_tried:
            yield Mark.RETRY
        elif each.regular_before is None:
            yield Mark.FIRST
        elif each.regular_before != each.regular:
            yield Mark.NEW_PRICE
        if self._is_changed:
            yield Mark.CHANGE


def _midnight_after(at: datetime, zone: ZoneInfo) -> datetime:
    return datetime.combine(at.astimezone(zone).date() + timedelta(days=1), time(), zone)
