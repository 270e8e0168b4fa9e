"""A subscription that is locked, not over and up to date: what every command about one begins with."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from worker.domain.errors import RefusalCode, Refused
from worker.domain.states import SubscriptionStatus
from worker.ledger import changes
from worker.ledger.database_identity import is_held
from worker.ledger.due_subscriptions import due_subscription
from worker.ledger.opening import open_due_now
from worker.subscriptions import queries
from worker.subscriptions.queries import LockedSubscription

OVER = frozenset({SubscriptionStatus.CANCELED, SubscriptionStatus.ENDED})


def not_found(code: str) -> Refused:
    return Refused(f"There is no subscription {code!r:.60}. `again subscription list` shows those there are.")


def lock_running(session: Session, code: str, wanted: str) -> LockedSubscription:
    """Lock a subscription that is not over, or raise Refused."""
    row = queries.locked(session, code)
    if row is None:
        raise not_found(code)
    if row.status in OVER:
        raise Refused(
            f"Subscription {code} is {row.status}, which is for good; it cannot be {wanted}.", code=RefusalCode.OVER
        )
    return row


def open_missed_periods(session: Session, row: LockedSubscription, now: datetime) -> LockedSubscription:
    """Open what has come due and no tick has opened yet, and read the locked subscription again.

    Raises Refused while a change of it is due, as what is opened after that may come to something else, and for what
    is due while charging is held.
    """
    if changes.next_due(session, row.id, now=now) is not None:
        raise Refused(
            f"A change of subscription {row.code} is about to be applied. Try again in a minute.", code=RefusalCode.BUSY
        )
    due = due_subscription(session, row.id, now=now)
    if due is None:
        return row
    if is_held(session):
        raise Refused(
            f"Charging is held until PortOne's payments were compared with our records, and a period of subscription "
            f"{row.code} has started: try again once `again status` shows no hold.",
            code=RefusalCode.BUSY,
        )
    open_due_now(session, due, now=now)
    return lock_running(session, row.code, "changed")


def move(
    session: Session,
    row: LockedSubscription,
    status: SubscriptionStatus,
    reason: str,
    next_charge_at: datetime | None,
    now: datetime,
) -> None:
    moved = queries.move(session, row, status, reason=reason, next_charge_at=next_charge_at, now=now)
    assert moved, "the row is locked, so no other process can have moved it"
