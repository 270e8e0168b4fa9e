"""The idempotency key of an attempt: derived from what never changes, and readable back into its parts.

    again  7ZK3M9QX2VB4C  20261121010000  001
    prefix subscription   period start    attempt number
           code           in UTC

A database restored from a backup derives the same key again, and a payment found at PortOne can always be
assigned to its period.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

MAX_LENGTH = 40  # PortOne's limit (documented); some PGs cut off or refuse anything but letters and digits
PREFIX = re.compile(r"[a-z][a-z0-9]{0,7}")
SUBSCRIPTION_CODE_LENGTH = 13
MAX_NUMBER = 999
KEY_ONLY_DIGITS = 14

_START = "%Y%m%d%H%M%S"
_SHAPE = re.compile(
    r"(?P<prefix>[a-z][a-z0-9]{0,7})"
    r"(?P<subscription_code>[0-9A-HJKMNP-TV-Z]{13})"
    r"(?P<period_start>[0-9]{14})"
    r"(?P<number>[0-9]{3})"
)


@dataclass(frozen=True, slots=True)
class MerchantUid:
    """The parts of a merchant_uid; `str()` puts them together."""

    prefix: str
    subscription_code: str
    period_start: datetime
    number: int

    def __str__(self) -> str:
        start = self.period_start.astimezone(UTC).strftime(_START).rjust(14, "0")
        return f"{self.prefix}{self.subscription_code}{start}{self.number:03d}"


def derive(prefix: str, subscription_code: str, period_start: datetime, number: int) -> str:
    """Return the merchant_uid of one attempt; the same parts always give the same text.

    Raises ValueError for parts that would not come back: a number outside 1-999, a start with fractions of a
    second or without a zone, a prefix or code of another alphabet.
    """
    # In UTC before it is compared: a local time that clocks show twice, or never, equals no time of another zone.
    parts = MerchantUid(prefix, subscription_code, period_start.astimezone(UTC), number)
    text = str(parts)
    if period_start.tzinfo is None or parse(text) != parts:
        raise ValueError(f"no merchant_uid can hold {prefix=} {subscription_code=} {period_start=} {number=}")
    return text


def parse(text: str) -> MerchantUid | None:
    """Return the parts of a text, or None when it is not one of ours."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    try:
        start = _instant(match["period_start"])
    except ValueError:
        return None
    number = int(match["number"])
    return MerchantUid(match["prefix"], match["subscription_code"], start, number) if number else None


@lru_cache(maxsize=4096)
def _instant(digits: str) -> datetime:
    """Return the instant of fourteen digits, which many charges share; raises ValueError."""
    month, day, hour, minute, second = (int(digits[place : place + 2]) for place in range(4, 14, 2))
    return datetime(int(digits[:4]), month, day, hour, minute, second, tzinfo=UTC)


def key_only_uid(prefix: str, subscription_code: str, drawn: int) -> str:
    """Return the merchant_uid of a window that registers a key alone: no attempt's, since no attempt has the number 0.

    `drawn` is a random number; its last 14 digits are used.
    """
    merchant_uid = f"{prefix}{subscription_code}{drawn % 10**KEY_ONLY_DIGITS:0{KEY_ONLY_DIGITS}d}000"
    assert parse(merchant_uid) is None, "it would be taken for a period's payment"
    return merchant_uid
