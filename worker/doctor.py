"""Is everything in order? Each check finds one thing out, and says what to do when it is not.

The checks only read. None of them charges, claims or repairs anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import redis
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from schedules.beat import beat_table
from worker.database import heartbeats, migrations, stops
from worker.portone.errors import PortOneError
from worker.runtime import Runtime

SKEW = timedelta(seconds=30)
"""Clocks that differ more would shorten leases and quiet periods noticeably."""

MISSED_TICKS = 6
"""So many intervals without a tick mean that beat, or every worker, is down."""

OLDEST_POSTGRES = 140_000
OLDEST_REDIS = (6, 2)


class Health(StrEnum):
    OK = "ok"
    WARNING = "warning"  # works, but somebody should know
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `remedy` says what to do, and is empty when nothing is to be done."""

    check: str
    health: Health
    finding: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What the checks look at."""

    runtime: Runtime
    broker_url: str
    visibility_timeout: int
    task_time_limit: int

    @property
    def now(self) -> datetime:
        return self.runtime.clock()


def examine(patient: Patient, names: list[str] | None = None) -> Iterator[Finding]:
    """Run the named checks, or all of them; yields each finding as it is made."""
    for name in names or CHECKS:
        try:
            yield CHECKS[name](patient)
        except DBAPIError as error:
            reason = str(error.orig).splitlines()[0]
            yield _broken(name, f"the database does not answer: {reason}", "check AGAIN_DATABASE_URL and the server")


def _database(patient: Patient) -> Finding:
    with patient.runtime.engine.connect() as connection:
        version = int(connection.scalar(text("SHOW server_version_num")) or 0)
        skew = abs(connection.scalars(text("SELECT clock_timestamp()")).one() - patient.now)
    shown = f"PostgreSQL {version // 10_000}.{version % 10_000}"
    if version < OLDEST_POSTGRES:
        return _broken("database", f"{shown} is too old", "upgrade to PostgreSQL 14 or newer")
    if skew > SKEW:
        return _broken("database", f"its clock and ours differ by {skew}", "run NTP on both machines")
    return _ok("database", f"{shown} answers, clocks agree")


def _migrations(patient: Patient) -> Finding:
    current, newest = migrations.current(patient.runtime.engine), migrations.newest()
    if current != newest:
        return _broken("migrations", f"the schema is at {current or 'nothing'}, not {newest}", "run `again migrate`")
    return _ok("migrations", f"the schema is at {newest}")


def _broker(patient: Patient) -> Finding:
    try:
        with redis.Redis.from_url(patient.broker_url, socket_timeout=5, socket_connect_timeout=5) as broker:
            info = broker.info("server")
            policy = broker.info("memory").get("maxmemory_policy")
    except redis.RedisError as error:
        return _broken("broker", f"does not answer: {error}", "check AGAIN_BROKER_URL and the server")
    version = str(info.get("redis_version", "0"))
    shown = f"{info.get('server_name', 'redis')} (Redis {version})"
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_REDIS:
        return _broken("broker", f"{shown} is too old", "upgrade to Redis 6.2 or Valkey")
    if policy != "noeviction":
        return _warning("broker", f"{shown} may evict messages ({policy})", "set maxmemory-policy noeviction")
    return _ok("broker", f"{shown} answers")


def _timeouts(patient: Patient) -> Finding:
    visible, limit = patient.visibility_timeout, patient.task_time_limit
    if visible <= limit:
        return _broken(
            "timeouts", f"the broker redelivers after {visible} s, a task may run {limit} s", "raise visibility_timeout"
        )
    return _ok("timeouts", f"a task ends within {limit} s, the broker waits {visible} s before it delivers again")


def _portone(patient: Patient) -> Finding:
    where = "PortOne" if patient.runtime.settings.live else "the sandbox"
    url = patient.runtime.settings.gateway_url
    try:
        theirs = asyncio.run(_server_time(patient.runtime))
    except PortOneError as error:
        return _broken("portone", f"{where} at {url}: {error}", "check AGAIN_PORTONE_KEY, _SECRET, and the network")
    skew = abs(theirs - patient.now) if theirs else timedelta(0)
    if skew > SKEW:
        return _warning("portone", f"{where} gives tokens, but its clock and ours differ by {skew}", "run NTP here")
    return _ok("portone", f"{where} at {url} gives tokens, clocks agree")


async def _server_time(runtime: Runtime) -> datetime | None:
    client = runtime.client()
    try:
        return await client.server_time()
    finally:
        await client.aclose()


def _beat(patient: Patient) -> Finding:
    return _seen(patient, "beat", [heartbeats.BEAT], "start `celery -A worker.app beat`, or look at its log")


def _worker(patient: Patient) -> Finding:
    return _seen(patient, "worker", ["again.charge"], "start `celery -A worker.app worker`, or look at its log")


def _seen(patient: Patient, check: str, names: list[str], remedy: str) -> Finding:
    with patient.runtime.sessions() as session:
        seen = heartbeats.last_seen(session)
    missing = [name for name in names if name not in seen]
    if missing:
        return _broken(check, f"{', '.join(missing)} never seen", remedy)
    oldest = min(names, key=lambda name: seen[name])
    age, patience = patient.now - seen[oldest], _patience(patient, oldest)
    said = f"{oldest} last seen {max(age, timedelta(0)).total_seconds():.0f} s ago"
    return _ok(check, said) if age <= patience else _broken(check, said, remedy)


def _patience(patient: Patient, name: str) -> timedelta:
    seconds = patient.runtime.settings.tick_seconds
    table = beat_table(None if seconds is None else timedelta(seconds=seconds))
    intervals = {entry.task: entry.every for entry in table if isinstance(entry.every, timedelta)}
    longest_task = timedelta(seconds=patient.task_time_limit)
    return MISSED_TICKS * intervals.get(name, max(intervals.values())) + longest_task


def _stops(patient: Patient) -> Finding:
    with patient.runtime.sessions() as session:
        standing = stops.standing(session)
    if not standing:
        return _ok("stops", "nothing is stopped")
    said = "; ".join(f"{stop.scope} since {stop.stopped_at:%Y-%m-%d %H:%M} UTC: {stop.reason}" for stop in standing)
    return _warning("stops", said, "when the cause is gone: `again start SCOPE`")


def _flagged(patient: Patient) -> Finding:
    with patient.runtime.sessions() as session:
        count = session.scalars(
            text("SELECT count(*) FROM attempts WHERE status = 'unknown' AND flagged_at IS NOT NULL")
        )
        flagged = count.one()
    if flagged:
        return _warning(
            "flagged", f"{flagged} attempts need a person to decide", "see `again status` and `again charge show`"
        )
    return _ok("flagged", "no attempt waits for a person")


CHECKS: Mapping[str, Callable[[Patient], Finding]] = {
    "database": _database,
    "migrations": _migrations,
    "broker": _broker,
    "timeouts": _timeouts,
    "portone": _portone,
    "beat": _beat,
    "worker": _worker,
    "stops": _stops,
    "flagged": _flagged,
}


def _ok(check: str, finding: str) -> Finding:
    return Finding(check, Health.OK, finding)


def _warning(check: str, finding: str, remedy: str) -> Finding:
    return Finding(check, Health.WARNING, finding, remedy)


def _broken(check: str, finding: str, remedy: str) -> Finding:
    return Finding(check, Health.BROKEN, finding, remedy)
