"""A worker that also applies changes and carries out refunds, and asks for changes as a command does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from tests.simulation.engine.worker_process import WorkerProcess
from worker.changes.apply_due import apply_due_changes
from worker.changes.consent import agree_to_change
from worker.changes.kind import ChangePolicy
from worker.changes.refunds import RefundDesk, go_on_with_changes
from worker.changes.request import ChangeRequest, RequestedChange, request_change
from worker.domain.changes import ChangeKind
from worker.domain.errors import Refused
from worker.domain.states import ConsentSource
from worker.ledger.changes import Change

POLICY = ChangePolicy(max_amount=1_000_000)
TICKS = ("apply", "open", "charge", "reconcile", "refunds")
"""One tick of each task that moves money or terms, in the order in which beat sends them."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The customer agrees to a change that waits for it, by its id."""

    change_id: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request: the change, or why it was refused."""

    requested: RequestedChange | None
    refused: str = ""


@dataclass(slots=True)
class Tray:
    """What is asked for, outside of any process, and what was answered to it: nothing, if the process has died."""

    wanted: ChangeRequest | Agreement | None = None
    answer: Answer | None = None

    def ask(self, request: ChangeRequest | Agreement) -> None:
        self.wanted, self.answer = request, None

    def answered(self) -> Answer:
        assert self.answer is not None, "no process has come so far"
        return self.answer


class Clerk(WorkerProcess):
    """Does the ticks of `TICKS`; with `ask` it asks for what is in the tray."""

    tray: Tray

    def does(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        return {**super().does(), "apply": self._apply, "ask": self._ask, "refunds": self._go_on}

    def desk(self) -> RefundDesk:
        return RefundDesk(self.refund_context(), POLICY, self.world.settings.merchant_uid_prefix)

    async def _apply(self) -> None:
        now = self.clock()
        await asyncio.to_thread(apply_due_changes, self.world.sessions, policy=POLICY, now=now)

    async def _ask(self) -> None:
        assert self.tray.wanted is not None
        try:
            self.tray.answer = Answer(await self._requested(self.tray.wanted))
        except Refused as refused:
            self.tray.answer = Answer(None, str(refused))

    async def _requested(self, request: ChangeRequest | Agreement) -> RequestedChange:
        if isinstance(request, Agreement):
            return RequestedChange(await asyncio.to_thread(self._agreed, request.change_id), None)
        if request.kind is ChangeKind.REFUND:
            return await self.desk().refund_payment(request)
        now = self.clock()
        return await asyncio.to_thread(request_change, self.world.sessions, request, policy=POLICY, now=now)

    def _agreed(self, change_id: int) -> Change:
        return agree_to_change(
            self.world.sessions,
            change_id,
            wording="2026-01",
            source=ConsentSource.OPERATOR,
            policy=POLICY,
            now=self.clock(),
        )

    async def _go_on(self) -> None:
        await go_on_with_changes(
            self.desk(),
            budget=timedelta(seconds=self.world.settings.pump_seconds),
            stopping=lambda: False,
            monotonic=self.loop.time,
        )


def clerk_with(its_tray: Tray) -> type[Clerk]:
    """Return the clerks of one office."""

    class OurClerk(Clerk):
        tray = its_tray

    return OurClerk
