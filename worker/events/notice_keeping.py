"""The notices that follow events: kept in the transaction in which these are written, and sent by a tick of their own.

So there is no second source of what has happened, and publishing costs a row more where a plan wants a notice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from schedules.notices import NO_NOTICE, parse_notices
from worker.domain.clock import Clock
from worker.domain.events.facts import Fact, NewEvent
from worker.domain.notices.due_times import due_after
from worker.domain.notices.following import notice_after
from worker.domain.notices.quiet_hours import QuietHours
from worker.ledger import notices
from worker.ledger.notices import NewNotice


@dataclass(frozen=True, slots=True)
class NoticeKeeper:
    """Keeps notices until they may be sent: now, or when the quiet hours are over."""

    clock: Clock
    quiet: QuietHours | None

    def keep(self, session: Session, events: Iterable[tuple[Fact, NewEvent]]) -> None:
        """Keep the notice that follows each event, if its plan wants one."""
        wanted = ((fact, event) for fact, event in events if fact.notices != NO_NOTICE)
        kept = [notice for fact, event in wanted if (notice := self._notice(fact, event)) is not None]
        if kept:
            notices.add(session, kept, now=self.clock())

    def _notice(self, fact: Fact, event: NewEvent) -> NewNotice | None:
        kind = notice_after(event.type, event.data)
        if kind is None or event.subscription_id is None or fact.time_zone is None:
            return None
        if kind not in parse_notices(fact.notices).after:
            return None
        due_at = due_after(self.clock(), zone=ZoneInfo(fact.time_zone), quiet=self.quiet)
        return NewNotice(
            subscription_id=event.subscription_id, kind=kind, about=event.at, source=event.id, due_at=due_at
        )
