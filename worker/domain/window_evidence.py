"""How long a payment window can be used, and which payments cannot have been made in it. Pure."""

from __future__ import annotations

from datetime import timedelta

from worker.domain.gateway import PaymentRecord

WINDOW_LIFE = timedelta(days=1)
"""How long after it was last opened a payment window is taken to be usable. No PG publishes how long it really is.

Kakao Pay's is said to end after 15 minutes (assumed). A payment later than this still meets the other barriers: see
ARCHITECTURE.md.
"""

KEY_KEPT = timedelta(days=7)
"""How long after its last window an unused billing key is kept: the daily statement may still show its payment."""


def paid_otherwise(record: PaymentRecord, *, opened_pgs: frozenset[str], customer_uid: str | None) -> str | None:
    """Return how a payment contradicts its windows, by another PG or another billing key; None when it does not.

    A `customer_uid` is that of the key which the window registers.
    """
    if customer_uid is not None and record.customer_uid not in {None, customer_uid}:
        return "The payment was made with another billing key."
    provider = record.raw.get("pg_provider")
    if provider is not None and opened_pgs and provider not in opened_pgs:
        return f"The payment was made through {provider!r:.20}, and {' or '.join(sorted(opened_pgs))} was asked for."
    return None
