"""Reading PortOne's JSON: the envelope, payments, pages. Unknown fields are ignored, deciding ones are validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from json import JSONDecoder
from typing import Any

from worker.domain.gateway import Cancellation, ChargeRequest, PaymentRecord, Schedule, StoredKey
from worker.domain.merchant_uid import parse
from worker.domain.outcomes import Answer
from worker.pg.catalog import PGS_TAKING_VAT_AMOUNT
from worker.portone.redaction import LONGEST_IDENTIFIER, kept, redacted, storable

MOST_AMOUNT = 10**12
"""Largest amount, in won or any currency's smaller unit; far above any real payment."""

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp(), datetime(2200, 1, 1, tzinfo=UTC).timestamp()
"""UNIX seconds between which a time is plausible. `worker.domain.payment_time` decides whether it fits a payment."""

_NUMBERS = frozenset({int, float})  # and not bool, which is an int


class Unreadable(ValueError):
    """PortOne's answer does not have the documented shape."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """PortOne's `{code, message, response}`. Code 0 means that the call worked, not that money moved (documented)."""

    http_status: int
    code: int
    message: str | None
    response: Any = field(repr=False)

    @property
    def answer(self) -> Answer:
        return Answer(http_status=self.http_status, code=str(self.code), message=self.message)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of payments; `next_page` is None on the last."""

    payments: tuple[PaymentRecord, ...]
    total: int
    next_page: int | None
    skipped: int = 0  # number of listed payments that could not be read
    lost: tuple[str, ...] = ()  # the merchant_uids among them that have our format


def read_envelope(http_status: int, body: bytes) -> Envelope:
    """Return the envelope; raises Unreadable."""
    try:
        # Only UTF-8 (RFC 8259); and no duplicate names, of which either value could be meant.
        document = _JSON.decode(body.decode().removeprefix(_BYTE_ORDER_MARK))
    except (ValueError, RecursionError):
        raise Unreadable("not JSON, or nested too deep") from None
    # All three keys, always (documented). A proxy's own 404 must not read as "PortOne has no such payment".
    if not isinstance(document, dict) or not {"code", "message", "response"} <= document.keys():
        raise Unreadable("not PortOne's envelope")
    if type(document["code"]) is not int:
        raise Unreadable("not PortOne's envelope: its code is not a number")
    return Envelope(http_status, document["code"], _words(document.get("message")), document.get("response"))


def read_payment(document: Any) -> PaymentRecord:
    """Return one payment; raises Unreadable when a deciding field is missing or of another type.

    A payment with an impossible amount is returned as an `odd` one: money may have moved.
    """
    if not isinstance(document, dict):
        raise Unreadable("a payment is not an object")
    amount, refunded, odd = _amounts(document)
    return PaymentRecord(
        imp_uid=_text(document, "imp_uid"),
        merchant_uid=_text(document, "merchant_uid"),
        status=_text(document, "status"),
        amount=amount,
        cancel_amount=refunded,
        currency=_text(document, "currency"),
        paid_at=instant(document.get("paid_at")),
        fail_reason=_words(document.get("fail_reason"), document.get("customer_uid")),
        pg_tid=_identifier(document.get("pg_tid")),
        customer_uid=document.get("customer_uid") if isinstance(document.get("customer_uid"), str) else None,
        odd=odd,
        cancellations=_cancellations(document.get("cancel_history")),
        raw=kept(document),
    )


def read_stored_key(document: Mapping[str, Any]) -> StoredKey:
    """Return a billing key; raises Unreadable. Wallets show no card (documented for PayPal, assumed for others)."""
    name, number = (_words(document.get(each)) for each in ("card_name", "card_number"))
    return StoredKey(
        customer_uid=_text(document, "customer_uid"),
        pg=_text(document, "pg_provider"),
        card=" ".join(filter(None, (name, number and number[-4:]))) or None,
        registered_at=instant(document.get("inserted")),
    )


def read_schedule(document: Any) -> Schedule | None:
    """Return a scheduled charge, or None for one that was executed or revoked; raises Unreadable."""
    if not isinstance(document, dict):
        raise Unreadable("a schedule is not an object")
    if document.get("schedule_status") in {"executed", "revoked"}:
        return None
    schedule_at = instant(document.get("schedule_at"))
    if schedule_at is None:
        raise Unreadable("schedule_at is not a time")
    return Schedule(
        customer_uid=_text(document, "customer_uid"),
        merchant_uid=_text(document, "merchant_uid"),
        schedule_at=schedule_at,
        amount=_money(document, "amount"),
        currency=_text({"currency": document.get("currency") or "KRW"}, "currency"),
    )


def read_page(document: Any, *, skipping: bool = False) -> Page:
    """Return a page of payments; raises Unreadable, with `skipping` only for the page and not for a payment.

    Other systems on the account may have payments that our schema does not fit, such as those with cents.
    """
    if not isinstance(document, dict):
        raise Unreadable("not a page of payments")
    following, total, listed = document.get("next"), document.get("total"), document.get("list")
    if listed is None and type(total) is int and total == 0:
        listed = []  # an empty list may be left out (documented as optional)
    if not isinstance(listed, list):
        raise Unreadable("not a page of payments")
    payments, unread = _read_payments(listed, skipping=skipping)
    return Page(
        payments=tuple(payments),
        total=total if type(total) is int else len(listed),
        next_page=following if type(following) is int and following > 0 else None,
        skipped=len(unread),
        lost=tuple(each for each in unread if isinstance(each, str) and parse(each) is not None),
    )


def _read_payments(listed: Sequence[Any], *, skipping: bool) -> tuple[list[PaymentRecord], list[Any]]:
    """Return the readable payments, and the merchant_uid fields of the unreadable ones."""
    payments: list[PaymentRecord] = []
    unread: list[Any] = []
    for each in listed:
        try:
            payments.append(read_payment(each))
        except Unreadable:
            if not skipping or not isinstance(each, dict):
                raise
            unread.append(each.get("merchant_uid"))
    return payments, unread


def again_body(request: ChargeRequest) -> dict[str, Any]:
    """Return the body of `again`: PortOne's example, the name, and what differs from the defaults.

    vat_amount is sent only to PGs that take one (documented); the others calculate it.
    """
    body: dict[str, Any] = {
        "customer_uid": request.customer_uid,
        "merchant_uid": request.merchant_uid,
        "amount": request.amount,
        "name": request.name,
    }
    if request.currency != "KRW":
        body["currency"] = request.currency
    if request.tax_free:
        body["tax_free"] = request.tax_free
    if request.vat_amount is not None and request.pg in PGS_TAKING_VAT_AMOUNT:
        body["vat_amount"] = request.vat_amount
    if request.channel_key is not None:
        body["channel_key"] = request.channel_key
    return body


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_IDENTIFIER or storable(value) != value:
        raise Unreadable(f"{name} is not a text")
    return value


def _identifier(value: Any) -> str | None:
    return (storable(value)[:LONGEST_IDENTIFIER] or None) if isinstance(value, str) else None


def _words(value: Any, customer_uid: object = None) -> str | None:
    return redacted(value, customer_uid) if isinstance(value, str) and value else None


def _each_name_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name occurs twice")
    return document


_JSON = JSONDecoder(object_pairs_hook=_each_name_once)
_BYTE_ORDER_MARK = "\ufeff"


def _amounts(document: Mapping[str, Any]) -> tuple[int, int, str | None]:
    """Return the paid and the refunded amount, both clamped to possible values, and what was impossible, or None."""
    amount = _money(document, "amount")
    refunded = _money(document, "cancel_amount") if document.get("cancel_amount") else 0
    if not 0 <= amount <= MOST_AMOUNT:
        return min(max(amount, 0), MOST_AMOUNT), 0, "an impossible amount"
    if not 0 <= refunded <= amount:
        return amount, min(max(refunded, 0), amount), "an impossible refund, below zero or above what was paid"
    return amount, refunded, None


def _cancellations(history: Any) -> tuple[Cancellation, ...]:
    """Return the refunds of a payment that can be read, in PortOne's order; what they come to is compared elsewhere."""
    entries = [each for each in history if isinstance(each, dict)] if isinstance(history, list) else []
    return tuple(
        Cancellation(
            amount=int(each["amount"]),
            canceled_at=instant(each.get("cancelled_at")),
            reason=_words(each.get("reason")),
            cancellation_id=_identifier(each.get("cancellation_id")),
        )
        for each in entries
        if type(each.get("amount")) in _NUMBERS and 0 < each["amount"] <= MOST_AMOUNT
    )


def _money(document: Mapping[str, Any], name: str) -> int:
    value = document.get(name)
    if type(value) is int:
        return value
    if not isinstance(value, float) or value != value // 1:
        raise Unreadable(f"{name} is not a whole number")
    return int(value)


def instant(value: Any) -> datetime | None:
    """Return a time from UNIX seconds; None for impossible ones, and for "none": 0 (seen in samples) or null."""
    if type(value) not in _NUMBERS or not EARLIEST <= value < LATEST:
        return None
    return datetime.fromtimestamp(value, UTC)
