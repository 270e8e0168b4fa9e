"""Which notice follows an event: what customers are told once it has happened. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schedules.notices import NoticeKind
from worker.domain.events.types import EventType
from worker.domain.outcomes import DeclineKind

FOLLOWED: Mapping[EventType, NoticeKind] = {
    EventType.CHARGE_DECLINED: NoticeKind.DECLINED,
    EventType.CHARGE_PAID: NoticeKind.PAID,
    EventType.CHARGE_REFUNDED: NoticeKind.REFUNDED,
    EventType.SUBSCRIPTION_CANCELED: NoticeKind.CANCELED,
}

CUSTOMERS_OWN = frozenset({DeclineKind.SOFT, DeclineKind.HARD, DeclineKind.UNMATCHED})
"""Declines that a customer can do something about. Maintenance and our own faults are none of theirs."""


def notice_after(kind: EventType, data: Mapping[str, Any]) -> NoticeKind | None:
    """Return the notice that follows an event, by its data; None where there is nothing to tell.

    A payment that was not made at PortOne, as of a period that costs nothing, is no news for who made it.
    """
    notice = FOLLOWED.get(kind)
    if notice is NoticeKind.DECLINED and data["decline"] not in CUSTOMERS_OWN:
        return None
    if notice is NoticeKind.PAID and (data["attempt"] is None or data["charge"]["amount"] == 0):
        return None
    return notice
