"""PortOne as a Gateway: every answer and every failure becomes a value."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog

from worker.domain.declines import DeclineRules
from worker.domain.gateway import (
    ChargeRequest,
    Found,
    LeaseCheck,
    ListChanged,
    LookUpFailed,
    NoSuchKey,
    OpenSchedules,
    PaymentRecord,
    Refund,
    RefundRefused,
    StillScheduled,
    StoredKey,
    TooMany,
    always,
)
from worker.domain.outcomes import Answer, NotCharged, NotChargedReason, Outcome, Unknown, UnknownReason
from worker.pg.catalog import PGS_NAMING_REQUESTER
from worker.portone.charge_response import read_charge
from worker.portone.client import MAX_PAGE, PortOneClient
from worker.portone.errors import NoAnswer, NotSent, Rejected
from worker.portone.payloads import Page, Unreadable, read_stored_key
from worker.portone.schedules import walk

log = structlog.get_logger()

T = TypeVar("T")


class PortOneGateway:
    """The Gateway of `worker.domain.gateway`, on PortOne V1."""

    def __init__(self, client: PortOneClient, *, deadline: timedelta, rules: DeclineRules) -> None:
        self._client = client
        self._rules = rules
        self._deadline = deadline.total_seconds()

    async def ready(self) -> NotCharged | None:
        try:
            async with asyncio.timeout(self._deadline):
                await self._client.token()
        except NotSent as error:
            return NotCharged(error.reason, Answer(message=str(error)))
        except TimeoutError:
            return NotCharged(NotChargedReason.NO_TOKEN, Answer(message="PortOne issued no access token in time"))
        return None

    async def charge(self, request: ChargeRequest, *, holds_lease: LeaseCheck = always) -> Outcome:
        try:
            async with asyncio.timeout(self._deadline):
                return read_charge(request, await self._client.again(request, holds_lease=holds_lease), self._rules)
        except NotSent as error:
            return NotCharged(error.reason, Answer(message=str(error)))
        except NoAnswer as error:
            return Unknown(error.reason, error.answer)
        except TimeoutError:
            return Unknown(UnknownReason.TIMEOUT, Answer(message="no answer within the deadline"))
        except Exception as error:  # noqa: BLE001 - the request may have been sent, whatever went wrong with its answer
            return Unknown(UnknownReason.UNREADABLE, _defect(error))

    async def look_up(self, merchant_uid: str) -> Found | LookUpFailed:
        found = await self._learn(self._within_deadline(self._client.find_all(merchant_uid)))
        if isinstance(found, LookUpFailed):
            return found
        if any(record.merchant_uid != merchant_uid for record in found):
            # Not "nothing found": an answer about another payment proves nothing about this one.
            return LookUpFailed(Answer(http_status=200, message="PortOne's answer is about another merchant_uid"))
        return Found(tuple(found))

    async def payments(
        self, status: str, *, since: datetime, until: datetime, pause: float, most: int | None = None
    ) -> Found | TooMany | LookUpFailed:
        pages = self._client.payments_by_status(status, since=since, until=until)
        return await self._learn(self._listed(pages, pause, most))

    async def _learn(self, asking: Coroutine[Any, Any, T]) -> T | LookUpFailed:
        """Return the answer, or LookUpFailed for everything that goes wrong: nothing was learnt then."""
        try:
            return await asking
        except (NoAnswer, Rejected) as error:
            return LookUpFailed(error.answer)
        except NotSent as error:
            return LookUpFailed(Answer(message=str(error)))
        except TimeoutError:
            return LookUpFailed(Answer(message="no answer within the deadline"))
        except Exception as error:  # noqa: BLE001 - one odd answer must not end the look-ups of all others
            return LookUpFailed(_defect(error))

    async def _within_deadline(self, asking: Coroutine[Any, Any, T]) -> T:
        async with asyncio.timeout(self._deadline):
            return await asking

    async def payment(self, imp_uid: str) -> Found | LookUpFailed:
        record = await self._learn(self._within_deadline(self._client.payment(imp_uid)))
        if isinstance(record, PaymentRecord) and record.imp_uid != imp_uid:
            return LookUpFailed(Answer(http_status=200, message="PortOne's answer is about another payment"))
        return record if isinstance(record, LookUpFailed) else Found(() if record is None else (record,))

    async def billing_key(self, customer_uid: str) -> StoredKey | NoSuchKey | LookUpFailed:
        document = await self._learn(self._within_deadline(self._client.customer(customer_uid)))
        if document is None:
            return NoSuchKey()
        if isinstance(document, LookUpFailed):
            return document
        try:
            key = read_stored_key(document)
        except Unreadable as error:
            return LookUpFailed(Answer(http_status=200, message=str(error)))
        if key.customer_uid != customer_uid:
            return LookUpFailed(Answer(http_status=200, message="PortOne's answer is about another billing key"))
        return key

    async def open_schedules(self, *, now: datetime, pause: float, most: int) -> OpenSchedules | LookUpFailed:
        def ask(since: datetime, until: datetime, page: int) -> Awaitable[list[Any]]:
            return self._within_deadline(self._client.schedules(since=since, until=until, page=page))

        return await self._learn(walk(ask, now=now, page_size=MAX_PAGE, pause=pause, most=most))

    async def _schedules_of(self, customer_uid: str, now: datetime) -> OpenSchedules | LookUpFailed:
        def ask(since: datetime, until: datetime, page: int) -> Awaitable[list[Any]]:
            asking = self._client.customer_schedules(customer_uid, since=since, until=until, page=page)
            return self._within_deadline(asking)

        return await self._learn(walk(ask, now=now, page_size=None, pause=0, most=1))

    async def delete_key(
        self, customer_uid: str, *, pg: str, reason: str, now: datetime
    ) -> NoSuchKey | StillScheduled | LookUpFailed:
        """Delete the key, then look whether it is still there, whatever the answer: the error texts are not known."""
        scheduled = await self._schedules_of(customer_uid, now)
        if isinstance(scheduled, LookUpFailed):
            return scheduled
        if scheduled.count:
            return StillScheduled(scheduled.count)
        deletion = self._client.delete_customer(customer_uid, reason=reason, requester=_requester(pg))
        answer = await self._learn(self._within_deadline(deletion))
        left = await self.billing_key(customer_uid)
        if isinstance(left, StoredKey):
            return answer or LookUpFailed(Answer(http_status=200, message="PortOne still shows the billing key"))
        return left

    async def _listed(
        self, pages: AsyncIterator[Page], pause: float, most: int | None
    ) -> Found | TooMany | LookUpFailed:
        """Read page after page. A list that changes meanwhile has moved payments between pages: ListChanged."""
        records: list[PaymentRecord] = []
        total = skipped = 0
        while True:
            await asyncio.sleep(pause)
            page = await self._within_deadline(_next_page(pages))
            if page is None:
                break
            if (records or skipped) and page.total != total:
                return ListChanged(Answer(http_status=200, message="the list changed while it was read"))
            total = page.total
            if most is not None and total > most:
                return TooMany(total)
            records += page.payments
            skipped += page.skipped
            _log_lost(page)
        if len(records) + skipped != total:
            return ListChanged(Answer(http_status=200, message="the pages do not hold what they count"))
        return Found(tuple(records), skipped)

    async def refund(self, refund: Refund) -> PaymentRecord | RefundRefused | LookUpFailed:
        try:
            async with asyncio.timeout(self._deadline):
                return await self._client.cancel(
                    imp_uid=refund.imp_uid,
                    checksum=refund.checksum,
                    amount=None if refund.is_of_the_rest else refund.amount,
                    tax_free=refund.tax_free,
                    vat_amount=refund.vat_amount,
                    reason=marked(refund),
                    requester=_requester(refund.pg),
                )
        except Rejected as error:
            return RefundRefused(error.answer)
        except NotSent as error:
            return RefundRefused(Answer(message=str(error)), sent=False)
        except NoAnswer as error:
            return LookUpFailed(error.answer)
        except TimeoutError:
            return LookUpFailed(Answer(message="no answer within the deadline"))
        except Exception as error:  # noqa: BLE001 - the money may have gone back, whatever went wrong with its answer
            return LookUpFailed(_defect(error))

    async def aclose(self) -> None:
        await self._client.aclose()


def marked(refund: Refund) -> str:
    """Return the reason as it is sent: with the reference by which the refund is found in PortOne's history."""
    return f"{refund.reason} ({refund.reference})" if refund.reference else refund.reason


def _requester(pg: str) -> str | None:
    """Return the `requester` for PGs that require one: always the merchant (documented, as the default)."""
    return "admin" if pg in PGS_NAMING_REQUESTER else None


async def _next_page(pages: AsyncIterator[Page]) -> Page | None:
    return await anext(pages, None)


def _log_lost(page: Page) -> None:
    for merchant_uid in page.lost:
        log.error("a payment of ours in PortOne's list cannot be read, and is not compared", merchant_uid=merchant_uid)


def _defect(error: Exception) -> Answer:
    """Log an unexpected error by its type alone: its text may hold personal data."""
    log.error(
        "handling a PortOne answer failed unexpectedly; the payment will be looked up", error=type(error).__name__
    )
    return Answer(message=type(error).__name__)
