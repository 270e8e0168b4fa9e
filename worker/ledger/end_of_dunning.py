"""Dunning has failed: its end, as planned, is written down as a change to come, and undone once its reason is gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from schedules.end_of_dunning import DunningEnd, GivenUpAs
from worker.database.bulk import as_rows
from worker.domain.changes import ChangeKind, ChangeStatus, digest_of
from worker.domain.end_of_dunning import DunningFailure, FailedDunning, announcement, reason_of
from worker.ledger import changes
from worker.ledger.changes import NewChange
from worker.ledger.charges import DECLINED_BY_ITS_KEY, OWED

_OWES = f"EXISTS (SELECT FROM charges c WHERE c.subscription_id = s.id AND {OWED} OFFSET 0)"

_PLANNED = """
    s.status IN ('trialing', 'active', 'past_due') AND p.dunning_end <> 'leave' AND NOT EXISTS (
        SELECT FROM changes x
        WHERE x.subscription_id = s.id AND x.status = 'scheduled' AND x.kind = 'end_dunning' OFFSET 0)"""

_COLUMNS = f"""
    s.id, s.code, s.next_charge_at, s.billing_key_id, p.dunning_end, p.dunning_end_charges, p.key_deadline_days,
    p.time_zone, {_OWES} AS owes
"""

# Each row is looked up by its id: OFFSET 0 keeps a subquery from becoming a join, whose order statistics would decide.
_SPENT = text(f"""
    SELECT {_COLUMNS}, v.charge_id
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(subscription_id bigint, charge_id bigint, billing_key_id bigint)
    CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = v.subscription_id OFFSET 0) s
    CROSS JOIN LATERAL (SELECT * FROM plans WHERE id = s.plan_id OFFSET 0) p
    WHERE s.billing_key_id = v.billing_key_id AND {_PLANNED}
    ORDER BY s.id, v.charge_id
""")  # noqa: S608 - constants only

_LOST_KEY = text(f"""
    SELECT {_COLUMNS}, NULL AS charge_id
    FROM unnest(CAST(:keys AS bigint[])) AS lost(id)
    CROSS JOIN LATERAL (SELECT FROM billing_keys WHERE id = lost.id AND status = 'dead' OFFSET 0) k
    CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE billing_key_id = lost.id OFFSET 0) s
    CROSS JOIN LATERAL (SELECT * FROM plans WHERE id = s.plan_id OFFSET 0) p
    WHERE (CAST(:only AS bigint[]) IS NULL OR s.id = ANY(:only)) AND p.key_deadline_days IS NOT NULL AND {_PLANNED}
    ORDER BY s.id
""")  # noqa: S608 - constants only

# Of one plan, and only what is not active or has a dead key: it is asked for when an operator changes the plan.
_ALREADY_FAILED = text(f"""
    SELECT {_COLUMNS}, k.status = 'dead' AS lost, CASE WHEN k.status <> 'dead' THEN (
        SELECT c.id FROM charges c
        WHERE c.subscription_id = s.id AND c.status = 'uncollectible' AND c.written_off_at IS NULL
          AND {DECLINED_BY_ITS_KEY} AND c.period_start > COALESCE((
            SELECT paid.period_start FROM charges paid WHERE paid.subscription_id = s.id AND paid.status = 'paid'
            ORDER BY paid.period_start DESC LIMIT 1), '-infinity')
        ORDER BY c.period_start DESC LIMIT 1) END AS charge_id
    FROM subscriptions s JOIN plans p ON p.id = s.plan_id JOIN billing_keys k ON k.id = s.billing_key_id
    WHERE p.id = :plan AND (s.status = 'past_due' OR k.status = 'dead') AND {_PLANNED}
    ORDER BY s.id
""")  # noqa: S608 - constants only

_HAS_FAILED = f"""
    s.status IN ('trialing', 'active', 'past_due')
    AND s.billing_key_id IS NOT DISTINCT FROM CAST(x.parameters ->> 'billing_key' AS bigint)
    AND CASE WHEN x.parameters ->> 'failure' = 'lost_key' THEN EXISTS (
            SELECT FROM billing_keys k WHERE k.id = s.billing_key_id AND k.status = 'dead' OFFSET 0) AND {_OWES}
        ELSE EXISTS (
            SELECT FROM charges c
            WHERE c.id = CAST(x.parameters ->> 'charge' AS bigint) AND (c.status = 'uncollectible') IS TRUE
            OFFSET 0) END"""  # noqa: S608 - constants only
"""The condition that the reason of a change `x` that ends the dunning of a subscription `s` still holds."""

_STILL_FAILED = text(f"""
    SELECT {_HAS_FAILED} AS holds FROM changes x JOIN subscriptions s ON s.id = x.subscription_id WHERE x.id = :id
""")  # noqa: S608 - constants only

_SETTLED = text(f"""
    SELECT x.id, s.billing_key_id FROM unnest(CAST(:ids AS bigint[])) AS settled(id)
    CROSS JOIN LATERAL (
        SELECT * FROM changes
        WHERE subscription_id = settled.id AND status = 'scheduled' AND kind = 'end_dunning' OFFSET 0) x
    CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE id = settled.id OFFSET 0) s
    WHERE NOT ({_HAS_FAILED})
    ORDER BY x.id
""")  # noqa: S608 - constants only

# What was given up since it paid last is part of this dunning; what is older is not.
_GIVEN_UP_SINCE_PAID = text("""
    SELECT c.id, c.amount FROM charges c
    WHERE c.subscription_id = :id AND c.status = 'uncollectible' AND c.period_start > COALESCE((
        SELECT paid.period_start FROM charges paid WHERE paid.subscription_id = :id AND paid.status = 'paid'
        ORDER BY paid.period_start DESC LIMIT 1), '-infinity')
    ORDER BY c.id
