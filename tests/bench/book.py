"""Filling a database with subscriptions, their history and what is due, as fast as PostgreSQL inserts.

History is inserted with triggers off: nothing that is measured reads what they would have added. What is due is
inserted with all of them.
"""

from __future__ import annotations

from datetime import date, datetime, time

from sqlalchemy import Connection, Engine, text

from schedules.plans import SEOUL
from tests.bench.portone_stub import HANGING
from worker.domain.clock import system_clock

FILLED = "plans, billing_keys, subscriptions, charges, attempts"

_PLAN = text("""
    INSERT INTO plans (code, name, amount, tax_free, currency, cadence, time_zone, charge_hour, trial_days,
                       catch_up, dunning, created_at)
    VALUES ('bench', 'Bench', 9900, 0, 'KRW', 'month', 'Asia/Seoul', 0, 0, 'all', '1,3,5,7', :now)
""")

_KEYS = text("""
    INSERT INTO billing_keys (customer_uid, pg, label, status, status_at, created_at)
    SELECT concat(CAST(:uid AS text), n), :pg, '', 'active', :now, :now
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) n
""")

# Periods begin at midnight in Seoul: today's is due, and all others are spread over the four weeks ahead.
_SUBSCRIPTIONS = text("""
    INSERT INTO subscriptions (code, customer_reference, plan_id, billing_key_id, status, status_at, anchor_on,
                               next_charge_at, created_at)
    SELECT lpad(k.id::text, 13, '0'), 'customer-' || k.id, p.id, k.id, 'active', :now,
           CAST(:today AS date) + CAST(1 + k.id % 28 AS integer),
           (CAST(:today AS date) + CAST(1 + k.id % 28 AS integer))::timestamp AT TIME ZONE 'Asia/Seoul', :now
    FROM billing_keys k CROSS JOIN plans p
    WHERE k.id > :above ORDER BY k.id
""")

_CHARGES = """
    INSERT INTO charges (subscription_id, period_start, period_end, amount, tax_free, currency, order_name, status,
                         status_at, next_attempt_at, paid_at, created_at)
    SELECT s.id, {start}, {end}, 9900, 0, 'KRW', 'Bench', {columns}
    FROM subscriptions s JOIN billing_keys k ON k.id = s.billing_key_id
    WHERE s.id > :above {order}
"""

# One payment each, spread over thirty days until yesterday.
_AT = "CAST(:midnight AS timestamptz) - interval '31 days' + interval '30 days' * (s.id - :above) / :count"
_PAID_CHARGES = text(
    _CHARGES.format(
        start=f"date_trunc('second', {_AT})", end=":midnight", columns=f"'paid', {_AT}, NULL, {_AT}, {_AT}", order=""
    )
)
_PAID_ATTEMPTS = text("""
    INSERT INTO attempts (charge_id, billing_key_id, number, merchant_uid, status, status_at, sends, started_at,
                          lease_until, settled_at, imp_uid, pg_tid, http_status, raw)
    SELECT c.id, s.billing_key_id, 1,
           concat('again', s.code, to_char(c.period_start AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS'), '001'),
           'paid', c.paid_at, 1, c.paid_at - interval '1 second', c.paid_at + interval '100 seconds', c.paid_at,
           'imps_' || c.id, 'T0123456789abcdef0123', 200, '{"pay_method": "point"}'
    FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
    WHERE c.status = 'paid' AND s.id > :above
""")
_DUE_CHARGES = text(
    _CHARGES.format(
        start=":midnight",
        end="s.next_charge_at",
        columns="'due', :now, CAST(:midnight AS timestamptz), NULL, :now",
        order="AND s.id <= :last ORDER BY {key}",
    ).replace("{key}", "CASE WHEN :mixed THEN (s.id - :above) % (:count / 2) ELSE 0 END, s.id")
)

# A subscription's place in its order is its id, so the first ones are due.
_MAKE_DUE = text("""
    UPDATE subscriptions
    SET anchor_on = CAST(:today AS date), next_charge_at = :midnight
    WHERE id IN (SELECT id FROM subscriptions ORDER BY id LIMIT :count)
""")

_WORKED_ON = text("UPDATE database_identity SET seen_at = clock_timestamp()")
_COMPARED = text("""
    INSERT INTO sweeps (reason, holds_claims, since, until, position, started_at, lease_until, finished_at)
    VALUES ('daily', false, CAST(:now AS timestamptz) - interval '31 days', :now, :now, :now, :now, :now)
""")
_NO_STATISTICS = (
    "DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)",
    """UPDATE pg_class SET relpages = 0, reltuples = -1, relallvisible = 0
       WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i', 'p')""",
)


class Book:
    """What one database holds."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now = system_clock()
        self.today: date = self.now.astimezone(SEOUL).date()
        self.midnight: datetime = datetime.combine(self.today, time(), SEOUL)
        with engine.begin() as connection:
            connection.execute(_PLAN, {"now": self.now})
            connection.execute(_COMPARED, {"now": self.now})

    def subscribe(self, count: int, *, history: bool = False, hanging: bool = False) -> int:
        """Add subscriptions of which nothing is due yet; return the id after which theirs begin."""
        values = {
            "now": self.now,
            "today": self.today,
            "midnight": self.midnight,
            "count": count,
            "uid": HANGING if hanging else "customer-uid-",
            "pg": "payco" if hanging else "kakaopay",
        }
        with self.engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            above = _highest(connection)
            values = {**values, "above": above, "first": above + 1, "last": above + count}
            connection.execute(_KEYS, values)
            connection.execute(_SUBSCRIPTIONS, values)
            if history:
                connection.execute(_PAID_CHARGES, values)
                connection.execute(_PAID_ATTEMPTS, values)
        self.work()
        return above

    def make_due(self, above: int, count: int, *, mixed: bool = False) -> None:
        """Open a due charge for each of `count` subscriptions; `mixed` takes the second half's between the first's."""
        values = {"above": above, "last": above + count, "count": count, "mixed": mixed}
        with self.engine.begin() as connection:
            connection.execute(_DUE_CHARGES, {**values, "now": system_clock(), "midnight": self.midnight})
        self.work()

    def fill_due(self, count: int) -> None:
        """Add subscriptions with a due charge each, and analyse, as autovacuum does within the minute."""
        self.make_due(self.subscribe(count), count)
        self.analyse()

    def let_periods_begin(self, count: int) -> None:
        """Let a period of the first subscriptions begin, so that it is to be opened."""
        with self.engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(_MAKE_DUE, {"count": count, "today": self.today, "midnight": self.midnight})
        self.work()

    def work(self) -> None:
        """Note that the database was worked with: filling it takes longer than the silence that holds charging."""
        with self.engine.begin() as connection:
            connection.execute(_WORKED_ON)

    def analyse(self) -> None:
        """Collect statistics, and clean up as autovacuum would."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"VACUUM ANALYZE {FILLED}"))
        self.work()

    def forget_statistics(self) -> None:
        """Leave the planner without statistics, as after a restore or a failover that ANALYZE has not followed yet."""
        with self.engine.begin() as connection:
            for statement in _NO_STATISTICS:
                connection.execute(text(statement))


def _highest(connection: Connection) -> int:
    highest = connection.scalar(text("SELECT greatest(max(s.id), 0) FROM subscriptions s"))
    return int(highest or 0)
