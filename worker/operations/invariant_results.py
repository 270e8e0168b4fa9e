"""The invariants that do not hold, as rows: since when, of how many rows, and when that was last looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from worker.database.bulk import as_rows
from worker.database.tables.operations import Violation
from worker.operations.invariant_runner import Broken

# Two workers that look at the same time would both say that something is new.
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtext('again.check_invariants'))")

_NOTE = text("""
    WITH before AS (SELECT name, count FROM violations)
    INSERT INTO violations AS v (name, count, examples, since, checked_at)
    SELECT r.name, r.count, r.examples, :now, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(name text, count bigint, examples text)
    ON CONFLICT (name) DO UPDATE
        SET count = excluded.count, examples = excluded.examples, checked_at = excluded.checked_at
    RETURNING v.name, (SELECT before.count FROM before WHERE before.name = v.name) AS count_before
""")

# What no release of today knows any more goes too.
_FORGET = text("""
    DELETE FROM violations
    WHERE name = ANY(:judged) AND name <> ALL(:broken) OR name <> ALL(:known)
    RETURNING name, since
""")


@dataclass(frozen=True, slots=True)
class Noted:
    """What changed since the last look: of those that are broken, which are new or have another count; what is gone."""

    changed: tuple[Broken, ...]
    gone: tuple[tuple[str, datetime], ...]


def try_lock(session: Session) -> bool:
    """Be the only one who looks until this transaction ends; False when somebody else is."""
    return bool(session.execute(_LOCK).scalar_one())


def note(
    session: Session, broken: Sequence[Broken], *, judged: Collection[str], known: Collection[str], now: datetime
) -> Noted:
    """Write down what does not hold, and forget what was judged and holds again."""
    rows = [{"name": each.invariant.name, "count": each.count, "examples": examples(each.examples)} for each in broken]
    before = {row.name: row.count_before for row in session.execute(_NOTE, {"rows": as_rows(rows), "now": now})}
    names = [each.invariant.name for each in broken]
    gone = session.execute(_FORGET, {"judged": list(judged), "broken": names, "known": list(known)})
    return Noted(
        changed=tuple(each for each in broken if before[each.invariant.name] != each.count),
        gone=tuple((row.name, row.since) for row in gone),
    )


def standing(session: Session) -> Sequence[Violation]:
    """List what did not hold at the last look, the oldest first."""
    return session.scalars(select(Violation).order_by(Violation.since, Violation.name)).all()


def examples(ids: Iterable[int]) -> str:
    return ", ".join(map(str, ids))
