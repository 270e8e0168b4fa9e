"""Identifiers as they are typed, received and shown: subscription codes, customer_uids, imp_uids, ids of rows. Pure."""

from __future__ import annotations

import re
import secrets

from worker.domain.merchant_uid import SUBSCRIPTION_CODE_LENGTH

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""The digits of a code: base 32 without I, L, O and U."""

CUSTOMER_UID_EXPECTED = "1 to 80 printable ASCII characters without spaces"
SHOWN_OF_CUSTOMER_UID = 4
"""Characters at its end that are shown."""

LONGEST_IMP_UID = 80
"""Characters. PortOne's own have at most 32 (documented)."""

LONGEST_ID = 18
"""Digits. Every such number fits into a bigint."""

_MISREAD = str.maketrans("ILO", "110")

# PortOne documents only the 80. That printable ASCII survives every PG is assumed.
_CUSTOMER_UID = re.compile(r"[!-~]{1,80}")

_IMP_UID = re.compile(rf"[A-Za-z0-9_]{{1,{LONGEST_IMP_UID}}}")


def new_code() -> str:
    """Return a new code: 65 random bits, so that no two are alike and none can be guessed."""
    number = secrets.randbits(5 * SUBSCRIPTION_CODE_LENGTH)
    return "".join(CROCKFORD[number >> 5 * place & 31] for place in range(SUBSCRIPTION_CODE_LENGTH))


def is_code(text: str) -> bool:
    """Return whether a text is a code of a subscription or a checkout: 13 of these digits."""
    return len(text) == SUBSCRIPTION_CODE_LENGTH and set(text) <= set(CROCKFORD)


def read_code(text: str) -> str:
    """Return a code as it was typed: in any case, and with I, L and O for 1, 1 and 0."""
    seen = "".join(each for each in text if each.isprintable())
    return seen.strip().upper().translate(_MISREAD)


def is_customer_uid(text: str) -> bool:
    return _CUSTOMER_UID.fullmatch(text) is not None


def masked(customer_uid: str) -> str:
    """Return the form that may be shown, for a customer_uid is as good as a card: its last four characters.

    None of them when that would be too much of it.
    """
    shown = SHOWN_OF_CUSTOMER_UID
    return "****" + (customer_uid[-shown:] if len(customer_uid) >= 3 * shown else "")


def is_imp_uid(text: str) -> bool:
    """Return whether a text can be PortOne's id of a payment: `imp_` or `imps_` and digits (seen).

    Anything else, such as `..`, must not get into a path.
    """
    return _IMP_UID.fullmatch(text) is not None


def read_id(text: str) -> int | None:
    """Return an id that was typed as 17 or #17; None for anything else."""
    digits = text.removeprefix("#")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_ID else None
