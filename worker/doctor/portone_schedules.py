"""PortOne's own schedules of our billing keys: through them PortOne charges the same customers in addition to Again.

They are left over from before Again, or made by another program or in PortOne's console. The check only reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from schedules.plans import SEOUL
from worker.database.engine import Sessions
from worker.doctor.finding import CheckContext, Finding, ok, skipped, warning
from worker.domain.gateway import Gateway, LookUpFailed, OpenSchedules, Schedule
from worker.subscriptions import key_queries

MAX_READ = 20_000
"""Open schedules that are read at most, the nearest first: up to twenty requests for each quarter of a year."""

SHOWN = 3
"""Schedules that a finding names, the nearest first."""

REMEDY = (
    "cancel them: POST /subscribe/payments/unschedule with the customer_uid, or in PortOne's console under billing "
    "payments; leave its Recovery feature off and never press retry there: both charge in addition to Again"
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
    """Ask PortOne for every charge that it is going to make on its own, however it was scheduled."""
    return await gateway.open_schedules(now=now, pause=pause, most=MAX_READ)


def on_our_keys(sessions: Sessions, found: OpenSchedules) -> OnOurKeys:
    """Return those of keys that Again knows, including deleted ones: PortOne may still hold them."""
    ids = _ids(sessions, (each.customer_uid for each in found.schedules))
    ours = [(ids[each.customer_uid], each) for each in found.schedules if each.customer_uid in ids]
    ours.sort(key=lambda each: (each[1].schedule_at, each[1].merchant_uid))
    return OnOurKeys(tuple(ours), len(found.schedules) - len(ours) + found.unread, found.is_complete)


def _ids(sessions: Sessions, customer_uids: Iterable[str]) -> dict[str, int]:
    with sessions() as session:
        return key_queries.ids_of(session, sorted(set(customer_uids)))


def schedules(context: CheckContext) -> Finding:
    found = asyncio.run(_look(context))
    if isinstance(found, LookUpFailed):
        said = found.answer.message or "no usable answer"
        if found.answer.http_status is None:
            return skipped("schedules", f"PortOne: {said}")
        return warning("schedules", f"PortOne did not list its open schedules: {said}", "try again later")
    ours = on_our_keys(context.runtime.sessions, found)
    bound = "" if ours.is_complete else f", among the next {len(found.schedules):,} of all"
    if not ours.schedules:
        return ok("schedules", f"PortOne charges none of our billing keys on its own{bound}")
    return warning(
        "schedules", f"{_counted(ours)}{bound}. PortOne charges them in addition to Again: {_shown(ours)}", REMEDY
    )


async def _look(context: CheckContext) -> OpenSchedules | LookUpFailed:
    gateway = context.runtime.gateway()
    try:
        pause = context.runtime.statement_policy.pause
        return await open_schedules(gateway, now=context.now, pause=pause)
    finally:
        await gateway.aclose()


def _counted(ours: OnOurKeys) -> str:
    some = "1 open schedule" if len(ours.schedules) == 1 else f"{len(ours.schedules):,} open schedules"
    return f"{some} of {'1 billing key' if ours.keys == 1 else f'{ours.keys:,} billing keys'} of ours"


def _shown(ours: OnOurKeys) -> str:
    shown = "; ".join(
        f"key {key_id} on {each.schedule_at.astimezone(SEOUL):%Y-%m-%d %H:%M %Z}, "
        f"{each.amount:,} {each.currency} ({each.merchant_uid})"
        for key_id, each in ours.schedules[:SHOWN]
    )
    return f"{shown}; ..." if len(ours.schedules) > SHOWN else shown
