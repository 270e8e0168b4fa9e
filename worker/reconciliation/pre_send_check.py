"""The pre-send check: earlier attempts of a charge are looked up at PortOne right before another one is sent.

A decline is the best that was known when it was written down. PortOne corrects such records hours later (seen in
September 2023), an old payment window may still be paid, and a restored database has forgotten some of its numbers.
PortOne guards each merchant_uid by itself, so the next number would be charged beside the one that has paid.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from worker.database.engine import Sessions
from worker.domain.attempt import Attempt
from worker.domain.clock import Clock
from worker.domain.declines import DeclineRules
from worker.domain.gateway import Found, Gateway, LookUpFailed, PaymentRecord
from worker.domain.lookup_evidence import outcome_of_lookup, window_started_at
from worker.domain.merchant_uid import MAX_NUMBER, derive, parse
from worker.domain.outcomes import NotCharged, NotChargedReason, Outcome
from worker.domain.window_evidence import WINDOW_LIFE
from worker.reconciliation.compare import MONEY_MOVED, compare_page

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreSendCheck:
    """Looks up earlier attempts at the gateway, and backfills a payment that one of them has."""

    sessions: Sessions
    gateway: Gateway
    clock: Clock
    prefix: str
    rules: DeclineRules

    async def reason_not_to_send(self, attempt: Attempt) -> Outcome | None:
        """Return why a claimed attempt must not be sent: an earlier number was paid, or may be. None: it may be sent.

        A payment that is found goes into the database at once. After a restore all numbers of the charge are looked
        up, and a payment window that is open (`ready`) is waited for. The attempt itself may have been sent and
        forgotten then: what money has moved under its own number is its outcome.
        """
        if not attempt.charge.may_have_lost_windows:
            return await self.reason_to_wait(attempt.charge.earlier)
        own = await self.gateway.look_up(attempt.request.merchant_uid)
        if isinstance(own, LookUpFailed):
            return NotCharged(NotChargedReason.EARLIER_UNCLEAR, own.answer)
        if any(record.status in MONEY_MOVED for record in own.records):
            log.warning("paid before a restore, so it is not sent", merchant_uid=attempt.request.merchant_uid)
            return outcome_of_lookup(attempt, own, now=self.clock(), quiet_period=timedelta(0), rules=self.rules)
        for merchant_uid in _all_other_numbers(attempt):
            finding = await self.gateway.look_up(merchant_uid)
            if (reason := await self._judge(merchant_uid, finding)) is not None:
                return reason
            assert isinstance(finding, Found), "a failed look-up is a reason to wait"
            if any(_may_be_open(record, self.clock()) for record in finding.records):
                return NotCharged(NotChargedReason.EARLIER_UNCLEAR)
            if not finding.records and merchant_uid > attempt.request.merchant_uid:
                break  # nothing was ever asked for beyond it
        return None

    async def reason_to_wait(self, merchant_uids: Sequence[str]) -> NotCharged | None:
        """Return EARLIER_PAID if PortOne shows one of these paid, EARLIER_UNCLEAR if it does not answer, else None."""
        for merchant_uid in merchant_uids:
            if (reason := await self._judge(merchant_uid, await self.gateway.look_up(merchant_uid))) is not None:
                return reason
        return None

    async def _judge(self, merchant_uid: str, finding: Found | LookUpFailed) -> NotCharged | None:
        if isinstance(finding, LookUpFailed):
            return NotCharged(NotChargedReason.EARLIER_UNCLEAR, finding.answer)
        if not any(record.status == "paid" for record in finding.records):
            return None
        log.warning("an earlier attempt was paid, so this one is not sent", merchant_uid=merchant_uid)
        await asyncio.to_thread(self._write_down, finding.records)
        return NotCharged(NotChargedReason.EARLIER_PAID)

    def _write_down(self, records: Iterable[PaymentRecord]) -> None:
        moved = [record for record in records if record.status in MONEY_MOVED]
        compare_page(self.sessions, moved, prefix=self.prefix, now=self.clock())


def _may_be_open(record: PaymentRecord, now: datetime) -> bool:
    """Return whether a window may still be paid: a decline in it ends nothing."""
    started_at = window_started_at(record)
    return record.status == "ready" or (started_at is not None and started_at > (now - WINDOW_LIFE).timestamp())


def _all_other_numbers(attempt: Attempt) -> Iterator[str]:
    """Yield the merchant_uids of all other numbers of its charge, in their order."""
    parts = parse(attempt.request.merchant_uid)
    assert parts is not None, "derived by us"
    for number in range(1, MAX_NUMBER + 1):
        if number != parts.number:
            yield derive(parts.prefix, parts.subscription_code, parts.period_start, number)
