"""One worker process: the real pump, tick and reconciliation on a loop that is turned by hand; it can die or freeze."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.simulation.engine.faults import STANDSTILLS, Fault, Kind
from tests.simulation.engine.loops import HandLoop
from tests.simulation.engine.relaying import RELAY, Relaying
from tests.simulation.engine.wire import Wire
from worker.charging.open_due import open_due_charges
from worker.charging.pump import BUDGET_SPENT, Pump
from worker.checkout.context import CheckoutContext
from worker.config.decline_packs import shipped_rules
from worker.database.clock import DatabaseClock
from worker.domain.clock import Clock
from worker.domain.gateway import Gateway
from worker.ledger.database_identity import HoldPolicy
from worker.portone.adapter import PortOneGateway
from worker.portone.client import PortOneClient
from worker.portone.connection import Connection
from worker.reconciliation.attempts import reconcile
from worker.reconciliation.statement import reconcile_statement
from worker.refunds.carry_out import RefundContext
from worker.refunds.open_refunds import go_on_with_refunds

if TYPE_CHECKING:
    from tests.simulation.engine.world import World

MICROSECOND = 1e-6
TICKS = ("open", "charge", "reconcile", "sweep")


def _tell_nobody(_: timedelta) -> None:
    """A machine's wrong clock is logged."""


