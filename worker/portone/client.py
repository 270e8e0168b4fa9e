"""The PortOne V1 client: one method per endpoint; answers are values, failures PortOneError.

Endpoints, parameters and statuses are documented in PortOne's V1 API reference.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from worker.domain.gateway import ChargeRequest, LeaseCheck, PaymentRecord, always
from worker.domain.outcomes import Answer, UnknownReason
from worker.portone.connection import MAX_PAGE_BYTES, Connection
from worker.portone.errors import NoAnswer, Rejected
from worker.portone.payloads import Envelope, Page, Unreadable, again_body, read_payment
from worker.portone.schedules import listed
from worker.portone.transport import STILL_OURS

MAX_PAGE = 1000  # payments a page (documented); the default is 20


class PortOneClient:
    """Every endpoint that Again uses, over one Connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def aclose(self) -> None:
        await self._connection.aclose()

    async def token(self) -> str:
        """Return the access token; raises NoToken when PortOne issues none."""
        return await self._connection.token()

    async def server_time(self) -> datetime | None:
        """Return the time of PortOne's clock, which comes with a token (documented); raises NoToken."""
        return await self._connection.server_time()

    # --- charging ---------------------------------------------------------------------------------------------------

    async def again(self, request: ChargeRequest, *, holds_lease: LeaseCheck = always) -> Envelope:
        """POST /subscribe/payments/again: charge a stored key once. Money may have moved unless NotSent is raised."""
        return await self._connection.call(
            "POST", "/subscribe/payments/again", json=again_body(request), extensions={STILL_OURS: holds_lease}
        )

    async def cancel(
        self,
        *,
        imp_uid: str,
        checksum: int,
        amount: int | None = None,
        tax_free: int | None = None,
        vat_amount: int | None = None,
        reason: str,
        requester: str | None = None,
    ) -> PaymentRecord:
        """POST /payments/cancel: refund `amount`, or the rest if it is None.

        `checksum` is what we expect to be still refundable; PortOne rejects any other sum, so a repeated call cannot
        refund twice. Some PGs require `tax_free` (documented for payco, kcp, kcp_quick, kicc, nice), some on the
        `vat_amount` that was stated with the payment (documented for nice, html5_inicis, welcome, nice_v2, tosspay_v2),
        and Naver Pay the `requester` (documented).
        """
        body: dict[str, Any] = {
            "imp_uid": imp_uid,
            "checksum": checksum,
            "amount": amount,
            "tax_free": tax_free,
            "vat_amount": vat_amount,
            "reason": reason,
            "extra": None if requester is None else {"requester": requester},
        }
        given = {name: value for name, value in body.items() if value is not None}
        envelope = await self._connection.accepted("POST", "/payments/cancel", json=given)
        return _payment(envelope.response)

    # --- looking up -------------------------------------------------------------------------------------------------

    async def payment(self, imp_uid: str) -> PaymentRecord | None:
        """GET /payments/{imp_uid}, payments of test channels included; None when there is none."""
        return _payment_or_none(
            await self._connection.found("GET", f"/payments/{_part(imp_uid)}", params={"include_sandbox": "true"})
        )

    async def find_all(self, merchant_uid: str) -> list[PaymentRecord]:
        """GET /payments/findAll: every record of a merchant_uid, newest first."""
        walk = self._connection.pages(f"/payments/findAll/{_part(merchant_uid)}", {"limit": MAX_PAGE})
        pages = [page async for page in walk]
        payments = [payment for page in pages for payment in page.payments]
        if len(payments) < max((page.total for page in pages), default=0):
            raise _unreadable("a list that counts more payments than it holds")
        return payments

    def payments_by_status(self, status: str, *, since: datetime, until: datetime) -> AsyncIterator[Page]:
        """GET /payments/status/{status}: pages of payments within at most 90 days, those of other systems too."""
        query = {"from": int(since.timestamp()), "to": int(until.timestamp()), "limit": MAX_PAGE, "sorting": "started"}
        return self._connection.pages(f"/payments/status/{_part(status)}", query, skipping=True)

    # --- billing keys -----------------------------------------------------------------------------------------------

    async def customer(self, customer_uid: str) -> Mapping[str, Any] | None:
        """GET /subscribe/customers/{customer_uid}; None when PortOne has no such key.

        That is a 404 (documented), or HTTP 200 with code 1 and a text that says so (seen in client tests). Code 1 alone
        may be any failed check of PortOne, such as a billing module that is not set up.
        """
        try:
            envelope = await self._connection.found("GET", f"/subscribe/customers/{_part(customer_uid)}")
        except Rejected as rejected:
            if rejected.answer.http_status == 200 and says_no_such_key(rejected.answer):
                return None
            raise
        if envelope is not None and not isinstance(envelope.response, dict):
            raise _unreadable("a billing key is not an object")
        return None if envelope is None else envelope.response

    async def delete_customer(self, customer_uid: str, *, reason: str, requester: str | None = None) -> None:
        """DELETE /subscribe/customers/{customer_uid}: for good. nice_v2 requires a reason, Naver Pay a requester."""
        path = f"/subscribe/customers/{_part(customer_uid)}"
        query = {"reason": reason} | ({} if requester is None else {"extra[requester]": requester})
        await self._connection.accepted("DELETE", path, params=query)

    async def schedules(self, *, since: datetime, until: datetime, page: int) -> list[Any]:
        """GET /subscribe/payments/schedule: open ones of the account, within three months, the nearest first."""
        query = {
            "schedule_from": int(since.timestamp()),
            "schedule_to": int(until.timestamp()),
            "schedule_status": "scheduled",
            "sorting": "scheduled",
            "limit": MAX_PAGE,
            "page": page,
        }
        return await self._schedules("/subscribe/payments/schedule", query)

    async def customer_schedules(self, customer_uid: str, *, since: datetime, until: datetime, page: int) -> list[Any]:
        """GET /subscribe/customers/{customer_uid}/schedules: open ones of a key, within three months."""
        query = {
            "from": int(since.timestamp()),
            "to": int(until.timestamp()),
            "schedule-status": "scheduled",
            "page": page,
        }
        return await self._schedules(f"/subscribe/customers/{_part(customer_uid)}/schedules", query)

    async def _schedules(self, path: str, query: Mapping[str, Any]) -> list[Any]:
        """Return one page; empty beyond the last one, or where there is nothing (both assumed to be a 400 or 404)."""
        try:
            envelope = await self._connection.found("GET", path, params=query, limit=MAX_PAGE_BYTES)
        except Rejected as rejected:
            beyond_the_last = rejected.answer.http_status == 400 and query["page"] > 1
            if beyond_the_last or (rejected.answer.http_status == 200 and says_no_such_key(rejected.answer)):
                return []
            raise
        return [] if envelope is None else listed(envelope.response)


