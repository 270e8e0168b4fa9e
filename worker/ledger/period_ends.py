"""The end of a paid period moves: it is cut where another charge begins, or runs on. The one UPDATE that does it.

Its charge stays what it is, paid and for the same money. What became of the days is settled beside it: by the charge
that follows, or by a credit. The database keeps that only a paid period's end moves, and never into the next charge.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from schedules.periods import BillingPeriod
from worker.database.audit_reason import give_reason
from worker.domain.states import ChargeStatus

CREDITED = """COALESCE((
        SELECT sum(credit.amount)::bigint FROM adjustments credit JOIN changes x ON x.id = credit.change_id
        WHERE credit.subscription_id = c.subscription_id AND credit.kind = 'credit' AND x.kind = 'move_renewal'
          AND credit.created_at >= c.created_at), 0)"""
"""What was credited for days that the period of a subscription's newest charge `c` has lost, in won."""

COVERS_UNTIL = "COALESCE(c.covers_until, c.period_end)"
"""Until when the money of a charge `c` pays for days: days that were given since are worth nothing."""

# By subscription, whose charges an index holds in the order of their periods.
_AT = text(f"""
    SELECT c.id, c.status, c.period_start, c.period_end, {COVERS_UNTIL} AS covers_until, c.amount, c.refunded,
           c.declines, c.created_at, {CREDITED} AS credited, (
               SELECT min(r.ends_at) FROM refunds r WHERE r.charge_id = c.id AND r.status = 'completed'
           ) AS refunded_from
    FROM charges c
    WHERE c.subscription_id = :id AND c.period_start <= :at
    ORDER BY c.period_start DESC LIMIT 1
    FOR UPDATE OF c
""")  # noqa: S608 - constants only

_MOVE = text("""
    UPDATE charges SET period_end = :to, covers_until = LEAST(COALESCE(covers_until, period_end), :to)
    WHERE id = :id AND status = 'paid' AND period_end = :expected AND period_start < :to
    RETURNING id
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentCharge:
    """The charge of the period that an instant falls into. KRW.

    What was paid pays for the days until `covers_until`; later ones were given. Of it, `credited` became credit for
    days that the period has lost, and `refunded` went out again, in part for all days from `refunded_from` on.
    """

    id: int
    status: ChargeStatus
    period: BillingPeriod
    covers_until: datetime
    amount: int
    refunded: int
    declines: int
    opened_at: datetime
    credited: int = 0
    refunded_from: datetime | None = None

    @property
    def is_refunded(self) -> bool:
        """Whether all of what was paid for it was refunded, so that it pays for nothing."""
        return 0 < self.amount <= self.refunded


def charge_at(session: Session, subscription_id: int, at: datetime) -> CurrentCharge | None:
    """Lock and return the charge whose period has started last by an instant; None when none has.

    Its period may be over by then. It may be void as well.
    """
    row = session.execute(_AT, {"id": subscription_id, "at": at}).one_or_none()
    if row is None:
        return None
    return CurrentCharge(
        id=row.id,
        status=ChargeStatus(row.status),
        period=BillingPeriod(row.period_start, row.period_end),
        covers_until=row.covers_until,
        amount=row.amount,
        refunded=row.refunded,
        declines=row.declines,
        opened_at=row.created_at,
        credited=row.credited,
        refunded_from=row.refunded_from,
    )


def move_period_end(session: Session, charge: CurrentCharge, to: datetime, *, reason: str, now: datetime) -> bool:
    """Let a paid period end at another instant, later than its start; False when it is not as it was read.

    A trigger audits it, and why. The caller settles what the days are worth, and where the next period begins. Raises
    IntegrityError where the period would reach into the next charge.
    """
    give_reason(session, reason, now=now)
    values = {"id": charge.id, "expected": charge.period.end, "to": to}
    return session.execute(_MOVE, values).first() is not None
