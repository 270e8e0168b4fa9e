"""What only previews do, in a savepoint that is rolled back: charges to come are taken as paid, and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.blockers import ENDS_BY_ITSELF, Blocker
from worker.domain.previews import PreviewedPeriod
from worker.ledger import end_of_dunning
from worker.ledger.blockers import BLOCKER_TABLES, first_of
from worker.ledger.gate_facts import REGULAR
from worker.ledger.subscription_status import settle_subscriptions

_ASSUME_PAID = text("""
    UPDATE charges SET status = 'paid', status_reason = 'previewed', status_at = :now, paid_at = :now,
        next_attempt_at = NULL, wait_reason = NULL
    WHERE subscription_id = :id AND status = 'due' AND declines = 0 AND awaits_consent_since IS NULL
      AND id IS DISTINCT FROM CAST(:but AS bigint)
    RETURNING id
""")

_NEWEST = text("SELECT max(id) FROM charges WHERE subscription_id = :id")

_AFTER = text("""
    SELECT period_start, period_end, amount, status <> 'void' AS owed FROM charges
    WHERE subscription_id = :id AND id > :last ORDER BY period_start
""")

# As a claim takes it, but for what ends by itself.
_WAITING = text(f"""
    SELECT c.id, c.amount, c.period_start, c.next_attempt_at, k.pg, p.code AS plan,
           last.number IS NOT NULL AS was_tried,
           {first_of(set(Blocker) - ENDS_BY_ITSELF)} AS blocker, {REGULAR.format(charge="c")} AS regular, (
               SELECT {REGULAR.format(charge="e")} FROM (
                   SELECT id, amount FROM charges
                   WHERE subscription_id = c.subscription_id AND period_start < c.period_start AND status <> 'void'
                   ORDER BY period_start DESC LIMIT 1
               ) e
           ) AS regular_before
    FROM charges c {BLOCKER_TABLES}
    CROSS JOIN LATERAL (SELECT code FROM plans WHERE id = s.plan_id OFFSET 0) p
    WHERE c.subscription_id = :id AND c.status IN ('due', 'past_due') AND c.next_attempt_at IS NOT NULL
    ORDER BY c.next_attempt_at, c.id
""")  # noqa: S608 - constants only

_TAKE_AS_PAID = text("""
    UPDATE charges SET status = 'paid', status_reason = 'previewed', status_at = :now, paid_at = :now,
        next_attempt_at = NULL, wait_reason = NULL
    WHERE id = ANY(:ids) AND status IN ('due', 'past_due')
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCharge:
    """A charge that waits for its next attempt, with the first thing that blocks it; what whole periods cost is KRW."""

    id: int
    amount: int
    period_start: datetime
    next_attempt_at: datetime
    pg: str | None
    plan: str
    was_tried: bool
    blocker: Blocker | None
    regular: int
    regular_before: int | None


def planned_charges(session: Session, subscription_id: int, asked: Mapping[str, Any]) -> Sequence[PlannedCharge]:
    """Return the charges of a subscription that have a next attempt, and what blocks each.

    `asked` are the parameters of the blockers.
    """
    rows = session.execute(_WAITING, {"id": subscription_id, **asked}).mappings()
    return [
        PlannedCharge(**{**row, "blocker": None if row["blocker"] is None else Blocker(row["blocker"])}) for row in rows
    ]


def take_as_paid(session: Session, subscription_id: int, charge_ids: Sequence[int], *, now: datetime) -> None:
    """Take charges of a subscription as paid that wait, whether they were declined or not; as `assume_paid` else."""
    _require_savepoint(session)
    session.execute(_TAKE_AS_PAID, {"ids": list(charge_ids), "now": now})
    settle_subscriptions(session, [subscription_id], reason="previewed", now=now)
    end_of_dunning.undo_settled(session, [subscription_id], reason="previewed", now=now)


def assume_paid(session: Session, subscription_id: int, *, but: int | None = None, now: datetime) -> None:
    """Take every charge as paid that is due and was never declined. Refuses to work outside of a savepoint.

    `but` is the charge that a change is about: it is wanted because that charge may not be paid by then.
    """
    _require_savepoint(session)
    if session.execute(_ASSUME_PAID, {"id": subscription_id, "but": but, "now": now}).first() is not None:
        settle_subscriptions(session, [subscription_id], reason="previewed", now=now)


def newest_charge(session: Session, subscription_id: int) -> int:
    """Return the id of the charge that was opened last, or 0."""
    return int(session.scalar(_NEWEST, {"id": subscription_id}) or 0)


def charges_after(session: Session, subscription_id: int, last: int) -> Sequence[PreviewedPeriod]:
    """Return the periods whose charges were opened after a charge."""
    rows = session.execute(_AFTER, {"id": subscription_id, "last": last})
    return [PreviewedPeriod(row.period_start, row.period_end, row.amount, row.owed) for row in rows]


def _require_savepoint(session: Session) -> None:
    if not session.in_nested_transaction():
        raise RuntimeError("a preview must be rolled back, and there is no savepoint to roll back to")
