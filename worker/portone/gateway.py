"""PortOne as a gateway: every answer and every failure becomes an Outcome, and "paid" is believed last."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from worker.declines import Duplicate, NeedsLookUp, Verdict, classify
from worker.gateway import (
    ChargeRequest,
    Found,
    LookUpFailed,
    PaymentRecord,
    Refund,
    RefundRefused,
    StillOurs,
    always,
)
from worker.outcomes import (
    Answer,
    Declined,
    DeclineKind,
    NotCharged,
    NotChargedReason,
    Outcome,
    Paid,
    Unknown,
    UnknownReason,
)
from worker.portone.client import PortOneClient
from worker.portone.errors import NoAnswer, NotSent, Refused
from worker.portone.payloads import Envelope, Unreadable, read_payment, redacted

ANSWERING_STATUSES = frozenset({200, 400, 404})
"""HTTP 200 (documented), 400 (seen in client code) and 404 (documented for an unknown key). No other is believed, not
even one with a readable body: a 408, 409 or 429 says nothing sure about the payment."""


log = structlog.get_logger()


class PortOneGateway:
    """The Gateway of `worker.gateway`, on PortOne V1."""

    def __init__(self, client: PortOneClient, *, deadline: timedelta) -> None:
        self._client = client
        self._deadline = deadline.total_seconds()

    async def ready(self) -> NotCharged | None:
        try:
            async with asyncio.timeout(self._deadline):
                await self._client.token()
        except NotSent as error:
            return NotCharged(error.reason, Answer(message=str(error)))
        except TimeoutError:
            return NotCharged(NotChargedReason.NO_TOKEN, Answer(message="PortOne gave no access token in time"))
        return None

    async def charge(self, request: ChargeRequest, *, still_ours: StillOurs = always) -> Outcome:
        try:
            async with asyncio.timeout(self._deadline):
                return read_charge(request, await self._client.again(request, still_ours=still_ours))
        except NotSent as error:
            return NotCharged(error.reason, Answer(message=str(error)))
        except NoAnswer as error:
            return Unknown(error.reason, error.answer)
        except TimeoutError:
            return Unknown(UnknownReason.TIMEOUT, Answer(message="no answer within the deadline"))
        except Exception as error:  # noqa: BLE001 - a request may be out there, whatever went wrong with its answer
            return Unknown(UnknownReason.UNREADABLE, _defect(error))

    async def look_up(self, merchant_uid: str) -> Found | LookUpFailed:
        try:
            async with asyncio.timeout(self._deadline):
                records = await self._client.find_all(merchant_uid)
        except (NoAnswer, Refused) as error:
            return LookUpFailed(error.answer)
        except NotSent as error:
            return LookUpFailed(Answer(message=str(error)))
        except TimeoutError:
            return LookUpFailed(Answer(message="no answer within the deadline"))
        except Exception as error:  # noqa: BLE001 - one odd answer must not end the look-ups of all others
            return LookUpFailed(_defect(error))
        if any(record.merchant_uid != merchant_uid for record in records):
            # Not "nothing found": an answer to somebody else's question proves nothing about ours.
            return LookUpFailed(Answer(http_status=200, message="PortOne's answer is about another merchant_uid"))
        return Found(tuple(records))

    async def payments(self, status: str, *, since: datetime, until: datetime, pause: float) -> Found | LookUpFailed:
        try:
            return await self._listed(status, since, until, pause)
        except (NoAnswer, Refused) as error:
            return LookUpFailed(error.answer)
        except NotSent as error:
            return LookUpFailed(Answer(message=str(error)))
        except TimeoutError:
            return LookUpFailed(Answer(message="no answer within the deadline"))
        except Exception as error:  # noqa: BLE001 - one odd page must not end the sweep for good
            return LookUpFailed(_defect(error))

    async def _listed(self, status: str, since: datetime, until: datetime, pause: float) -> Found | LookUpFailed:
        """Read page after page. A list that changes meanwhile has moved payments between pages: read it anew."""
        pages = self._client.payments_by_status(status, since=since, until=until)
        records: list[PaymentRecord] = []
        total = 0
        while True:
            await asyncio.sleep(pause)
            async with asyncio.timeout(self._deadline):
                page = await anext(pages, None)
            if page is None:
                break
            if records and page.total != total:
                return LookUpFailed(Answer(http_status=200, message="the list changed while it was read"))
            total = page.total
            records += page.payments
        if len(records) != total:
            return LookUpFailed(Answer(http_status=200, message="the pages do not hold what they count"))
        return Found(tuple(records))

    async def refund(self, refund: Refund) -> PaymentRecord | RefundRefused | LookUpFailed:
        try:
            async with asyncio.timeout(self._deadline):
                return await self._client.cancel(
                    imp_uid=refund.imp_uid, checksum=refund.checksum, tax_free=refund.tax_free, reason=refund.reason
                )
        except Refused as error:
            return RefundRefused(error.answer)
        except NotSent as error:
            return RefundRefused(Answer(message=str(error)))
        except NoAnswer as error:
            return LookUpFailed(error.answer)
        except TimeoutError:
            return LookUpFailed(Answer(message="no answer within the deadline"))

    async def aclose(self) -> None:
        await self._client.aclose()


def read_charge(request: ChargeRequest, envelope: Envelope) -> Outcome:
    """Read the answer to `again`.

    Both shapes of a decline are read: code 0 with a failed payment (documented), and another code with the PG's text
    in `message` (seen in client code), whose response is then null.
    """
    said = Answer(
        http_status=envelope.http_status,
        code=str(envelope.code),
        message=None if envelope.message is None else redacted(envelope.message, request.customer_uid),
    )
    if envelope.http_status not in ANSWERING_STATUSES or (envelope.code == 0 and envelope.http_status != 200):
        return Unknown(UnknownReason.SERVER_ERROR, said)
    if envelope.code != 0 and envelope.response:
        return Unknown(UnknownReason.STATUS_NOT_KNOWN, said)  # a refusal that comes with a payment is neither
    if envelope.code != 0:
        return _refused(said, classify(request.pg, None, said.message))
    try:
        record = read_payment(envelope.response)
    except Unreadable as error:
        return Unknown(UnknownReason.UNREADABLE, replace(said, message=str(error)))
    return _read_record(request, record, _answer(envelope, record))


def _read_record(request: ChargeRequest, record: PaymentRecord, answer: Answer) -> Outcome:
    ours = (request.merchant_uid, request.amount, request.currency)
    if (record.merchant_uid, record.amount, record.currency) != ours:
        return Unknown(UnknownReason.OTHER_PAYMENT, answer, needs_human=True)
    match record.status:
        case "paid" if record.paid_at is not None:
            return Paid(record.paid_at, answer)
        case "failed":
            return _failed(answer, classify(request.pg, None, record.fail_reason))
        case "ready":
            return Unknown(UnknownReason.IN_PROGRESS, answer)
        case "cancelled":
            return Unknown(UnknownReason.CANCELED, answer, needs_human=True)
        case _:
            return Unknown(UnknownReason.STATUS_NOT_KNOWN, answer)


def _failed(answer: Answer, verdict: Verdict) -> Outcome:
    """A failed record is on PortOne's books: words nobody knows are a decline all the same."""
    if verdict is Duplicate:
        return Unknown(UnknownReason.DUPLICATE, answer)
    if verdict is NeedsLookUp:
        return Unknown(UnknownReason.GATEWAY_UNSURE, answer)
    return Declined(verdict, answer)


def _refused(answer: Answer, verdict: Verdict) -> Outcome:
    """Without a record, words that nobody knows may also mean "already paid", and "try later" that it is under way."""
    if verdict is DeclineKind.UNMATCHED:
        return Unknown(UnknownReason.REFUSAL_NOT_KNOWN, answer)
    if verdict is DeclineKind.TRANSIENT:
        return Unknown(UnknownReason.GATEWAY_UNSURE, answer)
    return _failed(answer, verdict)


def _defect(error: Exception) -> Answer:
    """Note an error that no table knows, without its text: nobody knows what that holds."""
    log.error("a PortOne answer met a defect of ours; the payment will be looked up", error=type(error).__name__)
    return Answer(message=type(error).__name__)


def _answer(envelope: Envelope, record: PaymentRecord) -> Answer:
    return Answer(
        http_status=envelope.http_status,
        code=str(envelope.code),
        message=record.fail_reason,
        imp_uid=record.imp_uid,
        pg_tid=record.pg_tid,
        raw=record.raw,
    )
