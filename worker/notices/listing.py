"""What customers were told, and what they will be in the days to come, by what is planned now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from schedules.notices import NoticeKind
from worker.database.engine import Sessions
from worker.domain.errors import Refused
from worker.domain.identifiers import read_code
from worker.ledger.due_subscriptions import START
from worker.ledger.notices import NewNotice
from worker.ledger.terms import own_terms
from worker.notices import ahead, ahead_queries, told_queries
from worker.notices.ahead_queries import NextCharge, NextPrice
from worker.notices.policy import NoticePolicy
from worker.notices.sending import longest_ahead
from worker.notices.told_queries import ListedNotice
from worker.subscriptions.locking import not_found
from worker.subscriptions.queries import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which notices are listed: of one subscription by its code or of all, the newest ones, and days to come."""

    subscription: str | None
    days: int
    limit: int


def list_notices(sessions: Sessions, listing: Listing, *, policy: NoticePolicy, now: datetime) -> list[ListedNotice]:
    """Return the newest notices and those to come, in the order of their times. Raises Refused for an unknown code."""
    code = None if listing.subscription is None else read_code(listing.subscription)
    with sessions() as session:
        if code is not None and shown(session, code) is None:
            raise not_found(code)
        known = list(told_queries.told(session, code, limit=listing.limit))
    return known + sorted(_coming(sessions, code, listing, policy, now), key=lambda each: each.due_at)


def _coming(
    sessions: Sessions, code: str | None, listing: Listing, policy: NoticePolicy, now: datetime
) -> Iterator[ListedNotice]:
    """Yield what comes, up to the limit of each sort; what cannot be worked out is left out."""
    last = now + timedelta(days=listing.days)
    for row in _rows(sessions, code, listing, now):
        due_at = _due_at(row, policy)
        if due_at is None or due_at > last:
            continue
        try:
            made = _made(sessions, row, due_at, policy, now)
        except (ValueError, LookupError, OSError, Refused):
            continue
        if made is not None:
            yield ListedNotice(
                kind=made.kind,
                subscription=row.code,
                about=made.about,
                due_at=max(made.due_at, now),
                sent_at=None,
                content=made.content,
            )


def _due_at(row: NextCharge | NextPrice, policy: NoticePolicy) -> datetime | None:
    return ahead.charge_due_at(row, policy) if isinstance(row, NextCharge) else ahead.price_due_at(row, policy)


def _made(
    sessions: Sessions, row: NextCharge | NextPrice, due_at: datetime, policy: NoticePolicy, now: datetime
) -> NewNotice | None:
    if isinstance(row, NextCharge):
        with sessions() as session:
            terms = partial(own_terms, session, row.id)
            return ahead.notice_of_charge(sessions, row, due_at, terms=terms, policy=policy, now=now)
    with sessions() as session:
        return ahead.notice_of_price(session, row, due_at, policy=policy)


def _rows(sessions: Sessions, code: str | None, listing: Listing, now: datetime) -> Sequence[NextCharge | NextPrice]:
    with sessions() as session:
        said = ahead_queries.wanted(session)
        far = longest_ahead(said, tuple(NoticeKind)) or timedelta()
        until = now + far + timedelta(days=listing.days)
        if code is not None:
            return [
                *ahead_queries.next_charges_of(session, code, until=until, now=now).untold,
                *ahead_queries.next_prices_of(session, code, until=until, now=now).untold,
            ]
        limit = listing.limit
        return [
            *ahead_queries.next_charges(session, after=START, until=until, now=now, limit=limit).untold,
            *ahead_queries.next_prices(session, after=START, until=until, now=now, limit=limit).untold,
        ]
