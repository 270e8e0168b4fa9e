"""Periodic checkout maintenance: complete or expire open checkouts, look up webhooks, delete unneeded billing keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import structlog

from worker.checkout import paid_without_key_queries, queries, webhook_queries, webhooks
from worker.checkout.completion import complete
from worker.checkout.context import CheckoutContext
from worker.checkout.fulfilment import Progress
from worker.checkout.queries import OpenCheckout
from worker.checkout.webhook_queries import WebhookRow
from worker.database.clock import read
from worker.database.engine import Sessions
from worker.domain.errors import Refused
from worker.domain.gateway import LookUpFailed, StillScheduled
from worker.subscriptions import key_deletion_queries
from worker.subscriptions.key_deletion_queries import UnneededKey

CHUNK = 50
"""Checkouts, webhooks and keys that one run takes, of each."""

PRUNE_LIMIT = 1000
"""Webhooks past their retention that one run deletes."""

DELETION_RETRY_AFTER = timedelta(minutes=15)
"""How long after a deletion that PortOne did not carry out it is asked for again; without end."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class MaintenanceResult:
    """What one run did. `done` are those of the `checkouts` that were completed."""

    checkouts: int
    done: int
    webhooks: int
    deleted_keys: int

    def summary(self) -> dict[str, object]:
        return asdict(self)


async def run_maintenance(context: CheckoutContext, *, stopping: Callable[[], bool]) -> MaintenanceResult:
    """Process a chunk of each kind, all its members at once; what is left over comes with the next run.

    While charging is held, no subscription starts and no key is deleted.
    """
    if stopping():
        return MaintenanceResult(0, 0, 0, 0)
    open_checkouts = await asyncio.to_thread(_take_checkouts, context)
    done = await _count_successes(_complete_or_expire(context, each) for each in open_checkouts)
    due_webhooks = await asyncio.to_thread(_take_webhooks, context)
    looked_up = await _count_successes(webhooks.process(context, each) for each in due_webhooks)
    unneeded = await asyncio.to_thread(_take_unneeded_keys, context)
    deleted = await _count_successes(_delete_key(context, row) for row in unneeded)
    result = MaintenanceResult(len(open_checkouts), done, looked_up, deleted)
    if open_checkouts or due_webhooks or unneeded:
        log.info("checkouts maintained", **result.summary())
    return result


async def _count_successes(jobs: Iterable[Awaitable[bool]]) -> int:
    """Run jobs together and count the successes. A defect in one is logged, and keeps no other from running."""
    results = await asyncio.gather(*jobs, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            log.error("a checkout could not be maintained", error=type(result).__name__, exc_info=result)
    return sum(result is True for result in results)


async def _complete_or_expire(context: CheckoutContext, checkout: OpenCheckout) -> bool:
    """Complete a checkout, or expire it when its windows are over and PortOne shows nothing."""
    asked_at = context.clock()
    try:
        completion = await complete(context, checkout.code, imp_uid=None)
    except Refused as refused:
        reason = str(refused)
    else:
        if completion.progress is Progress.DONE:
            return True
        if not completion.answered:
            return False
        reason = completion.message or "its window was left"
    if asked_at >= checkout.window_until:
        log.info("checkout expired", checkout=checkout.id, reason=reason)
        await asyncio.to_thread(_expire, context.sessions, checkout, reason, asked_at)
    return False


async def _delete_key(context: CheckoutContext, row: UnneededKey) -> bool:
    """Delete an unneeded key at PortOne."""
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


def _take_checkouts(context: CheckoutContext) -> list[OpenCheckout]:
    with context.sessions.begin() as session:
        now = read(session, context.clock)
        queries.expire_unused(session, now=now, limit=CHUNK)
        if charge_ids := paid_without_key_queries.charges_without_key(session, limit=CHUNK):
            queries.reopen_paid(session, charge_ids, now=now)
            paid_without_key_queries.record_discrepancies(session, charge_ids, now=now)
        return queries.take_open(session, now=now, limit=CHUNK)


def _expire(sessions: Sessions, checkout: OpenCheckout, reason: str, asked_at: datetime) -> None:
    with sessions.begin() as session:
        queries.expire_abandoned(session, checkout, reason=reason, now=asked_at)


def _take_webhooks(context: CheckoutContext) -> list[WebhookRow]:
    with context.sessions.begin() as session:
        now = read(session, context.clock)
        webhook_queries.prune(session, now=now, limit=PRUNE_LIMIT)
        return webhook_queries.take(session, now=now, limit=CHUNK)


def _take_unneeded_keys(context: CheckoutContext) -> list[UnneededKey]:
    with context.sessions.begin() as session:
        if not context.charging_is_allowed(session):
            return []
        now = read(session, context.clock)
        return list(key_deletion_queries.take(session, now=now, pause=DELETION_RETRY_AFTER, limit=CHUNK))


def _forgotten(sessions: Sessions, key_id: int) -> None:
    with sessions.begin() as session:
        key_deletion_queries.record_deletion(session, key_id)
