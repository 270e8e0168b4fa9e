"""Releasing a subscription that a charge limit or reconciliation has held."""

from __future__ import annotations

from datetime import datetime

from worker.database.engine import Sessions
from worker.domain.errors import Refused
from worker.domain.identifiers import read_code
from worker.ledger import subscription_holds
from worker.subscriptions import queries
from worker.subscriptions.arrears import Arrears, arrears_of
from worker.subscriptions.locking import not_found


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
