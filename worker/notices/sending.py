"""The tick of notices: what was kept until now is sent, and what comes in some days is looked for, bit by bit.

Nothing marks a subscription as due for a notice, since its next charge and its price may move at any time. So all that
comes within the longest time ahead is walked through again and again, and each notice is added once, by its key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.orm import Session

from schedules.notices import NoticeKind
from worker.database.engine import Sessions
from worker.domain.notices.due_times import told_ahead
from worker.ledger.due_subscriptions import Place
from worker.ledger.notices import NewNotice
from worker.ledger.terms import terms_of
from worker.notices import ahead, ahead_queries
from worker.notices.ahead_queries import NextCharge, NextPrice, Part
from worker.notices.following import BATCH, send_kept
from worker.notices.policy import NoticePolicy
from worker.notices.walking import Maker, Walk, go_on

SLACK = timedelta(days=2)
"""Beyond the days ahead: the night, the margin, and the difference between local days and whole ones."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SentNotices:
    """What one tick looked at, of all that comes, and what it sent."""

    looked_at: int
    sent: int

    def summary(self) -> dict[str, object]:
        return asdict(self)


def send_notices(
    sessions: Sessions, *, policy: NoticePolicy, now: datetime, stopping: Callable[[], bool] = lambda: False
) -> SentNotices:
    """Send the notices that are due, as far as one tick looks; the next one goes on from there."""
    sent, kept = 0, BATCH
    while kept == BATCH and not stopping():
        kept, told = send_kept(sessions, policy=policy, now=now)
        sent += told
    ends: list[tuple[int, int]] = []
    with sessions() as session:
        said = ahead_queries.wanted(session)
    if (far := longest_ahead(said, (NoticeKind.RENEWAL, NoticeKind.TRIAL))) is not None:
        ends.append(go_on(sessions, _of_charges(sessions, policy, now, now + far), now=now, stopping=stopping))
    if (far := longest_ahead(said, (NoticeKind.PRICE,))) is not None:
        ends.append(go_on(sessions, _of_prices(sessions, policy, now, now + far), now=now, stopping=stopping))
    sent += sum(told for _, told in ends)
    if sent:
        log.info("notices sent", notices=sent)
    return SentNotices(sum(looked for looked, _ in ends), sent)


def longest_ahead(said: Sequence[str], kinds: Sequence[NoticeKind]) -> timedelta | None:
    """Return how far ahead the search for notices of these kinds looks, by what plans say; None for not at all."""
    days = [ahead.notices_of(each).ahead.get(kind) for each in said for kind in kinds]
    wanted = [each for each in days if each is not None]
    return timedelta(days=max(wanted)) + SLACK if wanted else None


def _of_charges(sessions: Sessions, policy: NoticePolicy, now: datetime, until: datetime) -> Walk[NextCharge]:
    def read(session: Session, after: Place, limit: int) -> Part[NextCharge]:
        return ahead_queries.next_charges(session, after=after, until=until, now=now, limit=limit)

    def due_at(coming: NextCharge) -> datetime | None:
        due_at = ahead.charge_due_at(coming, policy)
        return _if_told_now(coming.next_charge_at, due_at, coming.time_zone, policy, now)

    def maker(rows: Sequence[NextCharge]) -> Maker[NextCharge]:
        with sessions() as session:
            terms = terms_of(session, [each.id for each in rows if not each.is_planned])

        def made(coming: NextCharge, due_at: datetime) -> NewNotice | None:
            own = terms.get(coming.id)
            return ahead.notice_of_charge(sessions, coming, due_at, terms=own, policy=policy, now=now)

        return made

    return Walk("charges", read, due_at, maker)


def _of_prices(sessions: Sessions, policy: NoticePolicy, now: datetime, until: datetime) -> Walk[NextPrice]:
    def read(session: Session, after: Place, limit: int) -> Part[NextPrice]:
        return ahead_queries.next_prices(session, after=after, until=until, now=now, limit=limit)

    def due_at(coming: NextPrice) -> datetime | None:
        return _if_told_now(coming.effective_at, ahead.price_due_at(coming, policy), coming.time_zone, policy, now)

    def made(coming: NextPrice, due_at: datetime) -> NewNotice | None:
        with sessions() as session:
            return ahead.notice_of_price(session, coming, due_at, policy=policy)

    return Walk("prices", read, due_at, lambda _: made)


def _if_told_now(
    about: datetime, due_at: datetime | None, zone: str, policy: NoticePolicy, now: datetime
) -> datetime | None:
    """Return when something was due that is told now; None for what is not."""
    is_now = due_at is not None and told_ahead(about, due_at, now=now, zone=ZoneInfo(zone), quiet=policy.quiet)
    return due_at if is_now else None
