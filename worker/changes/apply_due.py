"""The tick of changes: those whose time has come are applied, each subscription in a transaction of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import structlog

from worker.changes import price_queries
from worker.changes.kind import ChangePolicy
from worker.changes.progress import apply_due
from worker.changes.subjects import lock_subject
from worker.database.engine import Sessions
from worker.database.planning import plan_by_index
from worker.ledger import changes
from worker.ledger.charging_hold import charging_is_allowed
from worker.ledger.database_identity import HoldPolicy

CHUNK = 2000
"""Changes of price that are applied in one transaction."""

PAGE = 500
"""Changes that are read at once."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AppliedChanges:
    """What one tick did: how many changes were applied, have failed, and could not be worked on."""

    applied: int = 0
    failed: int = 0
    stuck: int = 0

    def summary(self) -> dict[str, object]:
        return asdict(self)


def apply_due_changes(
    sessions: Sessions, *, policy: ChangePolicy, now: datetime, hold_policy: HoldPolicy | None = None
) -> AppliedChanges:
    """Apply every change whose time has come; a subscription that cannot be worked on holds up no other.

    Nothing is applied while charging is held, as by `hold_policy` when the database may have forgotten payments: what
    was paid would become void as unpaid. Raises WrongDatabase.
    """
    total, after = _in_bulk(sessions, policy, now, hold_policy), (datetime.min.replace(tzinfo=UTC), 0)
    seen: set[str] = set()
    while True:
        with sessions.begin() as session:
            if hold_policy is not None and not charging_is_allowed(session, hold_policy, now=now):
                return total
            plan_by_index(session)
            page = changes.due(session, after=after, now=now, limit=PAGE)
        for code in dict.fromkeys(each.code for each in page):
            if code not in seen:
                seen.add(code)
                total = _with(total, sessions, code, policy, now)
        if len(page) < PAGE:
            return total
        after = (page[-1].effective_at, page[-1].id)


def _in_bulk(sessions: Sessions, policy: ChangePolicy, now: datetime, hold_policy: HoldPolicy | None) -> AppliedChanges:
    """Apply the changes of price that nothing precedes: a price rise is due for a whole cohort at one moment."""
    total, moved = AppliedChanges(), CHUNK
    while moved == CHUNK:
        with sessions.begin() as session:
            if hold_policy is not None and not charging_is_allowed(session, hold_policy, now=now):
                return total
            plan_by_index(session)
            moved = price_queries.move_due(session, max_amount=policy.max_amount, now=now, limit=CHUNK)
        total = replace(total, applied=total.applied + moved)
    return total


def _with(total: AppliedChanges, sessions: Sessions, code: str, policy: ChangePolicy, now: datetime) -> AppliedChanges:
    try:
        with sessions.begin() as session:
            plan_by_index(session)
            lock_subject(session, subscription=code, charge=None)
            applied, failed = apply_due(session, code, policy=policy, now=now)
    except Exception:  # a defect, or a row that cannot be read: the others go on
        log.exception("changes cannot be applied", subscription=code)
        return replace(total, stuck=total.stuck + 1)
    return replace(total, applied=total.applied + applied, failed=total.failed + failed)
