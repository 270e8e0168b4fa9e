"""Billing keys that were marked dead by mistake, made active again; what waited behind them is due at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.blockers import Blocker
from worker.ledger import end_of_dunning
from worker.ledger.blockers import CONDITIONS, none_of
from worker.ledger.waking import wake_behind_key

# One look through all keys: it is made when an operator asks for it, and the dead are few.
_KILLED_ALIKE = text("""
    SELECT id FROM billing_keys
    WHERE status = 'dead' AND forget_at IS NULL AND status_at >= :since
      AND position(lower(:killed_by) IN lower(status_reason)) > 0 AND pg = COALESCE(CAST(:pg AS text), pg)
    ORDER BY id
""")

_SUBSCRIPTIONS = text("""
    SELECT code FROM subscriptions
    WHERE billing_key_id = :key AND status NOT IN ('canceled', 'ended', 'pending') ORDER BY code
""")

_IDS = text("SELECT id FROM subscriptions WHERE billing_key_id = :key ORDER BY id")

_REVIVE = text("""
    UPDATE billing_keys SET status = 'active', status_reason = :reason, status_at = :now
    WHERE id = :key AND status = 'dead' AND forget_at IS NULL
    RETURNING id
""")

_WITH_THE_NEXT_TICK = none_of(
    {Blocker.NOT_WAITING, Blocker.NO_NEXT_ATTEMPT, Blocker.NOT_YET, Blocker.CONSENT, Blocker.DISCREPANCY}
)

_CHARGED_NOW = text(f"""
    SELECT w.waits, count(*) AS charges, sum(c.amount)::bigint AS amount
    FROM subscriptions s JOIN charges c ON c.subscription_id = s.id
    CROSS JOIN LATERAL (
        SELECT s.status = 'paused' OR {CONDITIONS[Blocker.SUBSCRIPTION_HELD]} AS waits
    ) w
    WHERE s.billing_key_id = :key AND s.status NOT IN ('canceled', 'ended', 'pending')
      AND {_WITH_THE_NEXT_TICK}
    GROUP BY w.waits
""")  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True)
class ChargedWithKey:
    """What is charged to a key, in won: at once, or once its paused or held subscriptions go on (`waits`)."""

    waits: bool
    charges: int
    amount: int


def killed_alike(session: Session, *, killed_by: str, since: datetime, pg: str | None) -> Sequence[int]:
    """List the keys that are dead since an instant or later, for a reason that holds these words."""
    return session.scalars(_KILLED_ALIKE, {"killed_by": killed_by, "since": since, "pg": pg}).all()


def subscriptions_of(session: Session, key_id: int) -> Sequence[str]:
    """List the codes of the subscriptions that a key pays for."""
    return session.scalars(_SUBSCRIPTIONS, {"key": key_id}).all()


def revive(session: Session, key_id: int, *, reason: str, now: datetime) -> bool:
    """Reactivate a dead key and make its waiting charges due; False when it is not dead, or is to be deleted."""
    if session.execute(_REVIVE, {"key": key_id, "reason": reason, "now": now}).first() is None:
        return False
    wake_behind_key(session, key_id, now=now)
    ids = session.scalars(_IDS, {"key": key_id}).all()
    end_of_dunning.undo_settled(session, ids, reason="its billing key was revived", now=now)
    return True


def charged_now(session: Session, key_id: int, *, now: datetime) -> Sequence[ChargedWithKey]:
    """Sum up what is charged to a key with the next tick, and apart from it what waits for a paused or held one."""
    charged = session.execute(_CHARGED_NOW, {"key": key_id, "now": now})
    return [ChargedWithKey(**row._mapping) for row in charged]  # noqa: SLF001 - public
