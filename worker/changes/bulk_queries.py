"""SQL of bulk runs: started, worked on row by row, and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.domain.changes import BulkRowStatus, ChangeKind

_START = text("""
    INSERT INTO bulk_runs (kind, parameters, reason, rows, started_at)
    VALUES (:kind, CAST(:parameters AS jsonb), :reason, :rows, :now)
    RETURNING id
""")

_ADD_ROWS = text("""
    INSERT INTO bulk_rows (bulk_id, number, subject, parameters, status, reason, change_id)
    SELECT :bulk_id, number, subject, COALESCE(parameters, '{}'), status, reason, change_id
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(
        number bigint, subject text, parameters jsonb, status text, reason text, change_id bigint)
    ON CONFLICT (bulk_id, number) DO NOTHING
""")

# The run is locked first, so that two processes do not work on one at a time.
_RUN = text("""
    SELECT id, kind, parameters, reason, rows, started_by, started_at, finished_at FROM bulk_runs WHERE id = :id
""")
_LOCK_RUN = text("SELECT id FROM bulk_runs WHERE id = :id AND finished_at IS NULL FOR UPDATE SKIP LOCKED")
_NEXT = text("""
    SELECT number, subject, parameters FROM bulk_rows WHERE bulk_id = :id AND status = 'waiting'
    ORDER BY number LIMIT 1
""")
_LAST = text("SELECT COALESCE(max(number), 0) FROM bulk_rows WHERE bulk_id = :id")
_END_ROW = text("""
    UPDATE bulk_rows SET status = :status, reason = :reason, change_id = :change_id
    WHERE bulk_id = :id AND number = :number AND status = 'waiting'
""")
_FINISH = text("UPDATE bulk_runs SET finished_at = :now WHERE id = :id AND finished_at IS NULL")
_COUNTS = text("SELECT status, count(*) AS number FROM bulk_rows WHERE bulk_id = :id GROUP BY status")
_RUNS = text("""
    SELECT r.id, r.kind, r.parameters, r.reason, r.rows, r.started_by, r.started_at, r.finished_at
    FROM bulk_runs r ORDER BY r.id DESC LIMIT :limit
""")
_ROWS = text("""
    SELECT number, subject, parameters, status, reason, change_id FROM bulk_rows
    WHERE bulk_id = :id AND (CAST(:status AS text) IS NULL OR status = :status) ORDER BY number LIMIT :limit
""")
_LINK = text("""
    INSERT INTO bulk_rows (bulk_id, number, subject, parameters, status, change_id)
    SELECT :bulk_id, x.subscription_id, s.code, '{}', 'done', x.id
    FROM changes x JOIN subscriptions s ON s.id = x.subscription_id
    WHERE x.id = ANY(:ids)
    ON CONFLICT (bulk_id, number) DO NOTHING
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkRun:
    """One act on many rows, as it stands."""

    id: int
    kind: ChangeKind
    parameters: Mapping[str, Any]
    reason: str
    rows: int
    started_by: str
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """The next row to be worked on."""

    number: int
    subject: str
    parameters: Mapping[str, Any]


def start(
    session: Session, kind: ChangeKind, parameters: Mapping[str, Any], *, reason: str, rows: int, now: datetime
) -> int:
    """Add a bulk run and return its id."""
    values = {"kind": kind, "parameters": as_rows([parameters])[1:-1], "reason": reason, "rows": rows, "now": now}
    return int(session.execute(_START, values).scalar_one())


def add_rows(session: Session, bulk_id: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows to a run, each with its number, subject, status, and parameters or reason."""
    session.execute(_ADD_ROWS, {"bulk_id": bulk_id, "rows": as_rows(rows)})


def link(session: Session, bulk_id: int, change_ids: Sequence[int]) -> None:
    """Add a row that is done for each change, numbered by its subscription."""
    session.execute(_LINK, {"bulk_id": bulk_id, "ids": list(change_ids)})


def run(session: Session, bulk_id: int) -> BulkRun | None:
    """Return a bulk run."""
    row = session.execute(_RUN, {"id": bulk_id}).one_or_none()
    return None if row is None else BulkRun(**{**row._mapping, "kind": ChangeKind(row.kind)})  # noqa: SLF001 - public


def lock(session: Session, bulk_id: int) -> bool:
    """Lock a run that has not finished; False when it has, or when another process works on it at this moment."""
    return session.execute(_LOCK_RUN, {"id": bulk_id}).first() is not None


def next_row(session: Session, bulk_id: int) -> WaitingRow | None:
    """Return the next row of a run that waits."""
    row = session.execute(_NEXT, {"id": bulk_id}).one_or_none()
    return None if row is None else WaitingRow(row.number, row.subject, row.parameters)


def last_number(session: Session, bulk_id: int) -> int:
    """Return the highest number of a row of a run, or 0."""
    return int(session.execute(_LAST, {"id": bulk_id}).scalar_one())


def end_row(
    session: Session, bulk_id: int, number: int, status: BulkRowStatus, *, reason: str | None, change_id: int | None
) -> None:
    """Write down what became of a row."""
    values = {"id": bulk_id, "number": number, "status": status, "reason": reason, "change_id": change_id}
    session.execute(_END_ROW, values)


def finish(session: Session, bulk_id: int, *, now: datetime) -> None:
    """Write down that no row of a run waits any more."""
    session.execute(_FINISH, {"id": bulk_id, "now": now})


def counts(session: Session, bulk_id: int) -> Mapping[BulkRowStatus, int]:
    """Return how many rows of a run have each status."""
    return {BulkRowStatus(row.status): row.number for row in session.execute(_COUNTS, {"id": bulk_id})}


def runs(session: Session, *, limit: int) -> Sequence[Mapping[str, Any]]:
    """List the newest bulk runs."""
    return [dict(row._mapping) for row in session.execute(_RUNS, {"limit": limit})]  # noqa: SLF001 - public


def rows(session: Session, bulk_id: int, *, status: BulkRowStatus | None, limit: int) -> Sequence[Mapping[str, Any]]:
    """List the rows of a run, in their order."""
    asked = {"id": bulk_id, "status": status, "limit": limit}
    return [dict(row._mapping) for row in session.execute(_ROWS, asked)]  # noqa: SLF001 - public
