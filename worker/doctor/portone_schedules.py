"""Does PortOne charge any of our keys by itself? The check only reads."""

from __future__ import annotations

import asyncio

from schedules.plans import SEOUL
from worker.doctor.finding import Finding, Health, Patient, ok, warning
from worker.doctor.foreign_schedules import REMEDY, OnOurKeys, on_our_keys, open_schedules
from worker.domain.gateway import LookUpFailed, OpenSchedules

SHOWN = 3


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
        pause = patient.runtime.sweep_policy.pause
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
