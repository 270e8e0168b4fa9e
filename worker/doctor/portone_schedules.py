"""PortOne's own schedules of our billing keys: by them PortOne charges the same customers beside Again.

They are left over from before Again, made by another program, or by hand in PortOne's console. The check only reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from schedules.plans import SEOUL
from worker.database.engine import Sessions
from worker.doctor.finding import Finding, Health, Patient, ok, warning
from worker.domain.gateway import Gateway, LookUpFailed, OpenSchedules, Schedule
from worker.subscriptions import key_queries

MOST = 20_000
"""So many open schedules are read, the nearest first: twenty requests at most for each quarter of a year."""

SHOWN = 3
"""Schedules that a finding names, the nearest first."""

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


def schedules(patient: Patient) -> Finding:
    found = asyncio.run(_look(patient))
    if isinstance(found, LookUpFailed):
        said = found.answer.message or "no usable answer"
        if found.answer.http_status is None:
            return Finding("schedules", Health.SKIPPED, f"needs PortOne: {said}")
        return warning("schedules", f"PortOne did not list its open schedules: {said}", "try again later")
    ours = on_our_keys(patient.runtime.sessions, found)
    bound = "" if ours.is_complete else f", among the next {len(found.schedules):,} of all"
    if not ours.schedules:
        return ok("schedules", f"PortOne charges none of our billing keys by itself{bound}")
    return warning("schedules", f"{_counted(ours)}{bound}. PortOne charges them beside Again: {_shown(ours)}", REMEDY)


async def _look(patient: Patient) -> OpenSchedules | LookUpFailed:
    gateway = patient.runtime.gateway()
    try:
        pause = patient.runtime.statement_policy.pause
        return await open_schedules(gateway, now=patient.now, pause=pause)
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
