"""Nobody's closed tab is forgotten: opened checkouts, unheeded webhooks and unneeded keys are all seen to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row

from worker.checkout import paid_without_key
from worker.checkout import queries as checkouts
from worker.checkout import webhook_queries as webhooks
from worker.checkout import webhooks as hints
from worker.checkout.completion import complete
from worker.checkout.context import CheckoutContext
from worker.checkout.fulfilment import Progress
from worker.checkout.webhooks import StoredWebhook
from worker.database.clock import read
from worker.database.engine import Sessions
from worker.domain.errors import Refused
from worker.domain.gateway import LookUpFailed, StillScheduled
from worker.subscriptions import key_deletion

CHUNK = 50
PRUNED = 1000  # of webhooks that nobody needs any more, with each run
DELETION_PAUSE = timedelta(minutes=15)
"""So long after a deletion that PortOne did not carry out it is asked for again; without end."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class MaintenanceResult:
    """What one run saw to."""

    checkouts: int
    done: int
    webhooks: int
    deleted_keys: int

    def summary(self) -> dict[str, object]:
        return asdict(self)


async def run_maintenance(context: CheckoutContext, *, stopping: Callable[[], bool]) -> MaintenanceResult:
    """See to a chunk of each, all at once; what is left over comes with the next run.

    Nothing is begun, and no key deleted, while the books may have forgotten what was paid.
    """
    if stopping():
        return MaintenanceResult(0, 0, 0, 0)
    taken = await asyncio.to_thread(_take, context)
    done = await _each(_look(context, row) for row in taken)
    heard = await asyncio.to_thread(_webhooks, context)
    looked_up = await _each(hints.look_up(context, each) for each in heard)
    unneeded = await asyncio.to_thread(_unneeded, context)
    deleted = await _each(_forget(context, row) for row in unneeded)
    cared = MaintenanceResult(len(taken), done, looked_up, deleted)
    if taken or heard or unneeded:
        log.info("checkouts looked after", **cared.summary())
    return cared


async def _each(looks: Iterable[Awaitable[bool]]) -> int:
    """Count the successes. One that fails for a defect of ours keeps no other from being seen to."""
    results = await asyncio.gather(*looks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            log.error("a checkout could not be looked after", error=type(result).__name__, exc_info=result)
    return sum(result is True for result in results)


async def _look(context: CheckoutContext, row: Row[Any]) -> bool:
    """Complete one; when its windows are over and PortOne shows nothing, it has expired."""
    asked_at = context.clock()
    try:
        completion = await complete(context, row.code, imp_uid=None)
    except Refused as refused:
        reason = str(refused)
    else:
        if completion.progress is Progress.DONE:
            return True
        if not completion.answered:
            return False
        reason = completion.said or "its window was left"
    if asked_at >= row.window_until:
        log.info("checkout expired", checkout=row.id, reason=reason)
        await asyncio.to_thread(_expire, context.sessions, row, reason, asked_at)
    return False


async def _forget(context: CheckoutContext, row: Row[Any]) -> bool:
    """Delete at PortOne a key that nobody needs."""
    answer = await context.gateway.delete_key(
        row.customer_uid, pg=row.pg, reason="not needed any more", now=context.clock()
    )
    if isinstance(answer, StillScheduled):
        log.warning("a billing key has open schedules at PortOne; not deleted before they are", key_id=row.key_id)
        return False
    if isinstance(answer, LookUpFailed):
        log.warning("a billing key is not deleted at PortOne yet", key_id=row.key_id, said=answer.answer.message)
        return False
    await asyncio.to_thread(_forgotten, context.sessions, row.key_id)
    return True


def _take(context: CheckoutContext) -> list[Row[Any]]:
    with context.sessions.begin() as session:
        now = read(session, context.clock)
        checkouts.expire_unused(session, now=now, limit=CHUNK)
        if waiting := paid_without_key.paid_before_their_key(session, limit=CHUNK):
            checkouts.revive(session, waiting, now=now)
            paid_without_key.note(session, waiting, now=now)
        return list(checkouts.take(session, now=now, limit=CHUNK))


def _expire(sessions: Sessions, row: Row[Any], reason: str, asked_at: datetime) -> None:
    with sessions.begin() as session:
        checkouts.expire_left(session, row, reason=reason, now=asked_at)


def _webhooks(context: CheckoutContext) -> list[StoredWebhook]:
    with context.sessions.begin() as session:
        now = read(session, context.clock)
        webhooks.prune(session, now=now, limit=PRUNED)
        return [StoredWebhook(row.id, row.imp_uid, row.status) for row in webhooks.take(session, now=now, limit=CHUNK)]


def _unneeded(context: CheckoutContext) -> list[Row[Any]]:
    with context.sessions.begin() as session:
        if not context.charging_is_allowed(session):
            return []
        return list(key_deletion.take(session, now=read(session, context.clock), pause=DELETION_PAUSE, limit=CHUNK))


def _forgotten(sessions: Sessions, key_id: int) -> None:
    with sessions.begin() as session:
        key_deletion.forgotten(session, key_id)
