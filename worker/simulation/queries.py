"""What a simulation reads in its database: the figures of each month, and every payment. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

_MONTH = "to_char({at} AT TIME ZONE 'Asia/Seoul', 'YYYY-MM')"

_WAS_DECLINED = "EXISTS (SELECT FROM attempts a WHERE a.charge_id = c.id AND a.status = 'declined')"

_FIGURES = text(f"""
    SELECT {_MONTH.format(at="c.paid_at")} AS month,
           CASE WHEN {_WAS_DECLINED} THEN 'recovered' ELSE 'charged' END AS what,
           count(*) AS times, CAST(sum(c.amount) AS bigint) AS won
    FROM charges c WHERE c.status = 'paid' GROUP BY 1, 2
    UNION ALL
    SELECT {_MONTH.format(at="c.status_at")}, 'lost', count(*), CAST(sum(c.amount) AS bigint)
    FROM charges c WHERE c.status = 'uncollectible' OR c.status = 'void' AND {_WAS_DECLINED} GROUP BY 1, 2
    UNION ALL
    SELECT {_MONTH.format(at="r.settled_at")}, 'refunded', count(*), CAST(sum(r.amount) AS bigint)
    FROM refunds r WHERE r.status = 'completed' GROUP BY 1, 2
    UNION ALL
    SELECT {_MONTH.format(at="a.at")},
           CASE WHEN EXISTS (SELECT FROM changes ch WHERE ch.subscription_id = a.entity_id
                             AND ch.kind = 'end_dunning' AND ch.status = 'applied') THEN 'dropped' ELSE 'canceled' END,
           count(*), 0
    FROM audit a WHERE a.entity = 'subscription' AND a.to_status = 'canceled' GROUP BY 1, 2
""")  # noqa: S608 - constants only

_STILL_OWED = text("""
    SELECT count(*) AS times, CAST(COALESCE(sum(amount), 0) AS bigint) AS won
    FROM charges WHERE status IN ('due', 'charging', 'past_due')
""")

_PAYMENTS = text("""
    SELECT a.merchant_uid, c.amount,
           CAST(COALESCE((SELECT sum(r.amount) FROM refunds r
                          WHERE r.merchant_uid = a.merchant_uid AND r.status = 'completed'), 0) AS bigint) AS refunded
    FROM attempts a JOIN charges c ON c.id = a.charge_id WHERE a.status = 'paid'
""")

_LAST_PAID = text("""
    SELECT c.id FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
    WHERE s.code = :code AND c.status = 'paid' AND c.refunded = 0 ORDER BY c.period_start DESC LIMIT 1
""")

_CODES = text("SELECT customer_reference, code FROM subscriptions")
_STOPPED = text("SELECT scope FROM stops ORDER BY scope")

NO_FLUSHING = (
    "ALTER SYSTEM SET fsync = off",
    "ALTER SYSTEM SET full_page_writes = off",
    "ALTER SYSTEM SET synchronous_commit = off",
    "ALTER SYSTEM SET checkpoint_timeout = '1d'",
    "ALTER SYSTEM SET max_wal_size = '4GB'",
    "ALTER SYSTEM SET jit = off",
    "ALTER SYSTEM SET update_process_title = off",
    "SELECT pg_reload_conf()",
)
"""What is thrown away need not outlive its machine, and no plan is worth compiling for a thousand rows."""


@dataclass(frozen=True, slots=True)
class Figure:
    """How often something happened in a month, and how many won it came to."""

    month: str
    what: str
    times: int
    won: int


def figures(session: Session) -> Sequence[Figure]:
    """Return what happened in each month: charged, recovered, lost, refunded, canceled, dropped."""
    return [Figure(row.month, row.what, row.times, row.won) for row in session.execute(_FIGURES)]


def still_owed(session: Session) -> tuple[int, int]:
    """Return how many charges are unpaid at the end and may still be paid, and their sum in won."""
    row = session.execute(_STILL_OWED).one()
    return row.times, row.won


def payments(session: Session) -> Mapping[str, tuple[int, int]]:
    """Return what was paid under each merchant_uid, and what of it was refunded, in won."""
    return {row.merchant_uid: (row.amount, row.refunded) for row in session.execute(_PAYMENTS)}


def last_paid_charge(session: Session, code: str) -> int | None:
    """Return the latest charge of a subscription that was paid, and of which nothing was refunded."""
    found: int | None = session.scalars(_LAST_PAID, {"code": code}).first()
    return found


def codes(session: Session) -> Mapping[str, str]:
    """Return the code of each customer's subscription."""
    return {row.customer_reference: row.code for row in session.execute(_CODES)}


def stopped(session: Session) -> Sequence[str]:
    """Return what is stopped."""
    return session.scalars(_STOPPED).all()
