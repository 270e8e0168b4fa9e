"""The PortOne V1 client: one method per endpoint, answers as values, failures as PortOneError.

Endpoints, parameters and statuses are documented in PortOne's V1 API reference.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from worker.gateway import ChargeRequest, PaymentRecord
from worker.outcomes import Answer, UnknownReason
from worker.portone.connection import Connection
from worker.portone.errors import NoAnswer, Refused
from worker.portone.payloads import Envelope, Page, Unreadable, again_body, read_payment

MAX_PAGE = 1000  # documented; the default is 20


class PortOneClient:
    """Every endpoint that Again uses, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def aclose(self) -> None:
        await self._connection.aclose()

    async def token(self) -> str:
        """Give the access token; raises NoToken when PortOne gives none."""
        return await self._connection.token()

    # --- charging ---------------------------------------------------------------------------------------------------

    async def again(self, request: ChargeRequest) -> Envelope:
        """POST /subscribe/payments/again: charge a stored key once. Money may have moved unless NotSent is raised."""
        return await self._connection.call("POST", "/subscribe/payments/again", json=again_body(request))

    async def cancel(
        self, *, imp_uid: str, checksum: int, amount: int | None = None, tax_free: int | None = None, reason: str
    ) -> PaymentRecord:
        """POST /payments/cancel: give money back. `amount` None is the rest.

        `checksum` is what we believe is still cancellable; PortOne refuses when it is not, so a repeated call cannot
        give back twice. Some PGs insist on `tax_free` (documented for payco, kcp, kcp_quick, kicc, nice).
        """
        body = {"imp_uid": imp_uid, "checksum": checksum, "amount": amount, "tax_free": tax_free, "reason": reason}
        given = {name: value for name, value in body.items() if value is not None}
        envelope = await self._connection.accepted("POST", "/payments/cancel", json=given)
        return _payment(envelope.response)

    # --- looking up -------------------------------------------------------------------------------------------------

    async def payment(self, imp_uid: str) -> PaymentRecord | None:
        """GET /payments/{imp_uid}, payments of test channels included; None when there is none."""
        return _payment_or_none(
            await self._connection.found(
                "GET", f"/payments/{quote(imp_uid, safe='')}", params={"include_sandbox": "true"}
            )
        )

    async def payments(self, merchant_uids: Sequence[str]) -> list[PaymentRecord]:
        """GET /payments?merchant_uid[]=: those of up to 100 merchant_uids that exist."""
        envelope = await self._connection.found("GET", "/payments", params={"merchant_uid[]": list(merchant_uids)})
        return [] if envelope is None else [_payment(each) for each in _list(envelope)]

    async def find(self, merchant_uid: str, status: str | None = None) -> PaymentRecord | None:
        """GET /payments/find: one record, the newest. A newer `failed` one may hide a `paid` one: see `find_all`."""
        return _payment_or_none(await self._connection.found("GET", _path("/payments/find", merchant_uid, status)))

    async def find_all(self, merchant_uid: str, status: str | None = None) -> list[PaymentRecord]:
        """GET /payments/findAll: every record of a merchant_uid, newest first."""
        walk = self._connection.pages(_path("/payments/findAll", merchant_uid, status), {"limit": MAX_PAGE})
        pages = [page async for page in walk]
        payments = [payment for page in pages for payment in page.payments]
        if not payments and any(page.total for page in pages):
            answer = Answer(http_status=200, message="a page that counts payments and lists none")
            raise NoAnswer(UnknownReason.UNREADABLE, answer)
        return payments

    def payments_by_status(self, status: str, *, since: datetime, until: datetime) -> AsyncIterator[Page]:
        """GET /payments/status/{status}: pages of payments in a window of at most 90 days."""
        window = {"from": int(since.timestamp()), "to": int(until.timestamp()), "limit": MAX_PAGE, "sorting": "started"}
        return self._connection.pages(f"/payments/status/{quote(status)}", window)

    # --- billing keys -----------------------------------------------------------------------------------------------

    async def customer(self, customer_uid: str) -> Mapping[str, Any] | None:
        """GET /subscribe/customers/{customer_uid}; None when PortOne has no such key (404, or code 1)."""
        try:
            envelope = await self._connection.found("GET", f"/subscribe/customers/{quote(customer_uid, safe='')}")
        except Refused as refused:
            if refused.answer.code == "1":
                return None
            raise
        return None if envelope is None or not isinstance(envelope.response, dict) else envelope.response

    async def delete_customer(self, customer_uid: str, *, reason: str) -> None:
        """DELETE /subscribe/customers/{customer_uid}: for good. nice_v2 insists on a reason."""
        path = f"/subscribe/customers/{quote(customer_uid, safe='')}"
        await self._connection.accepted("DELETE", path, params={"reason": reason})

    def customer_payments(self, customer_uid: str) -> AsyncIterator[Page]:
        """GET /subscribe/customers/{customer_uid}/payments: every payment of a key, paged."""
        return self._connection.pages(f"/subscribe/customers/{quote(customer_uid, safe='')}/payments", {})


def _path(start: str, merchant_uid: str, status: str | None) -> str:
    return "/".join([start, quote(merchant_uid, safe=""), *([status] if status else [])])


def _list(envelope: Envelope) -> list[Any]:
    return envelope.response if isinstance(envelope.response, list) else []


def _payment(document: Any) -> PaymentRecord:
    try:
        return read_payment(document)
    except Unreadable as error:
        raise NoAnswer(UnknownReason.UNREADABLE, Answer(http_status=200, message=str(error))) from None


def _payment_or_none(envelope: Envelope | None) -> PaymentRecord | None:
    return None if envelope is None else _payment(envelope.response)
