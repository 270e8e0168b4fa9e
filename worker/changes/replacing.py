"""Which scheduled changes a later one takes the place of, and what a host may take the place of for its customer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from worker.changes.kind import Kind, Subject
from worker.changes.refund_queries import actor
from worker.changes.wording import day_en
from worker.domain.changes import ChangeKind
from worker.domain.errors import RefusalCode, Refused
from worker.domain.previews import ReplacedChange
from worker.ledger import changes
from worker.ledger.changes import Change


def scheduled_like(session: Session, kind: Kind, subject: Subject) -> list[Change]:
    """Return the scheduled changes whose place a new one of a kind takes."""
    if not kind.supersedes:
        return []
    return [
        each
        for each in changes.scheduled(session, subject.id)
        if each.kind is kind.kind and each.charge_id == subject.charge_id
    ]


def replaced(session: Session, like: Sequence[Change], *, for_host: bool) -> tuple[ReplacedChange, ...]:
    """Return the changes that are replaced, as a preview shows them: to a host without the names of others."""
    host = actor(session) if for_host else None
    return tuple(
        ReplacedChange(each.id, each.effective_at, each.requested_by if host in {None, each.requested_by} else None)
        for each in like
    )


def require_no_later_cancellation(
    session: Session, like: Sequence[Change], subject: Subject, effective_at: datetime
) -> None:
    """Raise Refused where a host's change takes the place of a sooner cancellation that it has not asked for.

    That would undo, for a while, what is not its customer's to undo.
    """
    host = actor(session)
    for each in like:
        if each.kind is ChangeKind.CANCEL and each.requested_by != host and each.effective_at < effective_at:
            raise Refused(
                f"Subscription {subject.code} is to be canceled on {day_en(each.effective_at, subject.zone)} by change "
                f"{each.id}, which was not asked for here: a host can cancel it sooner, and not later.",
                code=RefusalCode.CONTRADICTS,
            )
