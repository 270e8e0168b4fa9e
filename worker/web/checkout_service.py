"""The use cases for pages: awaited in any event loop, run in one background loop and its threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, ParamSpec, TypeVar

from worker import checkout
from worker.changes.refunds import RefundDesk
from worker.checkout.context import CheckoutContext
from worker.config.logs import keep_out_of_logs
from worker.database.clock import DatabaseClock
from worker.domain.gateway import Gateway
from worker.domain.shown_terms import ShownTerms
from worker.domain.states import ConsentSource
from worker.pg.window.request import Buyer, CallbackUrls
from worker.runtime import Runtime
from worker.web.http.background_loop import BackgroundLoop
from worker.web.http.rate_limit import RateLimit

SYNC_EVERY_SECONDS = 60
SYNC_TURNED_SECONDS = 1
"""In the sandbox, whose clock may be turned while a page is open."""

P = ParamSpec("P")
T = TypeVar("T")


class CheckoutService:
    """One per process, created after the fork. The gateway is created on first use, in the background loop.

    So a host may call from loops that last for one call, as synchronous hosts do: there is one pool of connections, and
    `close` closes it, from any loop too.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._loop = BackgroundLoop("checkout loop")
        self._gateway: Gateway | None = None
        self._synced_at = monotonic()
        self._lookup_limit = RateLimit()

    async def view(self, code: str) -> checkout.CheckoutView:
        """Return a checkout as a page shows it. Raises Refused for an unknown code."""
        runtime = await self.synced_runtime()
        return await self.run_in_thread(checkout.view, runtime.sessions, runtime.settings, code, now=runtime.clock())

    async def agree(
        self,
        code: str,
        *,
        wording: str,
        buyer: Buyer,
        pg: str | None,
        callback_urls: CallbackUrls,
        owed: int | None,
        given_up: int | None,
        terms: ShownTerms | None = None,
        source: ConsentSource,
    ) -> dict[str, object]:
        """Return the parameters of the payment window. Raises Refused with what stands against it."""
        runtime = await self.synced_runtime()
        await self._loop.run(self._look_up_earlier_attempts, code)
        return await self.run_in_thread(
            checkout.agree,
            runtime.sessions,
            runtime.settings,
            code,
            wording=wording,
            buyer=buyer,
            pg_choice=pg,
            callback_urls=callback_urls,
            owed=owed,
            given_up=given_up,
            terms=terms,
            source=source,
            now=runtime.clock(),
        )

    async def complete(self, code: str, *, imp_uid: str | None) -> checkout.Completion:
        """Ask PortOne what became of a checkout. Raises Refused for what was not asked for, and RateLimited."""
        await self.synced_runtime()
        return await self._loop.run(self._complete, code, imp_uid)

    async def with_refund_desk(self, work: Callable[[RefundDesk], Coroutine[Any, Any, T]]) -> T:
        """Do something with what refunds are asked for with, in the background loop."""
        await self.synced_runtime()
        return await self._loop.run(self._at_refund_desk, work)

    async def receive_webhook(self, event: checkout.WebhookEvent) -> None:
        """Store a webhook event and process it."""
        await self.synced_runtime()
        await self._loop.run(self._receive, event)

    async def synced_runtime(self) -> Runtime:
        """Synchronize with the database's clock once a minute, since this machine's clock may be corrected later."""
        clock, asked_at = self.runtime.clock, monotonic()
        if not isinstance(clock, DatabaseClock):
            return self.runtime
        every = SYNC_TURNED_SECONDS if clock.follows_turns else SYNC_EVERY_SECONDS
        if asked_at - self._synced_at > every:
            self._synced_at = asked_at
            await self.run_in_thread(clock.sync, self.runtime.engine)
        return self.runtime

    async def run_in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a blocking function on a thread."""
        return await self._loop.run(asyncio.to_thread, function, *args, **kwargs)

    async def run_in_loop(self, work: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a coroutine in the background loop: for objects that belong to one event loop, such as a queue."""
        return await self._loop.run(work, *args, **kwargs)

    async def close(self) -> None:
        """Close the connections to PortOne. Calls after this fail."""
        gateway, self._gateway = self._gateway, None
        if gateway is not None:
            await self._loop.run(gateway.aclose)
        await self._loop.stop()

    async def _complete(self, code: str, imp_uid: str | None) -> checkout.Completion:
        return await checkout.complete(self._context(), code, imp_uid=imp_uid, may_ask=self._lookup_limit.allow)

    async def _at_refund_desk(self, work: Callable[[RefundDesk], Coroutine[Any, Any, T]]) -> T:
        return await work(self.runtime.refund_desk(self._running_gateway()))

    async def _look_up_earlier_attempts(self, code: str) -> None:
        await checkout.look_up_earlier_attempts(self._context(), code, may_ask=self._lookup_limit.allow)

    async def _receive(self, event: checkout.WebhookEvent) -> None:
        await checkout.receive_webhook(self._context(), event)

    def _context(self) -> CheckoutContext:
        return self.runtime.checkout_context(self._running_gateway())

    def _running_gateway(self) -> Gateway:
        if self._gateway is None:
            keep_out_of_logs(self.runtime.settings.gateway_url)
            self._gateway = self.runtime.gateway()
        return self._gateway
