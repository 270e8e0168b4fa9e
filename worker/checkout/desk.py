"""The use cases as the pages call them: off the event loop where they wait for the database, on one gateway."""

from __future__ import annotations

import asyncio

from worker import checkouts
from worker.checkout.hints import Hint
from worker.gateway import Gateway
from worker.runtime import Runtime
from worker.window_request import Buyer, Links


class Desk:
    """One per process. The gateway is made when it is first needed, inside the event loop that uses it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._gateway: Gateway | None = None

    async def view(self, code: str) -> checkouts.View:
        """Raises Refused for a code that nobody has."""
        runtime = self._runtime
        return await asyncio.to_thread(checkouts.view, runtime.sessions, runtime.settings, code, now=runtime.clock())

    async def agree(self, code: str, *, wording: str, buyer: Buyer, pg: str | None, links: Links) -> dict[str, object]:
        """Give the parameters of the payment window. Raises Refused with what stands against it."""
        runtime = self._runtime
        return await asyncio.to_thread(
            checkouts.agree,
            runtime.sessions,
            runtime.settings,
            code,
            wording=wording,
            buyer=buyer,
            pg_choice=pg,
            links=links,
            now=runtime.clock(),
        )

    async def complete(self, code: str, *, imp_uid: str | None) -> checkouts.Completion:
        """Ask PortOne what became of it. Raises Refused for what was not asked for."""
        runtime = self._runtime
        return await checkouts.complete(
            runtime.sessions, self._asked(), code, imp_uid=imp_uid, clock=runtime.clock, policy=runtime.policy
        )

    async def hint(self, hint: Hint) -> None:
        runtime = self._runtime
        await checkouts.hint(
            runtime.sessions,
            self._asked(),
            imp_uid=hint.imp_uid,
            merchant_uid=hint.merchant_uid,
            status=hint.status,
            cancellation_id=hint.cancellation_id,
            clock=runtime.clock,
            policy=runtime.policy,
            prefix=runtime.settings.merchant_uid_prefix,
        )

    async def close(self) -> None:
        if self._gateway is not None:
            await self._gateway.aclose()

    def _asked(self) -> Gateway:
        if self._gateway is None:
            self._gateway = self._runtime.gateway()
        return self._gateway
