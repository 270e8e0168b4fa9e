"""A table of events as full as it is at some rate, made of copies of real ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import randbytes, randrange

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from tests.bench import growth
from worker.database.engine import Sessions, session_factory
from worker.domain.events.facts import NewEvent
from worker.domain.events.types import EventType
from worker.events import queries
from worker.events.publishing import publish
from worker.events.queries import Wanted
from worker.ledger import outbox

CHUNK = 1_000_000
SUBSCRIPTIONS = 8_000_000
"""Whose events they are: as many as pay monthly, at a hundred million events a year."""

_INDEXES = text("""
    SELECT indexname AS name, indexdef AS definition FROM pg_indexes
    WHERE tablename = 'events' AND indexname <> 'events_pkey'
""")

# One in a hundred is a decline, and one type is rare.
_FILL = text("""
    WITH sample AS MATERIALIZED (
        SELECT version, data, row_number() OVER (ORDER BY position DESC) - 1 AS slot FROM events
        WHERE type = 'charge.paid' ORDER BY position DESC LIMIT 1000)
    INSERT INTO events (position, id, type, version, at, subscription_id, data)
    SELECT CAST(:start AS bigint) + n * CAST(:apart AS bigint), 'evt_' || left(md5(n::text), 24),
           CASE WHEN n % 1000000 = 7 THEN 'channel.stopped' WHEN n % 100 = 3 THEN 'charge.declined'
                ELSE 'charge.paid' END,
           s.version, to_timestamp((CAST(:start AS bigint) + n * CAST(:apart AS bigint)) / 1000000.0),
           1 + (hashint8(n) & 2147483647) % CAST(:subscriptions AS bigint), s.data
    FROM generate_series(CAST(:first AS bigint), :last) n JOIN sample s ON s.slot = n % 1000
""")

_DESTINATION = text("""
    INSERT INTO destinations (name, kind, target, secrets, types, status, status_at, created_at)
    VALUES ('shop', 'webhook', 'https://shop.example', '{whsec_}', '{}', 'active', :now, :now)
""")

_SIZE = text("SELECT pg_table_size('events') AS rows, pg_indexes_size('events') AS indexes")


Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """The events that are kept: so many a day, for so many days until `now`."""

    engine: Engine
    a_day: int
    days: int
    now: datetime

    @property
    def sessions(self) -> Sessions:
        return session_factory(self.engine)

    @property
    def start(self) -> int:
        """Return the position of the oldest event."""
        return int((self.now - timedelta(days=self.days)).timestamp() * 1_000_000)

    @property
    def middle(self) -> int:
        return self.start + timedelta(days=self.days) // timedelta(microseconds=2)


def prepare(kept: Kept, subscriptions: int) -> None:
    """Add subscriptions, and a destination that gets every event."""
    with kept.engine.begin() as connection:
        connection.execute(growth.SUBSCRIBE, {"now": kept.now, "count": subscriptions})
        connection.execute(_DESTINATION, {"now": kept.now})
    growth.analyze(kept.engine)
    publish(kept.sessions)


def fill(kept: Kept) -> None:
    """Write as many events as are kept, of the size of real ones, and vacuum."""
    count, apart = kept.a_day * kept.days, timedelta(days=1) // timedelta(microseconds=kept.a_day)
    with kept.engine.begin() as connection:
        indexes = connection.execute(_INDEXES).all()
        for index in indexes:
            connection.execute(text(f"DROP INDEX {index.name}"))
    for first in range(0, count, CHUNK):
        part = {"first": first, "last": min(first + CHUNK, count) - 1}
        with kept.engine.begin() as connection:
            connection.execute(_FILL, {**part, "start": kept.start, "apart": apart, "subscriptions": SUBSCRIPTIONS})
    with kept.engine.begin() as connection:
        for index in indexes:
            connection.execute(text(index.definition))
    vacuum(kept)


def vacuum(kept: Kept) -> None:
    """Vacuum and analyze the events."""
    with kept.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE events"))


def write(session: Session, count: int) -> None:
    """Write copies of a real event, of any subscriptions."""
    (real,) = queries.newest(session, Wanted(types=[EventType.CHARGE_PAID]), limit=1)
    events = [
        NewEvent(
            id=f"evt_{randbytes(12).hex()}",
            type=real.type,
            version=real.version,
            at=real.at,
            subscription_id=randrange(SUBSCRIPTIONS),
            data=real.data,
        )
        for _ in range(count)
    ]
    outbox.write(session, events)


def size(kept: Kept) -> tuple[str, str]:
    """Return what the table and its indexes take, in GB."""
    with kept.engine.connect() as connection:
        row = connection.execute(_SIZE).one()
    return f"{row.rows / 1e9:.3f}", f"{row.indexes / 1e9:.3f}"
