"""PortOne's own schedules of our billing keys: by them PortOne charges the same customers beside Again.

They are left over from before Again, made by another program, or by hand in PortOne's console.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from worker.database.engine import Sessions
from worker.domain.gateway import Gateway, LookUpFailed, OpenSchedules, Schedule
from worker.subscriptions import key_queries

MOST = 20_000
"""So many open schedules are read, the nearest first: twenty requests at most for each quarter of a year."""

REMEDY = (
    "take them back: POST /subscribe/payments/unschedule with the customer_uid, or in PortOne's console under billing "
    "payments; leave its Recovery off and press no retry there, for both charge beside Again"
)


@dataclass(frozen=True, slots=True)
class OnOurKeys:
    """The open schedules of keys that Again knows, the nearest first, with the id of each key."""

    schedules: tuple[tuple[int, Schedule], ...]
    others: int  # open schedules of keys that Again does not know, and those that could not be read
    is_complete: bool

    @property
    def keys(self) -> int:
        return len({key_id for key_id, _ in self.schedules})


async def open_schedules(gateway: Gateway, *, now: datetime, pause: float) -> OpenSchedules | LookUpFailed:
    """Ask PortOne for every charge that it is going to make by itself, whoever scheduled it."""
    return await gateway.open_schedules(now=now, pause=pause, most=MOST)


def on_our_keys(sessions: Sessions, found: OpenSchedules) -> OnOurKeys:
    """Pick those of keys that Again knows, deleted ones included: PortOne may still hold them."""
    ids = _ids(sessions, (each.customer_uid for each in found.schedules))
    ours = [(ids[each.customer_uid], each) for each in found.schedules if each.customer_uid in ids]
    ours.sort(key=lambda each: (each[1].schedule_at, each[1].merchant_uid))
    return OnOurKeys(tuple(ours), len(found.schedules) - len(ours) + found.unread, found.is_complete)


def _ids(sessions: Sessions, customer_uids: Iterable[str]) -> dict[str, int]:
    with sessions() as session:
        return key_queries.ids_of(session, sorted(set(customer_uids)))
