"""The 13 characters by which a subscription is known: drawn at random, and part of every merchant_uid of it."""

from __future__ import annotations

import secrets

from worker.domain.merchant_uid import SUBSCRIPTION_CODE_LENGTH

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # base 32 without I, L, O and U

_MISREAD = str.maketrans("ILO", "110")


def new_code() -> str:
    """Draw a code: 65 random bits, so that two are never alike and none can be guessed."""
    number = secrets.randbits(5 * SUBSCRIPTION_CODE_LENGTH)
    return "".join(CROCKFORD[number >> 5 * place & 31] for place in range(SUBSCRIPTION_CODE_LENGTH))


def is_code(text: str) -> bool:
    """Return whether a text is 13 such characters, as codes of subscriptions and of checkouts are."""
    return len(text) == SUBSCRIPTION_CODE_LENGTH and set(text) <= set(CROCKFORD)


def read_code(text: str) -> str:
    """Read a code as people type one: in any case, and with I, L and O for 1, 1 and 0."""
    seen = "".join(each for each in text if each.isprintable())
    return seen.strip().upper().translate(_MISREAD)
