"""Cancelling: a subscription is over for good, and what it owes is void."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from worker.database.engine import Sessions
from worker.domain.identifiers import read_code
from worker.domain.states import SubscriptionStatus
from worker.ledger import charges
from worker.ledger.voiding import void
from worker.subscriptions.locking import lock_running, move, open_missed_periods


@dataclass(frozen=True, slots=True)
class Canceled:
    """What a cancellation did; charges in flight end by themselves, paid or void."""

    void: int
    in_flight: int


def cancel(sessions: Sessions, code: str, *, reason: str, now: datetime) -> Canceled:
    """End a subscription for good, and void what it owes, opened or not. A charge in flight ends by itself."""
    code = read_code(code)
    with sessions.begin() as session:
        charges.lock_open_charges(session, code)
        row = open_missed_periods(session, lock_running(session, code, "canceled"), now)
        move(session, row, SubscriptionStatus.CANCELED, reason, None, now)
        waiting = charges.waiting_charges(session, row.id)
        voided = void(session, waiting, reason=f"subscription canceled: {reason}", now=now)
        return Canceled(len(voided), charges.charges_in_flight(session, row.id))
