"""Orders of payment windows that a charge has left behind: looked up right before its next number is sent."""

from __future__ import annotations

import asyncio

import structlog

from worker.clock import Clock
from worker.comparing import MONEY_MOVED, compare_page
from worker.database.session import Sessions
from worker.gateway import Gateway, LookUpFailed
from worker.open_attempts import OpenAttempt
from worker.outcomes import NotCharged, NotChargedReason

log = structlog.get_logger()


async def paid_meanwhile(
    sessions: Sessions, gateway: Gateway, attempt: OpenAttempt, *, clock: Clock, prefix: str
) -> NotCharged | None:
    """Say why a claimed attempt must not be sent: a customer has paid in an old window after all. None: it may be.

    A window lives for nobody knows how long, and PortOne guards each merchant_uid by itself. Such a payment goes into
    the books at once.
    """
    for merchant_uid in attempt.earlier_windows:
        finding = await gateway.look_up(merchant_uid)
        if isinstance(finding, LookUpFailed):
            return NotCharged(NotChargedReason.WINDOW_UNCLEAR, finding.answer)
        if any(record.status == "paid" for record in finding.records):
            log.warning("paid in an old window, so it is not charged", merchant_uid=merchant_uid)
            moved = [record for record in finding.records if record.status in MONEY_MOVED]
            await asyncio.to_thread(compare_page, sessions, moved, prefix=prefix, now=clock())
            return NotCharged(NotChargedReason.WINDOW_PAID)
    return None
