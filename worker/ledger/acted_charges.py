"""One charge as an act on it finds it: what it owes, what is in flight, and what keeps it from being collected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.blockers import Blocker
from worker.domain.states import ChargeStatus, Via
from worker.ledger.blockers import BLOCKER_TABLES, CONDITIONS, parameters
from worker.ledger.consents import NOT_AGREED

OF_ITS_TIME = frozenset({Blocker.NOT_WAITING, Blocker.NO_NEXT_ATTEMPT, Blocker.NOT_YET})
"""The blockers that collecting a charge removes."""

_OBSTACLE = "CASE {} END".format(
    " ".join(f"WHEN {CONDITIONS[each]} THEN '{each.value}'" for each in Blocker if each not in OF_ITS_TIME)
)

# By a statement of its own: one that waits for the lock sees the charge as it is then, and all else as it was before.
_LOCK = text("SELECT FROM charges WHERE id = :id FOR UPDATE")

_CHARGE = text(f"""
    SELECT c.id, c.status, c.amount, c.period_start, c.period_end, c.next_attempt_at, c.declines, c.first_declined_at,
           open.via AS open_via, open.window_until AS open_until,
           c.status = 'uncollectible' AND {NOT_AGREED} AS lacks_consent, {_OBSTACLE} AS obstacle
    FROM (SELECT * FROM charges WHERE id = :id OFFSET 0) c
    {BLOCKER_TABLES}
    LEFT JOIN LATERAL (
        SELECT via, window_until FROM attempts WHERE charge_id = c.id AND status IN ('started', 'unknown')
    ) open ON true
""")  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True, kw_only=True)
class ActedCharge:
    """A locked charge. `amount` is won; `next_attempt_at` is None where it waits for no time.

    `open_via` says how its open attempt was sent, if it has one, and `open_until` how long a payment window of that may
    be paid. `obstacle` is the first that would keep it from being claimed even if its time had come.
    """

    id: int
    status: ChargeStatus
    amount: int
    period_start: datetime
    period_end: datetime
    next_attempt_at: datetime | None
    declines: int
    first_declined_at: datetime | None
    open_via: Via | None
    open_until: datetime | None
    lacks_consent: bool  # its key was given after it began, and for other periods
    obstacle: Blocker | None


def acted_charge(session: Session, charge_id: int, *, now: datetime) -> ActedCharge:
    """Lock a charge, and return it: from now on nothing moves it, and no payment window opens for it.

    The caller has locked it before its subscription (`charges.lock_open_charges`), which is the order of locks.
    """
    session.execute(_LOCK, {"id": charge_id})
    row = session.execute(_CHARGE, {"id": charge_id, **parameters(session, now=now)}).one()
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    values["status"] = ChargeStatus(row.status)
    values["open_via"] = None if row.open_via is None else Via(row.open_via)
    values["obstacle"] = None if row.obstacle is None else Blocker(row.obstacle)
    return ActedCharge(**values)
