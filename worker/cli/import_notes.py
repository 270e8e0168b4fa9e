"""Notes for an import of billing keys: what their PGs require, and which of them PortOne charges on its own."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from worker.cli import console
from worker.domain.gateway import LookUpFailed, OpenSchedules
from worker.pg.catalog import PGS

if TYPE_CHECKING:
    from worker.runtime import Runtime
    from worker.subscriptions.csv_import.service import Imported

LINES_SHOWN = 5


def unmet_requirement(pg: str) -> str | None:
    """Return what a PG requires with every charge that Again does not send; None for nothing."""
    if not PGS[pg].charge_requires:
        return None
    return f"{PGS[pg].name} requires {PGS[pg].charge_requires} with every charge, which Again does not send yet"


def open_schedules(runtime: Runtime, *, now: datetime, quiet: bool) -> OpenSchedules | LookUpFailed:
    """Ask PortOne for the charges that it is going to make on its own."""
    from worker.doctor import portone_schedules

    async def ask() -> OpenSchedules | LookUpFailed:
        gateway = runtime.gateway()
        try:
            return await portone_schedules.open_schedules(gateway, now=now, pause=runtime.statement_policy.pause)
        finally:
            await gateway.aclose()

    with console.live_line("asking PortOne for open schedules", shown=not quiet):
        return asyncio.run(ask())


def customer_uids(found: OpenSchedules | LookUpFailed | None) -> list[str]:
    return sorted({each.customer_uid for each in found.schedules}) if isinstance(found, OpenSchedules) else []


def counted(imported: Imported, found: OpenSchedules | LookUpFailed | None) -> int | None:
    """Return how many rows have keys that PortOne is going to charge on its own; None when it did not answer."""
    return len(imported.scheduled) if isinstance(found, OpenSchedules) else None


def sentences(imported: Imported, found: OpenSchedules | LookUpFailed | None) -> list[str]:
    """Return all notes about an import, one sentence each."""
    from worker.subscriptions import plans

    wanted = [f"{note} (rows: {rows:,})" for pg, rows in imported.pgs.items() if (note := unmet_requirement(pg))]
    trial = plans.overlong_trials(imported.trials)
    return [*wanted, *_of_schedules(imported, found), *([f"{trial} {plans.TRIAL_REMEDY}"] if trial else [])]


def _of_schedules(imported: Imported, found: OpenSchedules | LookUpFailed | None) -> list[str]:
    from worker.doctor.portone_schedules import REMEDY

    if isinstance(found, LookUpFailed):
        said = found.answer.message or "no usable answer"
        later = "`again doctor schedules` looks again"
        return [f"whether PortOne charges any of these keys on its own is not known ({said}); {later}"]
    if found is None or not imported.scheduled:
        return []
    lines = ", ".join(map(str, imported.scheduled[:LINES_SHOWN]))
    more = ", ..." if len(imported.scheduled) > LINES_SHOWN else ""
    some = "1 row has" if len(imported.scheduled) == 1 else f"{len(imported.scheduled):,} rows have"
    said = f"{some} a key that PortOne is going to charge on its own schedules, in addition to Again"
    return [f"{said} (lines {lines}{more}): {REMEDY}"]
