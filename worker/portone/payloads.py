"""Reading PortOne's JSON: the envelope, payments, pages. Tolerant of what is new, strict about what decides."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from worker.domain.gateway import ChargeRequest, PaymentRecord, Schedule, StoredKey
from worker.domain.merchant_uid import parse
from worker.domain.outcomes import Answer
from worker.pg.catalog import PGS_TAKING_VAT_AMOUNT
from worker.portone.redaction import LONGEST_IDENTIFIER, kept, redacted, storable

MOST_AMOUNT = 10**12
"""Won, or any currency's smaller unit: no payment is anywhere near."""

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp(), datetime(2200, 1, 1, tzinfo=UTC).timestamp()
"""UNIX seconds between which a time can be. Whether it fits a payment, `worker.domain.payment_time` says."""


class Unreadable(ValueError):
    """PortOne's answer does not have the shape that the API promises."""


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
    skipped: int = 0  # so many more were listed that could not be read
    lost: tuple[str, ...] = ()  # the merchant_uids of those among them that are made like ours


def read_envelope(http_status: int, body: bytes) -> Envelope:
    """Read the envelope, or raise Unreadable."""
    try:
        # UTF-8 alone (RFC 8259); and a name that stands twice could be read as the one or the other.
        document = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_each_name_once)
    except (ValueError, RecursionError):
        raise Unreadable("not JSON, or nested too deep") from None
    # All three keys, always (documented). A proxy's own 404 must not read as "PortOne has no such payment".
    if not isinstance(document, dict) or not {"code", "message", "response"} <= document.keys():
        raise Unreadable("not PortOne's envelope")
    if type(document["code"]) is not int:
        raise Unreadable("not PortOne's envelope: its code is not a number")
    return Envelope(http_status, document["code"], _words(document.get("message")), document.get("response"))


def read_payment(document: Any) -> PaymentRecord:
    """Read one payment, or raise Unreadable when a field that decides is missing or of another type.

    Of an amount that cannot be, the payment is told all the same, as an `odd` one: money may have moved.
    """
    if not isinstance(document, dict):
        raise Unreadable("a payment is not an object")
    amount, given_back, odd = _amounts(document)
    return PaymentRecord(
        imp_uid=_text(document, "imp_uid"),
        merchant_uid=_text(document, "merchant_uid"),
        status=_text(document, "status"),
        amount=amount,
        cancel_amount=given_back,
        currency=_text(document, "currency"),
        paid_at=instant(document.get("paid_at")),
        fail_reason=_words(document.get("fail_reason"), document.get("customer_uid")),
        pg_tid=_identifier(document.get("pg_tid")),
        customer_uid=document.get("customer_uid") if isinstance(document.get("customer_uid"), str) else None,
        odd=odd,
        raw=kept(document),
    )


def read_stored_key(document: Mapping[str, Any]) -> StoredKey:
    """Read a billing key, or raise Unreadable. Wallets show no card (documented for PayPal, assumed for others)."""
    name, number = (_words(document.get(each)) for each in ("card_name", "card_number"))
    return StoredKey(
        customer_uid=_text(document, "customer_uid"),
        pg=_text(document, "pg_provider"),
        card=" ".join(filter(None, (name, number and number[-4:]))) or None,
        registered_at=instant(document.get("inserted")),
    )


def read_schedule(document: Any) -> Schedule | None:
    """Read a scheduled charge, or raise Unreadable; None for one that was tried or taken back."""
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
    """Read a page of payments, or raise Unreadable; with `skipping`, only for a page and not for a payment.

    Whoever shares the account may have payments that no table of ours foresees, such as those with cents.
    """
    if not isinstance(document, dict):
        raise Unreadable("not a page of payments")
    following, total, listed = document.get("next"), document.get("total"), document.get("list")
    if listed is None and type(total) is int and total == 0:
        listed = []  # of nothing, the list may be left out (documented as optional)
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
    """Read payments; returns with them what stands as merchant_uid on those that could not be read."""
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
    """Write the body of `again`: PortOne's example, the name, and what differs from the defaults.

    vat_amount goes only to the PGs that take one (documented); the others work it out.
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
        raise ValueError("a name stands twice")
    return document


def _amounts(document: Mapping[str, Any]) -> tuple[int, int, str | None]:
    """Return what was paid and what of it was given back, both cut to what can be, and what cannot; None if all can."""
    amount = _money(document, "amount")
    given_back = _money({"cancel_amount": document.get("cancel_amount") or 0}, "cancel_amount")
    if not 0 <= amount <= MOST_AMOUNT:
        return min(max(amount, 0), MOST_AMOUNT), 0, "an amount that cannot be"
    if not 0 <= given_back <= amount:
        return amount, min(max(given_back, 0), amount), "more given back than was paid, or less than nothing"
    return amount, given_back, None


def _money(document: Mapping[str, Any], name: str) -> int:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise Unreadable(f"{name} is not a whole number")
    return int(value)


def instant(value: Any) -> datetime | None:
    """UNIX seconds; a time that does not apply is 0 (seen in samples) or null, and one that cannot be is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not EARLIEST <= value < LATEST:
        return None
    return datetime.fromtimestamp(value, UTC)