_KEY = re.compile(r"customer_uid|구매자|고객|빌링\s?키|billing key", re.IGNORECASE)
_NOT_THERE = re.compile(
    r"찾을\s?수\s?없|존재하지\s?않|등록되지\s?않|등록된.{0,20}없|not found|no such|does not exist", re.IGNORECASE
)
_OURS = re.compile(
    r"모듈|설정|채널|가맹점|고객사|상점|업체|계약|권한|\bMID\b|\bPG|module|channel|merchant|config", re.IGNORECASE
)


def says_no_such_key(answer: Answer) -> bool:
    """Return whether an error is about a missing key, and not about how the account is set up."""
    words = answer.message or ""
    return answer.code == "1" and bool(_KEY.search(words) and _NOT_THERE.search(words)) and not _OURS.search(words)


def _part(text: str) -> str:
    """Return one quoted part of a path, so that no id leads to another endpoint."""
    if not text:
        raise ValueError("an empty id would match everything")
    return text.replace(".", "%2E") if text in {".", ".."} else quote(text, safe="")


def _payment(document: Any) -> PaymentRecord:
    try:
        return read_payment(document)
    except Unreadable as error:
        raise _unreadable(str(error)) from None


def _unreadable(why: str) -> NoAnswer:
    return NoAnswer(UnknownReason.UNREADABLE, Answer(http_status=200, message=why))


def _payment_or_none(envelope: Envelope | None) -> PaymentRecord | None:
    return None if envelope is None else _payment(envelope.response)
