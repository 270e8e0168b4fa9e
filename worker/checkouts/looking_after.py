"""Nobody's closed tab is forgotten: opened checkouts, unheeded webhooks and unneeded keys are all seen to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row

from worker.checkouts import hints
from worker.checkouts.carrying_out import Progress
from worker.checkouts.completing import complete
from worker.checkouts.hints import Heard
from worker.clock import Clock
from worker.database import checkouts, forgetting, unbegun, webhooks
from worker.database.lineage import Watch, goes_on
from worker.database.session import Sessions
from worker.gateway import Gateway, LookUpFailed
from worker.open_attempts import Policy
from worker.refusals import Refused

CHUNK = 50
PRUNED = 1000  # of webhooks that nobody needs any more, with each run
DELETION_PAUSE = timedelta(minutes=15)
"""So long after a deletion that PortOne did not carry out it is asked for again; without end."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LookedAfter:
    """What one run saw to."""

    checkouts: int
    done: int
    webhooks: int
    deleted_keys: int

    def summary(self) -> dict[str, object]:
        return asdict(self)


async def look_after(
    sessions: Sessions,
    gateway: Gateway,
    *,
    clock: Clock,
    policy: Policy,
    prefix: str,
    stopping: Callable[[], bool],
    watch: Watch | None = None,
) -> LookedAfter:
    """See to a chunk of each, all at once; what is left over comes with the next run.

    Nothing is begun, and no key deleted, while `watch` finds that the books may have forgotten what was paid.
    """
    if stopping():
        return LookedAfter(0, 0, 0, 0)
    taken = await asyncio.to_thread(_take, sessions, clock)
    done = await _each(_look(sessions, gateway, row, clock=clock, policy=policy, watch=watch) for row in taken)
    heard = await asyncio.to_thread(_webhooks, sessions, clock)
    looked_up = await _each(
        hints.look_up(sessions, gateway, each, clock=clock, policy=policy, prefix=prefix, watch=watch) for each in heard
    )
    unneeded = await asyncio.to_thread(_unneeded, sessions, clock, watch)
    deleted = await _each(_forget(sessions, gateway, row) for row in unneeded)
    cared = LookedAfter(len(taken), done, looked_up, deleted)
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


async def _look(
    sessions: Sessions, gateway: Gateway, row: Row[Any], *, clock: Clock, policy: Policy, watch: Watch | None
) -> bool:
    """Complete one; when its windows are over and PortOne shows nothing, it has expired."""
    asked_at = clock()
    try:
        completion = await complete(sessions, gateway, row.code, imp_uid=None, clock=clock, policy=policy, watch=watch)
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
        await asyncio.to_thread(_expire, sessions, row, reason, asked_at)
    return False


async def _forget(sessions: Sessions, gateway: Gateway, row: Row[Any]) -> bool:
    """Delete at PortOne a key that nobody needs."""
    answer = await gateway.delete_key(row.customer_uid, reason="not needed any more")
    if isinstance(answer, LookUpFailed):
        log.warning("a billing key is not deleted at PortOne yet", key_id=row.key_id, said=answer.answer.message)
        return False
    await asyncio.to_thread(_forgotten, sessions, row.key_id)
    return True


def _take(sessions: Sessions, clock: Clock) -> list[Row[Any]]:
    with sessions.begin() as session:
        checkouts.expire_unused(session, now=clock(), limit=CHUNK)
        checkouts.revive(session, now=clock(), limit=CHUNK)
        unbegun.note(session, now=clock(), limit=CHUNK)
        return list(checkouts.take(session, now=clock(), limit=CHUNK))


def _expire(sessions: Sessions, row: Row[Any], reason: str, asked_at: datetime) -> None:
    with sessions.begin() as session:
        checkouts.expire_left(session, row, reason=reason, now=asked_at)


def _webhooks(sessions: Sessions, clock: Clock) -> list[Heard]:
    with sessions.begin() as session:
        webhooks.prune(session, now=clock(), limit=PRUNED)
        return [Heard(row.id, row.imp_uid, row.status) for row in webhooks.take(session, now=clock(), limit=CHUNK)]


def _unneeded(sessions: Sessions, clock: Clock, watch: Watch | None) -> list[Row[Any]]:
    with sessions.begin() as session:
        if watch is not None and not goes_on(session, watch, now=clock()):
            return []
        return list(forgetting.take(session, now=clock(), pause=DELETION_PAUSE, limit=CHUNK))


def _forgotten(sessions: Sessions, key_id: int) -> None:
    with sessions.begin() as session:
        forgetting.forgotten(session, key_id)
