"""The id of an event: made of the fact, so that a database restored from a backup gives the same fact the same id."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime

from worker.domain.events.types import EventType

PREFIX = "evt_"
_BYTES = 15
"""120 bits, 24 characters in base32: no two facts share them."""


def event_id(kind: EventType, subscription: str | None, period_start: datetime | None, key: str) -> str:
    """Return the id of an event of a subscription's code and a period, if it is about any.

    `key` tells it from others of the same type about the same period, or the same subscription.
    """
    period = "" if period_start is None else f"{period_start.timestamp():.6f}"
    digest = hashlib.sha256("\0".join((kind.value, subscription or "", period, key)).encode()).digest()
    return PREFIX + base64.b32encode(digest[:_BYTES]).decode().lower()
