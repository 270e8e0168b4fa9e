"""Whether a payment can have been made when PortOne says: one at an impossible time is not trusted at all. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from worker.domain.merchant_uid import parse

BEFORE_ITS_PERIOD = timedelta(days=2)
"""A first period is paid in a window on its day, before the plan's hour; and clocks may differ."""

AHEAD = timedelta(days=1)
"""Most that PortOne's clock, or a PG's, may be ahead of the database's."""


def can_be_paid_at(merchant_uid: str, paid_at: datetime, *, now: datetime) -> bool:
    """Return whether a payment of this merchant_uid can have been made at an instant: within its period, and not ahead.

    `now` is the database's. However late a payment comes to light, it was not made before its period.
    """
    parts = parse(merchant_uid)
    return paid_at - now <= AHEAD and (parts is None or parts.period_start - paid_at <= BEFORE_ITS_PERIOD)
