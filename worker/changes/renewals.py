"""What is planned for the end of a period, when that end moves."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from worker.changes.kind import Circumstances, Subject
from worker.changes.wording import day_en
from worker.domain.changes import ChangeKind
from worker.domain.errors import RefusalCode, Refused
from worker.ledger import changes

_ENDING = frozenset({ChangeKind.CANCEL, ChangeKind.PAUSE})


def require_nothing_planned(
    session: Session, subject: Subject, given: Circumstances, *, old: datetime, new: datetime
) -> None:
    """Raise Refused when the next charge moves and something is planned for it.

    What is to happen at the period's end was scheduled for an instant, which would then be in the middle of a period;
    and before a cancellation or a pause, a charge would come that the customer was not to pay.
    """
    if new == old:
        return
    for each in changes.scheduled(session, subject.id):
        if each.id == given.change_id or each.charge_id is not None:
            continue
        if each.effective_at == old or (each.kind in _ENDING and new < each.effective_at):
            on = day_en(each.effective_at, subject.zone)
            raise Refused(
                f"Change {each.id} ({each.kind.value.replace('_', ' ')}) of subscription {subject.code} takes effect "
                f"on {on}, and the next charge would move from {day_en(old, subject.zone)} to "
                f"{day_en(new, subject.zone)}. Undo it first, and ask for it again then: `again change undo "
                f"{each.id}`.",
                code=RefusalCode.CONTRADICTS,
            )
