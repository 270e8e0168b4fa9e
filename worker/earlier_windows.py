"""Other orders of a charge whose windows might still be paid: looked up right before the charge is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime

import structlog

from worker.clock import Clock
from worker.comparing import MONEY_MOVED, compare_page
from worker.database.session import Sessions
from worker.evidence import window_begun_at
from worker.gateway import Gateway, LookUpFailed, PaymentRecord
from worker.merchant_uid import MAX_NUMBER, derive, parse
from worker.open_attempts import OpenAttempt
from worker.outcomes import NotCharged, NotChargedReason
from worker.registration import WINDOW_LIFE

log = structlog.get_logger()


async def paid_meanwhile(
    sessions: Sessions, gateway: Gateway, attempt: OpenAttempt, *, clock: Clock, prefix: str
) -> NotCharged | None:
    """Say why a claimed attempt must not be sent: a customer has paid in another window, or may. None: it may be.

    A window lives for nobody knows how long, and PortOne guards each merchant_uid by itself. What was paid goes into
    the books at once. After a restore, which may have forgotten windows, all numbers of the charge are looked at, and
    one that is open (`ready`) is waited for.
    """
    known = attempt.earlier_windows
    for merchant_uid in _numbers(attempt) if attempt.restored_lately else known:
        finding = await gateway.look_up(merchant_uid)
        if isinstance(finding, LookUpFailed):
            return NotCharged(NotChargedReason.WINDOW_UNCLEAR, finding.answer)
        statuses = {record.status for record in finding.records}
        if "paid" in statuses:
            log.warning("paid in another window, so it is not charged", merchant_uid=merchant_uid)
            moved = [record for record in finding.records if record.status in MONEY_MOVED]
            await asyncio.to_thread(compare_page, sessions, moved, prefix=prefix, now=clock())
            return NotCharged(NotChargedReason.WINDOW_PAID)
        if attempt.restored_lately and any(_may_be_open(record, clock()) for record in finding.records):
            return NotCharged(NotChargedReason.WINDOW_UNCLEAR)
        if not statuses and merchant_uid > attempt.request.merchant_uid:
            break  # nothing was ever asked for beyond it
    return None


def _may_be_open(record: PaymentRecord, now: datetime) -> bool:
    """Say whether a window may still be paid: being declined in it ends nothing."""
    begun_at = window_begun_at(record)
    return record.status == "ready" or (begun_at is not None and begun_at > (now - WINDOW_LIFE).timestamp())


def _numbers(attempt: OpenAttempt) -> Iterator[str]:
    """Give the merchant_uids of all other numbers of its charge, in their order."""
    parts = parse(attempt.request.merchant_uid)
    assert parts is not None, "derived by us"
    for number in range(1, MAX_NUMBER + 1):
        if number != parts.number:
            yield derive(parts.prefix, parts.subscription_code, parts.period_start, number)
