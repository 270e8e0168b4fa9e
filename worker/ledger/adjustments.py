"""Adjustments as rows: what the next charges of a subscription differ by. Each UPDATE names what it expects to find."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Row, text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.database.planning import plan_by_index
from worker.domain.pricing.adjustments import Adjustment, AdjustmentKind, Use

IS_OPEN = "x.used_at IS NULL AND x.removed_at IS NULL"
"""The condition that an adjustment `x` is open: the next charge differs by it."""

HAS_OPEN = f"EXISTS (SELECT FROM adjustments x WHERE x.subscription_id = s.id AND {IS_OPEN} OFFSET 0)"
"""The condition that a subscription `s` has an open adjustment."""

CHARGED_ONCE = f"""EXISTS (
    SELECT FROM adjustments x
    WHERE x.subscription_id = s.id AND {IS_OPEN} AND x.kind IN ('one_off', 'carried') OFFSET 0)"""
"""The condition that the next charge of a subscription `s` has something besides its plan to charge."""

_COLUMNS = """
    x.id, x.kind, x.description, x.amount, x.percent, x.tax_free, x.amount_left AS left, x.periods_left, x.ends_at
"""

_OPEN = f"""
    SELECT x.subscription_id, {_COLUMNS}
    FROM unnest(CAST(:ids AS bigint[])) AS known(id) CROSS JOIN LATERAL (
        SELECT * FROM adjustments x WHERE x.subscription_id = known.id AND {IS_OPEN} ORDER BY x.id {{lock}}) x
"""  # noqa: S608 - constants only

_READ = text(_OPEN.format(lock="OFFSET 0"))

# Voiding a charge restores them, and does not lock the subscription first.
_LOCK = text(f"""
    SELECT x.subscription_id, {_COLUMNS}
    FROM adjustments x
    WHERE x.subscription_id = ANY(:ids) AND {IS_OPEN}
    ORDER BY x.id
    FOR UPDATE
""")  # noqa: S608 - constants only

_USE = text("""
    UPDATE adjustments x
    SET amount_left = v.amount_left, periods_left = v.periods_left,
        used_at = CASE WHEN v.is_used_up THEN CAST(:now AS timestamptz) END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
        id bigint, expected_amount bigint, expected_periods smallint, amount_left bigint, periods_left smallint,
        is_used_up boolean)
    WHERE x.id = v.id AND x.used_at IS NULL AND x.removed_at IS NULL
      AND x.amount_left IS NOT DISTINCT FROM v.expected_amount
      AND x.periods_left IS NOT DISTINCT FROM v.expected_periods
""")

_ADD = text("""
    INSERT INTO adjustments (subscription_id, kind, description, percent, amount, tax_free, amount_left, periods,
                             periods_left, ends_at, discount_id, from_charge_id, change_id, created_at)
    SELECT v.subscription_id, v.kind, v.description, v.percent, v.amount, v.tax_free,
           CASE WHEN v.kind = 'credit' THEN v.amount END, v.periods, v.periods, v.ends_at, v.discount_id,
           v.from_charge_id, v.change_id, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
        subscription_id bigint, kind text, description text, percent smallint, amount bigint, tax_free bigint,
        periods smallint, ends_at timestamptz, discount_id bigint, from_charge_id bigint, change_id bigint)
    RETURNING id
""")

# What a charge has used of them, by its items: a charge that is void has used nothing. An amount that it has carried on
# is none of these: that charge is paid.
_USED = text("""
    SELECT i.adjustment_id AS id, COALESCE(-sum(i.amount) FILTER (WHERE i.kind = 'credit'), 0) AS credit,
           count(*) FILTER (WHERE i.kind = 'discount') AS periods
    FROM unnest(CAST(:charge_ids AS bigint[])) AS known(id)
    CROSS JOIN LATERAL (
        SELECT * FROM charge_items WHERE charge_id = known.id AND adjustment_id IS NOT NULL OFFSET 0) i
    GROUP BY i.adjustment_id
    ORDER BY i.adjustment_id
""")

_RESTORE = text("""
    UPDATE adjustments x
    SET amount_left = x.amount_left + v.credit, periods_left = x.periods_left + v.periods, used_at = NULL
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id bigint, credit bigint, periods smallint)
    WHERE x.id = v.id AND x.removed_at IS NULL
""")

# What was paid for the days of a charge before it was opened, and was deducted from it: no bill has it any more. It is
# credited once, as a charge becomes void once.
_GIVE_BACK = text("""
    INSERT INTO adjustments (subscription_id, kind, description, amount, amount_left, created_at)
    SELECT c.subscription_id, 'credit', :description, -deducted.amount, -deducted.amount, :now
    FROM unnest(CAST(:charge_ids AS bigint[])) AS known(id)
    CROSS JOIN LATERAL (SELECT * FROM charges WHERE id = known.id OFFSET 0) c
    CROSS JOIN LATERAL (
        SELECT sum(amount) AS amount FROM charge_items WHERE charge_id = known.id AND kind = 'proration') deducted
    WHERE deducted.amount < 0
    ORDER BY c.id