""")

_LOCK = text("SELECT id FROM charges WHERE id = ANY(:ids) ORDER BY id FOR UPDATE SKIP LOCKED")

_IS_BEING_PAID = text("""
    SELECT EXISTS (
        SELECT FROM charges c CROSS JOIN LATERAL (
            SELECT FROM attempts a WHERE a.charge_id = c.id AND a.status IN ('started', 'unknown') OFFSET 0) open
        WHERE c.subscription_id = :id)
""")


@dataclass(frozen=True, slots=True)
class SpentCharge:
    """A charge whose dunning calendar is spent, and the key that was declined last."""

    subscription_id: int
    charge_id: int
    billing_key_id: int


@dataclass(frozen=True, slots=True)
class GivenUpCharge:
    """A charge that is uncollectible. `amount` is won."""

    id: int
    amount: int


def spent(session: Session, charges: Iterable[SpentCharge], *, now: datetime) -> None:
    """Schedule what their plans say of subscriptions whose charge is given up: now. One with another key is left."""
    rows = session.execute(_SPENT, {"rows": as_rows(asdict(each) for each in charges)}).all()
    first = {row.id: row for row in reversed(rows)}
    _schedule(session, [_failed(row, DunningFailure.SPENT, now) for _, row in sorted(first.items())], now)


def lost_keys(
    session: Session, key_ids: Collection[int], *, only: Collection[int] | None = None, now: datetime
) -> None:
    """Schedule what their plans say of the subscriptions whose key, one of these, is dead: once its deadline is over.

    It counts from now, or where nothing is owed yet, from the beginning of the next period. `only` are the ids of the
    subscriptions that are meant; None for all.
    """
    meant = None if only is None else sorted(set(only))
    rows = session.execute(_LOST_KEY, {"keys": sorted(key_ids), "only": meant}).all()
    _schedule(session, [_failed(row, DunningFailure.LOST_KEY, now) for row in rows], now)


def already_failed(session: Session, plan_id: int, *, now: datetime) -> int:
    """Schedule what a plan says for its subscriptions whose dunning has failed already; return for how many."""
    rows = session.execute(_ALREADY_FAILED, {"plan": plan_id}).all()
    failed = [
        _failed(row, DunningFailure.LOST_KEY if row.lost else DunningFailure.SPENT, now)
        for row in rows
        if (row.key_deadline_days is not None if row.lost else row.charge_id is not None)
    ]
    _schedule(session, failed, now)
    return len(failed)


def undo_settled(session: Session, subscription_ids: Collection[int], *, reason: str, now: datetime) -> None:
    """Undo the ends to come that have no reason any more: it was paid, or has another key.

    Of one that was paid and whose key is dead still, the deadline counts again from its next period.
    """
    rows = session.execute(_SETTLED, {"ids": sorted(set(subscription_ids))}).all()
    changes.end(session, [row.id for row in rows], ChangeStatus.UNDONE, reason=reason, now=now)
    if keys := {row.billing_key_id for row in rows if row.billing_key_id is not None}:
        lost_keys(session, keys, only=subscription_ids, now=now)


def still_failed(session: Session, change_id: int) -> bool:
    """Return whether the reason of a change that ends dunning still holds."""
    return bool(session.scalar(_STILL_FAILED, {"id": change_id}))


def given_up_since_paid(session: Session, subscription_id: int) -> Sequence[GivenUpCharge] | None:
    """Lock and return the charges that were given up since the last paid one; None while another process has one.

    They are locked after their subscription, so none is waited for: a payment window locks them the other way round.
    """
    found = session.execute(_GIVEN_UP_SINCE_PAID, {"id": subscription_id}).all()
    locked = session.scalars(_LOCK, {"ids": [row.id for row in found]}).all()
    return [GivenUpCharge(row.id, row.amount) for row in found] if len(locked) == len(found) else None


def is_being_paid(session: Session, subscription_id: int) -> bool:
    """Return whether an attempt of any charge is open: sent and without an answer, or in a payment window."""
    return bool(session.scalar(_IS_BEING_PAID, {"id": subscription_id}))


def _failed(row: Row[Any], failure: DunningFailure, now: datetime) -> FailedDunning:
    ends_at = now
    if failure is DunningFailure.LOST_KEY:
        counts_from = now if row.owes else max(now, row.next_charge_at)
        ends_at = counts_from + timedelta(days=row.key_deadline_days)
    return FailedDunning(
        subscription_id=row.id,
        code=row.code,
        failure=failure,
        charge_id=row.charge_id,
        billing_key_id=row.billing_key_id,
        end=DunningEnd(row.dunning_end),
        given_up=GivenUpAs(row.dunning_end_charges),
        deadline_days=row.key_deadline_days,
        ends_at=ends_at,
        time_zone=row.time_zone,
    )


def _schedule(session: Session, failed: Sequence[FailedDunning], now: datetime) -> None:
    changes.add(session, [_change(each) for each in failed], now=now)


def _change(failed: FailedDunning) -> NewChange:
    parameters = {"failure": failed.failure, "charge": failed.charge_id, "billing_key": failed.billing_key_id}
    subject = {"subscription": failed.subscription_id, "charge": None}
    return NewChange(
        kind=ChangeKind.END_DUNNING,
        subscription_id=failed.subscription_id,
        charge_id=None,
        parameters=parameters,
        effective_at=failed.ends_at,
        reason=reason_of(failed),
        digest=digest_of(ChangeKind.END_DUNNING, subject, parameters, failed.ends_at.date()),
        preview={"sentence": asdict(announcement(failed))},
        fingerprint="",
    )
