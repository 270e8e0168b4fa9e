"""Archiving: PortOne's whole answers to attempts that were settled long ago move into compressed blocks.

The attempt stays: its merchant_uid, status, times and ids, and with them everything that keeps a period from being
charged twice. What moves is the evidence that is read by operators, and is three quarters of the row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from worker.database.audit_reason import give_reason
from worker.database.engine import Sessions

MIN_AGE = timedelta(days=92)
"""How long ago an attempt must have been settled: beyond every sweep, look-up and dunning calendar."""

BLOCK = 1000
"""How many ids of attempts one transaction looks at; what it archives of them is one block."""

_BOUNDS = text("""
    SELECT COALESCE(min(id), 1) - 1 AS first, COALESCE(max(id), 0) AS last FROM attempts
""")

_ARCHIVE = text("SELECT archive_answers(:before, :after, :last)")

_SETTLED = text("""
    SELECT count(*) AS attempts, COALESCE(sum(pg_column_size(raw)), 0) AS bytes FROM attempts
    WHERE settled_at < :before AND raw IS NOT NULL AND archived_in IS NULL
""")


def answer_of(attempt: str) -> str:
    """Return the SQL of PortOne's answer to the attempt of an alias, archived or not."""
    block = f"SELECT b.answers -> CAST({attempt}.id AS text) FROM archived_answers b WHERE b.id = {attempt}.archived_in"  # noqa: S608
    return f"COALESCE({attempt}.raw, ({block}))"


@dataclass(frozen=True, slots=True)
class Archivable:
    """How many attempts were settled before an instant and have their answers still, and how many bytes these are."""

    attempts: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How many ids of attempts are done, of how many, and how many answers were archived by now."""

    done: int
    of: int
    archived: int


def archivable(sessions: Sessions, before: datetime) -> Archivable:
    """Return about how much there is to archive: what waits for an outcome or a decision stays."""
    with sessions() as session:
        return Archivable(**session.execute(_SETTLED, {"before": before}).one()._mapping)  # noqa: SLF001 - public


def archive(sessions: Sessions, *, before: datetime, reason: str, now: datetime) -> Iterator[Progress]:
    """Archive the answers to attempts settled before an instant, a block in each transaction.

    What another transaction has locked is left for the next time, and so is everything after a crash: archiving again
    goes on where there is something left.
    """
    with sessions() as session:
        bounds = session.execute(_BOUNDS).one()
    archived = 0
    for after in range(bounds.first, bounds.last, BLOCK):
        with sessions.begin() as session:
            if not archived:
                give_reason(session, reason, now=now)  # once a run: the audit does not need every block
            moved = session.execute(_ARCHIVE, {"before": before, "after": after, "last": after + BLOCK}).scalar_one()
        archived += int(moved)
        yield Progress(min(after + BLOCK, bounds.last) - bounds.first, bounds.last - bounds.first, archived)
