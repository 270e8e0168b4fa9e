"""Holding one subscription by hand, and releasing it, whatever has held it."""

from __future__ import annotations

from datetime import datetime

from worker.database.engine import Sessions
from worker.domain.errors import Refused
from worker.domain.identifiers import read_code
from worker.ledger import subscription_holds
from worker.ledger.subscription_holds import HeldSubscription
from worker.subscriptions import queries
from worker.subscriptions.arrears import Arrears, arrears_of
from worker.subscriptions.locking import OVER, not_found


def hold(sessions: Sessions, code: str, *, reason: str, by: str, now: datetime) -> tuple[HeldSubscription, bool]:
    """Hold a subscription until an operator releases it; return what holds it, and whether that did so before.

    Without waiting: a claim in progress may still take charges of it. Raises Refused when it is over.
    """
    wanted = read_code(code)
    with sessions.begin() as session:
        row = queries.found(session, wanted)
        if row is None:
            raise not_found(code)
        if row.status in OVER:
            raise Refused(f"Subscription {wanted} is {row.status}: nothing of it is charged any more.")
        before = subscription_holds.hold_of(session, row.id)
        subscription_holds.hold_by_hand(session, row.id, reason=reason, by=by, now=now)
        held = subscription_holds.hold_of(session, row.id)
        assert held is not None
        return held, before is not None and before.held_by not in subscription_holds.BY_THEMSELVES


def release(sessions: Sessions, code: str, *, reason: str, now: datetime) -> Arrears:
    """Let a subscription that was held be charged again, and return what it is charged with from now on.

    Raises Refused when it is not held.
    """
    wanted = read_code(code)
    with sessions.begin() as session:
        row = queries.found(session, wanted)
        if row is None:
            raise not_found(code)
        if not subscription_holds.release(session, wanted, reason=reason, now=now):
            raise Refused(f"Subscription {wanted} is not held.")
        return arrears_of(session, row, now=now).chargeable
