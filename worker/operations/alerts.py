"""Alerts: what is wrong becomes an event once, and so does its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from worker.database import heartbeats
from worker.database.engine import Sessions
from worker.domain.alerts import Trouble, decide
from worker.operations import alert_queries

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Watched:
    """How many troubles there are, and what operators are told of them now."""

    troubles: int
    opened: int = 0
    grown: int = 0
    closed: int = 0

    def summary(self) -> dict[str, object]:
        return {"troubles": self.troubles, "opened": self.opened, "grown": self.grown, "closed": self.closed}


def note(sessions: Sessions, troubles: Sequence[Trouble], *, now: datetime) -> Watched:
    """Open, go on with and close alerts by the troubles that there are now, each check's at most once among them."""
    with sessions.begin() as session:
        if not alert_queries.write_alone(session):
            return Watched(len(troubles))
        back_at = heartbeats.last_seen(session).get(heartbeats.RETURN)
        decided = decide(troubles, alert_queries.standing(session), now=now, back_at=back_at)
        alert_queries.write(session, decided, now=now)
    for trouble in (*decided.opened, *(trouble for _, trouble in decided.grown)):
        log.error("an alert is opened", check=trouble.check, finding=trouble.finding, remedy=trouble.remedy)
    return Watched(len(troubles), len(decided.opened), len(decided.grown), len(decided.closed))
