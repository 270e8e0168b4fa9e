"""What a customer is told of that is to come, made as it stands: what is told is what is charged."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from schedules.notices import NoticeKind, PlanNotices, parse_notices
from worker.changes.outlook import outlook
from worker.changes.price_as_it_stands import as_it_stands, first_day
from worker.database.engine import Sessions
from worker.domain.notices.content import About, content_of
from worker.domain.notices.corrections import Told
from worker.domain.notices.due_times import due_ahead
from worker.domain.states import SubscriptionStatus
from worker.ledger import changes
from worker.ledger.notices import NewNotice
from worker.ledger.terms import OwnTerms
from worker.ledger.upcoming import next_period
from worker.notices import told_queries
from worker.notices.ahead_queries import NextCharge, NextPrice
from worker.notices.policy import NoticePolicy

OF_CHARGES = frozenset({NoticeKind.RENEWAL, NoticeKind.TRIAL})
"""The notices of a next charge."""


@lru_cache(maxsize=1024)
def notices_of(text: str) -> PlanNotices:
    """Return what a plan's row says. Raises InvalidNotices for what no version of this could have written."""
    return parse_notices(text)


def kind_of(coming: NextCharge) -> NoticeKind:
    """Return what the next charge of a subscription is to its customer."""
    return NoticeKind.TRIAL if coming.status is SubscriptionStatus.TRIALING else NoticeKind.RENEWAL


def charge_due_at(coming: NextCharge, policy: NoticePolicy) -> datetime | None:
    """Return when to tell of a next charge; None where its plan does not want that."""
    days = notices_of(coming.notices).ahead.get(kind_of(coming))
    if days is None:
        return None
    return due_ahead(coming.next_charge_at, days, zone=ZoneInfo(coming.time_zone), quiet=policy.quiet)


def price_due_at(coming: NextPrice, policy: NoticePolicy) -> datetime | None:
    """Return when to tell of another price; None where its plan does not want that."""
    days = notices_of(coming.notices).ahead.get(NoticeKind.PRICE)
    if days is None:
        return None
    return due_ahead(coming.effective_at, days, zone=ZoneInfo(coming.time_zone), quiet=policy.quiet)


def notice_of_charge(
    sessions: Sessions,
    coming: NextCharge,
    due_at: datetime,
    *,
    terms: Callable[[], OwnTerms] | None,
    policy: NoticePolicy,
    now: datetime,
) -> NewNotice | None:
    """Return the notice of a next charge; None where, as things are planned, nothing is charged then.

    Where its customer was told of it before, it is a correction, and None unless it costs them more or earlier. `terms`
    makes those of the subscription; None will do for one that `is_planned`.
    """
    amount = _amount(sessions, coming, terms, policy, now)
    if not amount:
        return None
    with sessions() as session:
        if coming.times and not _is_worse(session, coming.id, OF_CHARGES, Told(amount, coming.next_charge_at)):
            return None
    about = About(
        kind=kind_of(coming),
        subscription=coming.code,
        plan=coming.name,
        zone=ZoneInfo(coming.time_zone),
        amount=amount,
        date=coming.next_charge_at,
    )
    return NewNotice(
        subscription_id=coming.id,
        kind=about.kind,
        about=coming.next_charge_at,
        correction=coming.times,
        due_at=due_at,
        content=content_of(about, texts=policy.texts),
    )


def notice_of_price(session: Session, coming: NextPrice, due_at: datetime, *, policy: NoticePolicy) -> NewNotice | None:
    """Return the notice of a price that rises, or its correction; None for one that does not, or was given up."""
    change = changes.found(session, coming.id)
    if change is None:
        return None
    shown = as_it_stands(session, change).preview
    before, after = shown.get("before"), shown.get("after")
    if before is None or after is None or after <= before:
        return None
    on = first_day(coming.effective_at, coming.next_charge_at)
    if coming.times and not _is_worse(session, coming.subscription_id, {NoticeKind.PRICE}, Told(after, on)):
        return None
    about = About(
        kind=NoticeKind.PRICE,
        subscription=coming.code,
        plan=coming.name,
        zone=ZoneInfo(coming.time_zone),
        amount=after,
        before=before,
        date=on,
    )
    return NewNotice(
        subscription_id=coming.subscription_id,
        kind=about.kind,
        about=coming.effective_at,
        correction=coming.times,
        due_at=due_at,
        content=content_of(about, texts=policy.texts),
    )


def _is_worse(session: Session, subscription_id: int, kinds: Collection[NoticeKind], now: Told) -> bool:
    """Return whether what comes costs a customer more or earlier than they were told last."""
    before = told_queries.last_told(session, subscription_id, kinds)
    return before is None or now.is_worse_than(before)


def _amount(
    sessions: Sessions, coming: NextCharge, terms: Callable[[], OwnTerms] | None, policy: NoticePolicy, now: datetime
) -> int | None:
    """Return what the period that begins then is charged with, in won; None where it is not."""
    if coming.is_planned or terms is None:
        periods = outlook(sessions, coming.code, policy=policy.changes, now=now)
        return next((each.amount for each in periods if each.start == coming.next_charge_at and each.owed), None)
    upcoming = next_period(terms(), coming.anchor_on, coming.next_charge_at)
    return upcoming.bill.amount if upcoming.period.start == coming.next_charge_at else None
