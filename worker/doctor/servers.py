"""Checks of the servers: database, broker and PortOne. They only read, except for a trial key at the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import redis
from sqlalchemy import Connection, text

from worker.config.broker_url import BrokerAddress
from worker.config.task_limits import task_time_limit, visibility_timeout
from worker.database import encodings
from worker.database import migrations as schema
from worker.database.clock import DatabaseClock
from worker.database.transactions import missing_guards
from worker.doctor.finding import CheckContext, Finding, broken, ok, warning
from worker.doctor.tls import broker_concern, database_concern
from worker.ledger import database_identity
from worker.portone.errors import PortOneError
from worker.runtime import Runtime

MAX_SKEW = timedelta(seconds=30)
"""Clocks that differ by more shorten leases and quiet periods noticeably."""

MIN_POSTGRES = 140_000  # as server_version_num
_TAKES_WRITES = text("SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'")
MIN_REDIS = (6, 2)

_TRIAL = "again.doctor"
_WRITABLE = "set AGAIN_BROKER_URL to the primary, or give its user the rights"
_ROOM = "raise its maxmemory, or remove what fills it; until then workers tell themselves what is due"
_FULL = "its memory is full"


def _turned(context: CheckContext) -> timedelta:
    clock = context.runtime.clock
    return clock.ahead if isinstance(clock, DatabaseClock) else timedelta(0)


def database(context: CheckContext) -> Finding:
    with context.runtime.engine.connect() as connection:
        version = int(connection.scalar(text("SHOW server_version_num")) or 0)
        skew = abs(
            connection.scalars(text("SELECT clock_timestamp()")).one() + _turned(context) - context.runtime.clock()
        )
        shown = f"PostgreSQL {version // 10_000}.{version % 10_000}"
        unusable = _unusable(connection, shown)
        missing = missing_guards(connection)
        concern = database_concern(connection) if context.runtime.settings.live else ""
    if version < MIN_POSTGRES:
        return broken("database", f"{shown} is too old", "upgrade to PostgreSQL 14 or newer")
    if unusable:
        return unusable
    if skew > MAX_SKEW:
        return broken("database", f"its clock and ours differ by {skew}", "run NTP on both machines")
    if missing:
        remedy = "remove it from the options in AGAIN_DATABASE_URL and PGOPTIONS; a pooler must work by transaction"
        return warning(
            "database", f"{shown} does not limit how long our transactions wait: {', '.join(missing)} is 0", remedy
        )
    if concern:
        return warning(
            "database", f"{shown} {concern}", "add ?sslmode=verify-full&sslrootcert=... to AGAIN_DATABASE_URL"
        )
    return ok("database", f"{shown} answers, clocks agree")


def _unusable(connection: Connection, shown: str) -> Finding | None:
    """Return why this database cannot be used although it answers; None when it can."""
    if unfit := encodings.unfit(connection):
        return broken("database", f"{shown} is encoded in {unfit}, which cannot store Korean texts", encodings.REMEDY)
    standby, read_only = connection.execute(_TAKES_WRITES).one()
    if standby:
        remedy = "point AGAIN_DATABASE_URL at the primary, or promote this one"
        return broken("database", f"{shown} is a standby and accepts no writes", remedy)
    if read_only:
        remedy = "look for a full disk, and for default_transaction_read_only of the server, the database and the role"
        return broken("database", f"{shown} accepts no writes: its transactions are read-only", remedy)
    return None


def migrations(context: CheckContext) -> Finding:
    current, newest = schema.current(context.runtime.engine), schema.newest()
    if current != newest:
        return broken("migrations", f"the schema is at {current or 'nothing'}, not {newest}", "run `again migrate`")
    return ok("migrations", f"the schema is at {newest}")


def identity(context: CheckContext) -> Finding:
    """Check that the database charges in the mode and under the prefix of the settings: both are fixed for good."""
    policy = context.runtime.hold_policy
    try:
        with context.runtime.sessions() as session:
            database_identity.verify(session, policy)
    except database_identity.WrongDatabase as error:
        return broken("identity", error.finding, error.remedy)
    return ok("identity", f"the database is for {policy.mode} charges under the prefix {policy.prefix!r}")


def broker(context: CheckContext) -> Finding:
    if not context.broker_url:
        remedy = "run `again up` in this folder, or set AGAIN_BROKER_URL"
        return broken("broker", "there is none: AGAIN_BROKER_URL is not set, and nothing embedded runs", remedy)
    address = BrokerAddress.read(context.broker_url)
    try:
        with redis.Redis.from_url(
            address.url, socket_timeout=5, socket_connect_timeout=5, **(address.tls or {})
        ) as broker:
            info = broker.info("server")
            policy = str(broker.info("memory").get("maxmemory_policy"))
            refusal = _refusal_to_write(broker)
    except redis.RedisError as error:
        return broken("broker", f"does not answer: {error}", "check AGAIN_BROKER_URL and the server")
    return _broker_finding(context, address, info, policy, refusal)


def _broker_finding(
    context: CheckContext, address: BrokerAddress, info: Mapping[str, Any], policy: str, refusal: str
) -> Finding:
    version = str(info.get("redis_version", "0"))
    shown = f"{info.get('server_name', 'redis')} (Redis {version})"
    if tuple(int(part) for part in version.split(".")[:2]) < MIN_REDIS:
        return broken("broker", f"{shown} is too old", "upgrade to Redis 6.2 or Valkey")
    if refusal:
        if refusal == _FULL:
            return broken("broker", f"{shown} is full and accepts no messages", _ROOM)
        return broken("broker", f"{shown} answers, but accepts no writes: {refusal}", _WRITABLE)
    if policy != "noeviction":
        return warning("broker", f"{shown} may evict messages ({policy})", "set maxmemory-policy noeviction")
    if context.runtime.settings.live and (concern := broker_concern(address)):
        return warning("broker", f"{shown} {concern}", "use rediss://...?ssl_ca_certs=... in AGAIN_BROKER_URL")
    return ok("broker", f"{shown} answers")


def _refusal_to_write(broker: redis.Redis) -> str:
    """Return why the broker accepts no messages, as after a failover or with its memory full; empty when it does."""
    try:
        broker.set(_TRIAL, "", ex=60)
        broker.delete(_TRIAL)
    except redis.OutOfMemoryError:
        return _FULL
    except redis.ResponseError as error:
        return str(error)
    return ""


def timeouts(context: CheckContext) -> Finding:
    settings = context.runtime.settings
    visible, limit = visibility_timeout(settings), int(task_time_limit(settings).total_seconds())
    if visible <= limit:
        return broken(
            "timeouts", f"the broker redelivers after {visible} s, a task may run {limit} s", "raise visibility_timeout"
        )
    return ok("timeouts", f"a task ends within {limit} s, the broker waits {visible} s before it delivers again")


def portone(context: CheckContext) -> Finding:
    live = context.runtime.settings.live
    where = "PortOne" if live else "the sandbox"
    url = context.runtime.settings.gateway_url
    # Before any credentials go there.
    if (is_sandbox := _is_sandbox(url)) is not None and is_sandbox == live:
        return _wrong_server(url, live=live)
    try:
        theirs = asyncio.run(_server_time(context.runtime))
    except PortOneError as error:
        return broken("portone", f"{where} at {url}: {error}", _portone_remedy(context))
    skew = abs(theirs - context.now) if theirs else timedelta(0)
    if skew > MAX_SKEW:
        return warning("portone", f"{where} issues tokens, but its clock and ours differ by {skew}", "run NTP here")
    return ok("portone", f"{where} at {url} issues tokens, clocks agree")


def _is_sandbox(url: str) -> bool | None:
    """Return whether Again's own sandbox answers there; None when nothing answers."""
    try:
        answer = httpx.get(f"{url}/_sandbox/health", timeout=5, trust_env=False, verify=httpx.create_ssl_context())
        return bool(answer.json()["sandbox"] == "PortOne V1")
    except httpx.TransportError:
        return None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, LookupError):
        return False


def _wrong_server(url: str, *, live: bool) -> Finding:
    if live:
        remedy = "check this machine's hosts file and proxies: charges would seem to succeed, and no money would move"
        return broken("portone", f"AGAIN_PORTONE_KEY is set, but Again's sandbox answers at {url}", remedy)
    remedy = "run `again sandbox`, and set AGAIN_SANDBOX_URL to where it listens"
    return broken("portone", f"what answers at {url} is not Again's sandbox", remedy)


def _portone_remedy(context: CheckContext) -> str:
    if context.runtime.settings.live:
        return "check AGAIN_PORTONE_KEY, AGAIN_PORTONE_SECRET and the network"
    # Without a broker no `again up` runs: the broker's remedy covers this too.
    return "run `again sandbox`, or set AGAIN_SANDBOX_URL" if context.broker_url else ""


async def _server_time(runtime: Runtime) -> datetime | None:
    client = runtime.client()
    try:
        return await client.server_time()
    finally:
        await client.aclose()
