"""A host's own reference of a customer: in one Unicode form, so that what looks the same is the same. Pure."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 100
"""Characters."""

EXPECTED = f"1 to {LONGEST} printable characters"

# Letters and marks by Unicode's own tables, which are invisible: fillers of Hangul, joiners, variation selectors.
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


def normalized(text: str) -> str:
    """Return a text in Unicode's form NFC, the only one that is stored and compared.

    A Mac writes the syllables of Hangul and letters with accents in pieces (NFD); both forms look the same everywhere.
    """
    return unicodedata.normalize("NFC", text)


def is_customer_reference(text: str) -> bool:
    """Return whether a text, in NFC, can name a customer: every character of it is visible."""
    return (
        1 <= len(text) <= LONGEST
        and text.isprintable()
        and text == text.strip()
        and text == normalized(text)
        and _UNSEEN.search(text) is None
    )
