"""What a customer_uid may look like, and how one is shown: never in full, for it is as good as a card."""

from __future__ import annotations

import re

EXPECTED = "1 to 80 printable ASCII characters without spaces"
SHOWN = 4

# PortOne documents only the 80. That printable ASCII survives every PG is assumed.
_SHAPE = re.compile(r"[!-~]{1,80}")


def is_customer_uid(text: str) -> bool:
    return _SHAPE.fullmatch(text) is not None


def masked(customer_uid: str) -> str:
    """Return a form that is safe to show: the last four characters, or none when that would be too much of it."""
    return "****" + (customer_uid[-SHOWN:] if len(customer_uid) >= 3 * SHOWN else "")
