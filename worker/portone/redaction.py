"""What of PortOne's answers may be stored and shown: fields by a list, texts without keys and long numbers."""

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
        *("started_at", "paid_at", "failed_at", "cancelled_at", "fail_reason", "cancel_reason"),
    )
)
"""What of a payment may be stored. A list of what is kept: a new field is not kept by itself."""

IDENTIFIERS = frozenset(("imp_uid", "merchant_uid", "pg_tid", "pg_id"))
"""What is kept as it is: a PG's transaction id may be all digits, and a cut one finds nothing."""

LONGEST_TEXT = 500  # characters of anything that is stored
LONGEST_IDENTIFIER = 100  # PortOne's own limits are 32 to 80 (documented)

_LONG_NUMBER = re.compile(r"\d(?:[ -]?\d){9,}")
_CUSTOMER_UID = re.compile(
    r"(customer_uid\W{0,3})(?!removed\])[\w.@:-]+"
)  # PortOne quotes it in its refusals (seen in client code)
_TELLING = 8
"""A customer_uid shorter than that is left in a text: it names nobody, and taking it out could take out a PG's code."""


def kept(document: Mapping[str, Any]) -> dict[str, Any]:
    """Take out of a payment what may be stored, and can be: PostgreSQL's JSON knows neither NUL nor infinity."""
    customer_uid = document.get("customer_uid")
    return {
        name: _kept_text(name, value, customer_uid) if isinstance(value, str) else value
        for name, value in document.items()
        if name in KEPT_FIELDS
        and (value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)))
    }


def redacted(text: str, customer_uid: object = None) -> str:
    """Hide in a PG's text the billing key and what could be a card or account number, and cut it to be readable."""
    if isinstance(customer_uid, str) and len(customer_uid) >= _TELLING:
        text = text.replace(customer_uid, "[removed]")
    text = _CUSTOMER_UID.sub(r"\1[removed]", storable(text))
    return _LONG_NUMBER.sub("[number removed]", text)[:LONGEST_TEXT]


def storable(text: str) -> str:
    """Leave out what PostgreSQL cannot store: NUL, and halves of surrogate pairs, which JSON can spell."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _kept_text(name: str, value: str, customer_uid: object) -> str:
    return storable(value)[:LONGEST_IDENTIFIER] if name in IDENTIFIERS else redacted(value, customer_uid)
