"""Undoing a change before it is applied."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from worker.changes.holds import LESSENS
from worker.changes.kind import ChangePolicy
from worker.changes.progress import apply_due
from worker.changes.subjects import lock_subject
from worker.database.engine import Sessions
from worker.domain.changes import ChangeStatus, WaitsFor
from worker.domain.errors import RefusalCode, Refused
from worker.ledger import changes
from worker.ledger.changes import Change
from worker.ledger.database_identity import is_held


def undo_change(sessions: Sessions, change_id: int, *, reason: str, policy: ChangePolicy, now: datetime) -> Change:
    """Undo a scheduled change, and return it. Raises Refused for one that has ended, or whose time has come.

    While charging is held, what would charge more can be undone although its time has come.
    """
    with sessions.begin() as session:
        change = known(session, change_id)
        lock_subject(session, subscription=change.code, charge=None)
        held = is_held(session)
        if not held:
            apply_due(session, change.code, policy=policy, now=now)
        change = known(session, change_id)
        if change.status is not ChangeStatus.SCHEDULED:
            raise Refused(
                f"Change {change_id} is {change.status} already ({change.status_reason}). Only a scheduled one can be "
                "undone; ask for the opposite instead.",
                code=RefusalCode.TOO_LATE,
            )
        if change.waits_for is WaitsFor.PORTONE:
            raise Refused(f"Change {change_id} is at PortOne already, and cannot be undone.", code=RefusalCode.TOO_LATE)
        if held and change.kind in LESSENS and change.waits_for is None and change.effective_at <= now:
            raise Refused(
                f"The time of change {change_id} has come: it is applied once charging is held no more.",
                code=RefusalCode.TOO_LATE,
            )
        changes.end(session, [change_id], ChangeStatus.UNDONE, reason=reason, now=now)
        return known(session, change_id)


def known(session: Session, change_id: int) -> Change:
    """Return a change. Raises Refused for an unknown one."""
    change = changes.found(session, change_id)
    if change is None:
        raise not_found(change_id)
    return change


def not_found(named: int | str) -> Refused:
    shown = str(named) if isinstance(named, int) or named.isdecimal() else repr(named)
    return Refused(f"There is no change {shown:.40}. `again change list` shows those there are.")