class WorkerProcess:
    """Does one tick after the other, as a Celery child does.

    `behind` is the lag of the database's time at this worker, in seconds; `wall_ahead`, its machine's clock.
    """

    pump: type[Pump] = Pump
    watches = True  # where the world has a hold policy

    def __init__(self, world: World, name: str, *, behind: float = 0.0) -> None:
        self.name, self.behind, self.world = name, behind, world
        self.alive, self.busy, self.done = True, False, 0
        self.frozen_until, self.wall_ahead = 0.0, 0.0
        self.clock = self.make_clock()
        self._slept = 0.0  # so far is the monotonic clock behind the others, which went on while it was suspended
        self.loop = HandLoop(lambda: world.time - self._slept, crash=self.die)
        self._ticks: asyncio.Queue[str] = asyncio.Queue()
        self._pump: Pump | None = None
        self._relaying = Relaying(self)
        settings = world.settings
        connection = Connection(
            "http://portone.invalid",
            settings.gateway_credentials,
            connect_timeout=settings.connect_timeout_seconds,
            read_timeout=settings.read_timeout_seconds,
            transport=Wire(self),
            monotonic=self.loop.time,
        )
        self._gateway = PortOneGateway(
            PortOneClient(connection), deadline=settings.call_deadline, rules=shipped_rules()
        )
        self.loop.create_task(self._work())

    # --- driven from outside ----------------------------------------------------------------------------------------

    def tick(self, *kinds: str) -> None:
        for kind in kinds or TICKS:
            self._ticks.put_nowait(kind)

    @property
    def frozen(self) -> bool:
        return self.frozen_until > self.world.time

    def can_run(self) -> bool:
        return self.alive and not self.frozen and self.loop.has_work()

    def is_idle(self) -> bool:
        charging = self._pump is not None and self._pump.in_flight > 0
        at_work = self.busy or charging or self._relaying.busy
        return not self.alive or not (at_work or self._ticks.qsize() or self.frozen or self.loop.has_work())

    def next_time(self) -> float | None:
        """Return when the next timer of this process is due."""
        if not self.alive:
            return None
        timer = self.loop.next_timer()
        if self.frozen:
            return self.frozen_until
        # A microsecond later where two clocks are compared: rounded, the sum may be before the timer.
        return None if timer is None else timer + self._slept + (MICROSECOND if self._slept else 0.0)

    def die(self) -> None:
        self.alive = False

    def stand_still(self, fault: Fault) -> None:
        frozen_until = max(self.frozen_until, self.world.time + fault.seconds)
        if fault.kind is Kind.SUSPEND:
            self._slept += frozen_until - max(self.frozen_until, self.world.time)
        self.frozen_until = frozen_until

    def make_clock(self) -> Clock:
        return DatabaseClock(self.wall, tell=_tell_nobody, elapsed=lambda: self.world.time, ask=lambda _: self.ask())

    def wall(self) -> datetime:
        """The machine's clock, which goes on while it is suspended, and can be set."""
        return self.world.instant(self.world.time + self.wall_ahead)

    def ask(self) -> datetime:
        """The time by the database."""
        return self.world.database_now() - timedelta(seconds=self.behind)

    def sync(self) -> None:
        """Ask for the time, as each task does when it begins."""
        if isinstance(self.clock, DatabaseClock):
            with self.world.sessions() as session:
                self.clock.read(session)

    async def point(self, what: str) -> Fault | None:
        """Stop here if that is planned; returns any other fault for the caller to carry out."""
        fault = self.world.reach(self, what)
        if fault is not None:
            self.world.set_clocks(self, fault)
        if fault is None or fault.kind not in {Kind.CRASH, *STANDSTILLS}:
            return fault
        if fault.kind is Kind.CRASH:
            self.die()
            await self.loop.create_future()
        # Continues before anything that came meanwhile, a time-out included: the worst case.
        self.stand_still(fault)
        await asyncio.sleep(0)
        return None

    def point_on_the_way(self, what: str) -> None:
        """Stop here if that is planned, whatever it does while an answer is on its way."""
        if (fault := self.world.reach(self, what)) is None:
            return
        if fault.kind is Kind.CRASH:
            self.die()
        if fault.kind in STANDSTILLS:
            self.stand_still(fault)
        self.world.set_clocks(self, fault)

    # --- what it does -----------------------------------------------------------------------------------------------

    def does(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """Return what each kind of tick does."""
        return {
            "open": self._open,
            "charge": self._charge,
            "reconcile": self._reconcile,
            "sweep": self._sweep,
            "refunds": self._refunds,
            RELAY: self._relaying.tick,
        }

    async def _work(self) -> None:
        does = self.does()
        while True:
            kind = await self._ticks.get()
            self.busy = True
            try:
                self.sync()
                await does[kind]()
            except Exception as error:  # noqa: BLE001 - Celery writes it down, and takes the next message
                self.world.failed_ticks.append(f"{self.name} {kind}: {error!r}")
            self.busy, self.done = False, self.done + 1

    async def _open(self) -> None:
        now, cap = self.clock(), self.world.settings.catch_up_limit
        await asyncio.to_thread(
            open_due_charges, self.world.sessions, now=now, limit=cap, hold_policy=self._hold_policy
        )

    async def _charge(self) -> None:
        if self._pump is None:
            self._pump = self._make_pump()
        if (await self._pump.run()).ended == BUDGET_SPENT:
            self.tick("charge")

    def _make_pump(self) -> Pump:
        world = self.world
        return self.pump(
            world.sessions,
            self._gateway,
            clock=self.clock,
            limits=replace(world.limits, hold_policy=self._hold_policy),
            policy=world.policy,
            stopping=lambda: False,
            monotonic=self.loop.time,
            wall=self.wall,
        )

    def checkout_context(self, gateway: Gateway) -> CheckoutContext:
        world = self.world
        return CheckoutContext(
            sessions=world.sessions,
            gateway=gateway,
            clock=self.clock,
            policy=world.policy,
            prefix=world.settings.merchant_uid_prefix,
            hold_policy=self._hold_policy,
        )

    @property
    def _hold_policy(self) -> HoldPolicy | None:
        return self.world.hold_policy if self.watches else None

    async def _sweep(self) -> None:
        world = self.world
        await reconcile_statement(
            world.sessions,
            self._gateway,
            clock=self.clock,
            policy=world.statement_policy,
            budget=timedelta(seconds=world.settings.pump_seconds),
            stopping=lambda: False,
            monotonic=self.loop.time,
        )

    def refund_context(self) -> RefundContext:
        return RefundContext(self.world.sessions, self._gateway, self.clock, self.world.policy)

    async def _refunds(self) -> None:
        await go_on_with_refunds(
            self.refund_context(),
            budget=timedelta(seconds=self.world.settings.pump_seconds),
            stopping=lambda: False,
            monotonic=self.loop.time,
        )

    async def _reconcile(self) -> None:
        world = self.world
        await reconcile(
            world.sessions,
            self._gateway,
            clock=self.clock,
            policy=world.policy,
            budget=timedelta(seconds=world.settings.pump_seconds),
            stopping=lambda: False,
            hold_policy=self._hold_policy,
            monotonic=self.loop.time,
        )
