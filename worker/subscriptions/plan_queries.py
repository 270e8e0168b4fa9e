"""Plans as rows: added, found and listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from schedules.plans import Plan
from worker.database.mapping import plan_columns, plan_of
from worker.database.tables import billing


def columns_of(row: billing.Plan) -> dict[str, Any]:
    """Return the same columns of a row as it is, whether it can be read or not."""
    return {field.name: getattr(row, field.name) for field in fields(Plan)}


def problem(row: billing.Plan) -> str | None:
    """Return why a plan's row cannot be read here, such as for a time zone that this machine does not know."""
    try:
        plan_of(row)
    except (ValueError, LookupError, OSError) as error:
        return str(error).strip("'")
    return None


def add(session: Session, plan: Plan, *, now: datetime) -> int | None:
    """Add a plan and return its id; None when its code is taken."""
    row = insert(billing.Plan).values(**plan_columns(plan), created_at=now)
    return session.scalar(row.on_conflict_do_nothing(index_elements=[billing.Plan.code]).returning(billing.Plan.id))


def change(session: Session, plan_id: int, values: Mapping[str, Any]) -> None:
    """Change some columns of a plan; a trigger audits it."""
    session.execute(update(billing.Plan).where(billing.Plan.id == plan_id).values(**values))


def known(session: Session) -> Sequence[billing.Plan]:
    """List every plan."""
    return session.scalars(select(billing.Plan).order_by(billing.Plan.code)).all()


def named(session: Session, code: str) -> billing.Plan | None:
    return session.scalars(select(billing.Plan).where(billing.Plan.code == code)).one_or_none()
