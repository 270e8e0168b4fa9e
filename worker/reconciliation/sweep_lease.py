"""The lease of a sweep: taken, kept alive while its worker lives, and released."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from worker.database.clock import read
from worker.database.engine import Sessions
from worker.domain.clock import Clock
from worker.reconciliation import queries
from worker.reconciliation.queries import LeasedSweep

LEASE = timedelta(seconds=20)
RENEW_SECONDS = 5.0
"""How long a sweep belongs to a worker that gives no sign of life, and how often there is one, however long a time
slice takes."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SweepLeases:
    """Takes, renews and releases the leases of sweeps, by the database's clock."""

    sessions: Sessions
    clock: Clock

    def take(self, *, every: timedelta, span: timedelta, only: int | None) -> LeasedSweep | None:
        """Lease the sweep that is next, after starting the daily one if it is due; or the `only` one."""
        with self.sessions.begin() as session:
            now = read(session, self.clock)
            if only is None:
                queries.start_daily_sweep(session, every=every, span=span, now=now)
            return queries.lease_sweep(session, now=now, lease=LEASE, only=only)

    @asynccontextmanager
    async def kept(self, sweep: LeasedSweep) -> AsyncIterator[None]:
        """Renew the lease in the background for as long as this process lives and is not frozen."""
        renewing = asyncio.create_task(self._keep_renewing(sweep))
        try:
            yield
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError):
                await renewing

    def release(self, sweep: LeasedSweep, *, back_off: timedelta, failure: str) -> None:
        with self.sessions.begin() as session:
            now = read(session, self.clock)
            queries.release_lease(session, sweep, now=now, back_off=back_off, failure=failure)

    async def _keep_renewing(self, sweep: LeasedSweep) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await asyncio.to_thread(self._renew, sweep)
            except (OperationalError, InterfaceError) as error:
                log.warning("the lease of a sweep is not renewed", error=type(error.orig).__name__)

    def _renew(self, sweep: LeasedSweep) -> None:
        with self.sessions.begin() as session:
            queries.renew_lease(session, sweep, now=read(session, self.clock), lease=LEASE)
