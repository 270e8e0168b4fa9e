"""The rows of alerts. A trigger makes an event of each that is opened, grows or is closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.domain.alerts import Decided, StandingAlert, Trouble

# Two workers that look at the same time would both open it.
_ALONE = text("SELECT pg_try_advisory_xact_lock(hashtext('again.alerts'))")

_STANDING = text("""
    SELECT id, "check", subjects, told_at, gone_at FROM alerts WHERE closed_at IS NULL ORDER BY id
""")

_OPEN = text("""
    INSERT INTO alerts ("check", subjects, finding, remedy, opened_at, told_at)
    VALUES (:check, CAST(:subjects AS text[]), :finding, :remedy, :now, :now)
""")

_GROW = text("""
    UPDATE alerts SET subjects = CAST(:subjects AS text[]), finding = :finding, remedy = :remedy, told_at = :now,
        gone_at = NULL
    WHERE id = :id AND closed_at IS NULL
""")

_RETURN = text("UPDATE alerts SET gone_at = NULL WHERE id = ANY(:ids) AND closed_at IS NULL")

_GO = text("UPDATE alerts SET gone_at = :now WHERE id = ANY(:ids) AND closed_at IS NULL")

_CLOSE = text("UPDATE alerts SET closed_at = gone_at WHERE id = ANY(:ids) AND closed_at IS NULL")

_LISTED = text("""
    SELECT id, "check", finding, remedy, opened_at, told_at, closed_at FROM alerts
    WHERE :all OR closed_at IS NULL ORDER BY id DESC LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class ListedAlert:
    """An alert as `again alert list` shows it."""

    id: int
    check: str
    finding: str
    remedy: str
    opened_at: datetime
    told_at: datetime
    closed_at: datetime | None


def write_alone(session: Session) -> bool:
    """Return whether this transaction alone writes alerts; False while another one does."""
    return bool(session.scalar(_ALONE))


def standing(session: Session) -> Sequence[StandingAlert]:
    """Return the alerts that are open."""
    return [
        StandingAlert(
            id=row.id,
            check=row.check,
            subjects=frozenset(row.subjects),
            told_at=row.told_at,
            gone_at=row.gone_at,
        )
        for row in session.execute(_STANDING)
    ]


def write(session: Session, decided: Decided, *, now: datetime) -> None:
    """Write down what becomes of alerts."""
    for trouble in decided.opened:
        session.execute(_OPEN, {**_values(trouble), "subjects": sorted(trouble.subjects), "now": now})
    session.execute(_RETURN, {"ids": list(decided.returned)})
    for alert, trouble in decided.grown:
        subjects = sorted(alert.subjects | trouble.subjects)
        session.execute(_GROW, {**_values(trouble), "id": alert.id, "subjects": subjects, "now": now})
    session.execute(_GO, {"ids": list(decided.gone), "now": now})
    session.execute(_CLOSE, {"ids": list(decided.closed)})


def listed(session: Session, *, closed: bool, most: int) -> Sequence[ListedAlert]:
    """Return the newest alerts, with those that are closed or without."""
    return [ListedAlert(**row._mapping) for row in session.execute(_LISTED, {"all": closed, "most": most})]  # noqa: SLF001


def _values(trouble: Trouble) -> dict[str, str]:
    return {"check": trouble.check, "finding": trouble.finding, "remedy": trouble.remedy}