""")

# What they would be if a charge became void.
_WITHOUT = text("""
    SELECT x.subscription_id, x.id, x.kind, x.description, x.amount, x.percent, x.tax_free,
           x.amount_left + COALESCE(u.credit, 0) AS left,
           CAST(x.periods_left + COALESCE(u.periods, 0) AS smallint) AS periods_left, x.ends_at
    FROM adjustments x
    LEFT JOIN (
        SELECT i.adjustment_id AS id, COALESCE(-sum(i.amount) FILTER (WHERE i.kind = 'credit'), 0) AS credit,
               count(*) FILTER (WHERE i.kind = 'discount') AS periods
        FROM charge_items i WHERE i.charge_id = :charge_id AND i.adjustment_id IS NOT NULL
        GROUP BY i.adjustment_id
    ) u ON u.id = x.id
    WHERE x.subscription_id = :id AND x.removed_at IS NULL AND (x.used_at IS NULL OR u.id IS NOT NULL)
    ORDER BY x.id
""")

# What a period has used of discounts, when the rest of it is charged once more.
_GOES_ON = text("""
    UPDATE adjustments x SET periods_left = x.periods_left + 1, used_at = NULL
    FROM charge_items i
    WHERE i.charge_id = :charge_id AND i.kind = 'discount' AND i.adjustment_id = x.id
      AND x.periods_left IS NOT NULL AND x.removed_at IS NULL
""")

_REMOVE = text(f"""
    UPDATE adjustments x SET removed_at = :now WHERE x.id = :id AND {IS_OPEN} RETURNING x.id
""")  # noqa: S608 - constants only

CREDITED = "남은 기간 환급 적립"
"""What a credit is called that comes from unused days; customers read it."""

Adjustments = Mapping[int, Sequence[Adjustment]]
"""The open adjustments of subscriptions, by the subscription's id, the first made first; none for those without."""


def open_of(session: Session, subscription_ids: Collection[int]) -> Adjustments:
    """Return the open adjustments of subscriptions, to be shown: nothing is locked."""
    return _grouped(session.execute(_READ, {"ids": sorted(subscription_ids)}))


def open_without(session: Session, subscription_id: int, charge_id: int) -> Sequence[Adjustment]:
    """Return what would be open if a charge of a subscription became void, to be shown: nothing is changed."""
    rows = session.execute(_WITHOUT, {"id": subscription_id, "charge_id": charge_id})
    return _grouped(rows).get(subscription_id, ())


def lock_open(session: Session, subscription_ids: Collection[int]) -> Adjustments:
    """Lock the open adjustments of locked subscriptions and return them, to be used for a charge that is opened."""
    return _grouped(session.execute(_LOCK, {"ids": sorted(subscription_ids)}))


def use(session: Session, uses: Iterable[Use], *, now: datetime) -> None:
    """Write down what is left of locked adjustments after a charge."""
    rows = [_used(each) for each in uses]
    if not rows:
        return
    used = session.execute(_USE, {"rows": as_rows(rows), "now": now})
    assert isinstance(used, CursorResult)
    assert used.rowcount == len(rows), "the rows are locked, so no other process can have used them"


def add(session: Session, rows: Sequence[Mapping[str, Any]], *, now: datetime) -> Sequence[int]:
    """Add adjustments, each with its `subscription_id`, `kind` and terms by column, and return their ids."""
    made = [{"tax_free": 0, **row} for row in rows]
    return session.scalars(_ADD, {"rows": as_rows(made), "now": now}).all() if made else []


def restore(session: Session, charge_ids: Collection[int], *, now: datetime) -> None:
    """Restore what charges that have just become void had used of adjustments; what was removed stays so.

    What was paid for their days before, and was deducted from them, is left to the customer's credit.
    """
    if not charge_ids:
        return
    values = {"charge_ids": sorted(charge_ids), "description": CREDITED, "now": now}
    session.execute(_GIVE_BACK, values)
    used = session.execute(_USED, {"charge_ids": sorted(charge_ids)}).mappings().all()
    if used:
        plan_by_index(session)
        session.execute(_RESTORE, {"rows": as_rows({**row, "credit": int(row["credit"])} for row in used)})


def let_go_on(session: Session, charge_id: int) -> None:
    """Let discounts go on in the rest of a period that is charged once more: it counts once for them."""
    session.execute(_GOES_ON, {"charge_id": charge_id})


def remove(session: Session, adjustment_id: int, *, now: datetime) -> bool:
    """Remove an open adjustment; False when it is not open any more."""
    return session.execute(_REMOVE, {"id": adjustment_id, "now": now}).first() is not None


def _grouped(rows: Iterable[Row[Any]]) -> Adjustments:
    grouped: dict[int, list[Adjustment]] = defaultdict(list)
    for row in rows:
        values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
        subscription_id = values.pop("subscription_id")
        grouped[subscription_id].append(Adjustment(**values | {"kind": AdjustmentKind(row.kind)}))
    return grouped


def _used(each: Use) -> Mapping[str, Any]:
    return {
        "id": each.adjustment.id,
        "expected_amount": each.adjustment.left,
        "expected_periods": each.adjustment.periods_left,
        "amount_left": each.left,
        "periods_left": each.periods_left,
        "is_used_up": each.is_used_up,
    }
