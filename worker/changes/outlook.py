"""What a subscription is charged with next, by everything that is planned for it: worked out as previews are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from worker.changes import customer_queries
from worker.changes.kind import ChangePolicy
from worker.changes.preview import next_periods
from worker.changes.subjects import lock_subject
from worker.database.engine import Sessions
from worker.domain.previews import PreviewedPeriod


def outlook(sessions: Sessions, code: str, *, policy: ChangePolicy, now: datetime) -> tuple[PreviewedPeriod, ...]:
    """Return the next periods of a subscription, if each is paid; none after a cancellation that is scheduled.

    Nothing is written. Raises Refused for an unknown subscription.
    """
    with sessions() as session, session.begin():
        subject = lock_subject(session, subscription=code, charge=None)
        savepoint = session.begin_nested()
        periods = next_periods(session, subject.id, subject.code, now, policy)
        savepoint.rollback()
    return periods


def planned_next_charges(
    sessions: Sessions, codes: Sequence[str], *, policy: ChangePolicy, now: datetime
) -> dict[str, PreviewedPeriod | None]:
    """Return the next charge of each of these subscriptions that has changes to come; None where there is none.

    The others are charged as they stand, which is read without locking them.
    """
    with sessions() as session:
        planned = customer_queries.planned(session, codes)
    return {code: _first_owed(outlook(sessions, code, policy=policy, now=now)) for code in planned}


def _first_owed(periods: Sequence[PreviewedPeriod]) -> PreviewedPeriod | None:
    return next((each for each in periods if each.owed), None)
