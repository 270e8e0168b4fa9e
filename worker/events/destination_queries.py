"""Destinations, as rows: added, listed, disabled, and how they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.database.planning import plan_by_index
from worker.domain.events.destinations import DestinationKind, DestinationStatus, Endpoint
from worker.domain.events.retries import Health

_COLUMNS = """d.id, d.name, d.kind, d.target, d.secrets, d.rotated_at, d.types, d.status, d.status_reason, d.status_at,
    d.failures, d.failing_since, d.next_try_at, d.last_error, d.delivered_at, d.created_at"""

_LISTED = text(f"SELECT {_COLUMNS} FROM destinations d WHERE d.status <> 'removed' ORDER BY d.id")  # noqa: S608

_NAMED = text(f"""
    SELECT {_COLUMNS} FROM destinations d WHERE d.name = :name AND d.status <> 'removed' FOR NO KEY UPDATE
""")  # noqa: S608 - constants only

_WITH_WORK = text(f"""
    SELECT {_COLUMNS} FROM destinations d
    WHERE d.status = 'active' AND coalesce(d.next_try_at <= :now, true)
      AND (SELECT true FROM deliveries q WHERE q.destination_id = d.id AND q.next_try_at <= :now LIMIT 1)
    ORDER BY d.id
""")  # noqa: S608 - constants only

_LOCKED = text(f"SELECT {_COLUMNS} FROM destinations d WHERE d.id = :id FOR NO KEY UPDATE")  # noqa: S608

_ADD = text("""
    INSERT INTO destinations (name, kind, target, secrets, types, status, status_reason, status_at, created_at)
    VALUES (:name, :kind, :target, CAST(:secrets AS text[]), CAST(:types AS text[]), 'active', 'added', :now, :now)
    ON CONFLICT (name) WHERE status <> 'removed' DO NOTHING
""")

_SET_STATUS = text("""
    UPDATE destinations SET status = CAST(:status AS text), status_reason = :reason, status_at = :now,
        failures = 0, failing_since = NULL, next_try_at = NULL,
        secrets = CASE CAST(:status AS text) WHEN 'removed' THEN '{}' ELSE secrets END
    WHERE id = :id
""")

_SET_SECRETS = text("""
    UPDATE destinations SET secrets = CAST(:secrets AS text[]), rotated_at = :now WHERE id = :id
""")

_SET_TARGET = text("UPDATE destinations SET target = :target WHERE id = :id")

_SET_HEALTH = text("""
    UPDATE destinations SET failures = :failures, failing_since = :failing_since, next_try_at = :next_try_at,
        last_error = CASE WHEN :failures = 0 THEN NULL ELSE coalesce(:error, last_error) END,
        delivered_at = coalesce(:delivered_at, delivered_at)
    WHERE id = :id
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where events go, and how it does."""

    id: int
    name: str
    kind: DestinationKind
    target: str
    secrets: Sequence[str] = field(repr=False)
    rotated_at: datetime | None
    types: Sequence[str]
    status: DestinationStatus
    status_reason: str
    status_at: datetime
    health: Health
    last_error: str | None
    delivered_at: datetime | None
    created_at: datetime

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(kind=self.kind, target=self.target, secrets=self.secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDestination:
    """What a destination is added with."""

    name: str
    kind: DestinationKind
    target: str
    secrets: Sequence[str] = field(default=(), repr=False)
    types: Sequence[str] = ()


def listed(session: Session) -> Sequence[Destination]:
    """Return all destinations, the oldest first."""
    return [_destination(row) for row in session.execute(_LISTED)]


def with_work(session: Session, *, now: datetime) -> Sequence[Destination]:
    """Return the active destinations that something is due for."""
    plan_by_index(session)
    return [_destination(row) for row in session.execute(_WITH_WORK, {"now": now})]


def named(session: Session, name: str) -> Destination | None:
    """Return a destination by its name, and lock it."""
    row = session.execute(_NAMED, {"name": name}).one_or_none()
    return None if row is None else _destination(row)


def locked(session: Session, destination_id: int) -> Destination:
    """Return a destination by its id, and lock it."""
    return _destination(session.execute(_LOCKED, {"id": destination_id}).one())


def add(session: Session, new: NewDestination, *, now: datetime) -> bool:
    """Add a destination; False where the name is taken."""
    values = {
        "name": new.name,
        "kind": new.kind.value,
        "target": new.target,
        "secrets": list(new.secrets),
        "types": list(new.types),
    }
    return bool(session.execute(_ADD, {**values, "now": now}).rowcount)  # type: ignore[attr-defined]


def set_status(session: Session, destination_id: int, status: DestinationStatus, *, reason: str, now: datetime) -> None:
    """Enable, disable or remove a destination; what has failed before counts no more."""
    parameters = {"id": destination_id, "status": status.value, "reason": reason, "now": now}
    session.execute(_SET_STATUS, parameters)


def set_secrets(session: Session, destination_id: int, secrets: Sequence[str], *, now: datetime) -> None:
    """Replace the secrets of a webhook."""
    session.execute(_SET_SECRETS, {"id": destination_id, "secrets": list(secrets), "now": now})


def set_target(session: Session, destination_id: int, target: str) -> None:
    """Let a destination lead elsewhere."""
    session.execute(_SET_TARGET, {"id": destination_id, "target": target})


def set_health(
    session: Session, destination_id: int, health: Health, *, error: str | None = None, delivered_at: datetime | None
) -> None:
    """Write down how a destination does after some calls."""
    parameters = {
        "id": destination_id,
        "failures": health.failures,
        "failing_since": health.failing_since,
        "next_try_at": health.next_try_at,
        "error": error,
        "delivered_at": delivered_at,
    }
    session.execute(_SET_HEALTH, parameters)


def _destination(row: Row[Any]) -> Destination:
    values = {**row._mapping, "kind": DestinationKind(row.kind), "status": DestinationStatus(row.status)}  # noqa: SLF001
    health = Health(
        failures=values.pop("failures"),
        failing_since=values.pop("failing_since"),
        next_try_at=values.pop("next_try_at"),
    )
    return Destination(**values, health=health)
