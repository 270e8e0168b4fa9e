"""Which parts of PortOne's answers may be stored and shown: listed fields, texts without keys and long numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

KEPT_FIELDS = frozenset(
    (
        *("imp_uid", "merchant_uid", "name", "status", "amount", "cancel_amount", "currency", "sandbox"),
        *("pay_method", "channel", "pg_provider", "emb_pg_provider", "pg_tid", "pg_id", "customer_uid_usage"),
        *("card_code", "card_name", "card_issuer_code", "card_publisher_code", "card_quota", "card_type"),
        *("started_at", "paid_at", "failed_at", "cancelled_at", "fail_reason", "cancel_reason", "receipt_url"),
    )
)
"""Fields of a payment that may be stored. An allow-list: a new field of PortOne's is not stored."""

IDENTIFIERS = frozenset(("imp_uid", "merchant_uid", "pg_tid", "pg_id"))
"""Fields that are not redacted: a PG's transaction id may be all digits, and is useless when cut."""

ADDRESSES = frozenset(("receipt_url",))
"""Fields that are addresses of a PG's page (documented). They are kept whole or not at all: cut, they lead nowhere."""

LONGEST_TEXT = 500  # characters of any stored text
LONGEST_IDENTIFIER = 100  # characters; PortOne's own limits are 32 to 80 (documented)

_ADDRESS = re.compile(r"https?://[!-~]+")
_LONG_NUMBER = re.compile(r"\d(?:[ -]?\d){9,}")
_LEAST_DIGITS = 10  # of a long number
_CUSTOMER_UID = re.compile(
    r"(customer_uid\W{0,3})(?!removed\])[\w.@:-]+"
)  # PortOne quotes it in its refusals (seen in client code)
_TELLING = 8
"""Least characters of a customer_uid that is removed from texts; a shorter one could be a PG's code."""


def kept(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a payment that may and can be stored: PostgreSQL's JSON has neither NUL nor infinity."""
    customer_uid = document.get("customer_uid")
    fields: dict[str, Any] = {}
    for name, value in document.items():
        if name not in KEPT_FIELDS:
            continue
        if isinstance(value, str):
            fields[name] = _kept_text(name, value, customer_uid)
        elif value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
            fields[name] = value
    return fields


def redacted(text: str, customer_uid: object = None) -> str:
    """Return a PG's text without the billing key and possible card or account numbers, cut to LONGEST_TEXT."""
    if isinstance(customer_uid, str) and len(customer_uid) >= _TELLING:
        text = text.replace(customer_uid, "[removed]")
    text = storable(text)
    if "customer_uid" in text:  # most texts are one word, and a pattern that cannot match costs more than the rest
        text = _CUSTOMER_UID.sub(r"\1[removed]", text)
    if len(text) >= _LEAST_DIGITS:
        text = _LONG_NUMBER.sub("[number removed]", text)
    return text[:LONGEST_TEXT]


def storable(text: str) -> str:
    """Return a text without what PostgreSQL cannot store: NUL, and lone surrogates, which JSON can contain."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _kept_text(name: str, value: str, customer_uid: object) -> str | None:
    if name in ADDRESSES:
        return _kept_address(value, customer_uid)
    return storable(value)[:LONGEST_IDENTIFIER] if name in IDENTIFIERS else redacted(value, customer_uid)


def _kept_address(value: str, customer_uid: object) -> str | None:
    """Return an address that a page may link to; None for anything else, and for one that holds the billing key."""
    if len(value) > LONGEST_TEXT or not _ADDRESS.fullmatch(value) or "customer_uid" in value:
        return None
    return None if isinstance(customer_uid, str) and customer_uid and customer_uid in value else value
