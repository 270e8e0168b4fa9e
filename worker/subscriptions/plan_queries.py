"""Plans to rows and back. `schedules.plans.Plan` is the value that decides; the row is how it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from schedules.cadences import parse_cadence
from schedules.dunning import parse_dunning
from schedules.plans import CatchUp, Plan
from worker.database.tables import billing

_AS_TEXT = frozenset({"cadence", "time_zone", "dunning"})


def plan_columns(plan: Plan) -> dict[str, Any]:
    """Give the columns of a plan's row, all but its id and created_at."""
    values = {field.name: getattr(plan, field.name) for field in fields(plan)}
    return {name: str(value) if name in _AS_TEXT else value for name, value in values.items()}


def plan_of(row: Any) -> Plan:
    """Read a plan from any row that has its columns."""
    return Plan(
        code=row.code,
        name=row.name,
        amount=row.amount,
        tax_free=row.tax_free,
        vat_amount=row.vat_amount,
        currency=row.currency,
        cadence=parse_cadence(row.cadence),
        time_zone=ZoneInfo(row.time_zone),
        charge_hour=row.charge_hour,
        trial_days=row.trial_days,
        catch_up=CatchUp(row.catch_up),
        dunning=parse_dunning(row.dunning),
        max_open_charges=row.max_open_charges,
    )


def columns_of(row: billing.Plan) -> dict[str, Any]:
    """Give the same columns of a row as it is, whether it can be read or not."""
    return {field.name: getattr(row, field.name) for field in fields(Plan)}


def problem(row: billing.Plan) -> str | None:
    """Say why a plan's row cannot be read here, such as for a time zone that this machine does not know."""
    try:
        plan_of(row)
    except (ValueError, LookupError, OSError) as error:
        return str(error).strip("'")
    return None


def add(session: Session, plan: Plan, *, now: datetime) -> int | None:
    """Add a plan and return its id; None when its code is taken."""
    row = insert(billing.Plan).values(**plan_columns(plan), created_at=now)
    return session.scalar(row.on_conflict_do_nothing(index_elements=[billing.Plan.code]).returning(billing.Plan.id))


def known(session: Session) -> Sequence[billing.Plan]:
    """List every plan."""
    return session.scalars(select(billing.Plan).order_by(billing.Plan.code)).all()


def named(session: Session, code: str) -> billing.Plan | None:
    return session.scalars(select(billing.Plan).where(billing.Plan.code == code)).one_or_none()
