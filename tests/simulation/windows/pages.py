"""The web process that customers and PortOne's webhooks meet, and a worker that looks after checkouts too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.simulation.engine.wire import TRAVEL_SECONDS
from tests.simulation.engine.worker_process import WorkerProcess
from worker import checkout
from worker.domain.errors import Refused
from worker.domain.gateway import Gateway
from worker.pg.window.request import Buyer, CallbackUrls

if TYPE_CHECKING:
    from tests.simulation.windows.world import WindowWorld

BUYER = Buyer(name="Hong Gildong", tel="010-1234-5678", email="gildong@example.com")
LINKS = CallbackUrls(m_redirect_url="https://shop.example/c/return")

Answered = Callable[[Any], object]


def unheard(answer: Any) -> None:
    """Drop an answer whose browser is gone."""


class PageServer(WorkerProcess):
    """Answers every request beside the others. Dying, it answers none of them."""

    world: WindowWorld

    def serve(self, request: Callable[[Gateway], Awaitable[Any]], answered: Answered = unheard) -> None:
        """Take a request in; `answered` hears its value, or why it was refused. A server's error is no answer."""
        self.loop.create_task(self._answer(request, answered))

    def agree(self, code: str, pg: str | None, answered: Answered, *, owed: int | None = None) -> None:
        """Take the consent of a customer who was shown `owed`."""
        world = self.world

        async def agreed(_: Gateway) -> Mapping[str, Any]:
            return await asyncio.to_thread(
                checkout.agree,
                world.sessions,
                world.settings,
                code,
                wording="ko-1",
                buyer=BUYER,
                pg_choice=pg,
                callback_urls=LINKS,
                owed=owed,
                now=self.clock(),
            )

        self.serve(agreed, answered)

    def complete(self, code: str, imp_uid: str | None, answered: Answered = unheard) -> None:
        self.serve(
            lambda gateway: checkout.complete(self.checkout_context(gateway), code, imp_uid=imp_uid),
            answered,
        )

    def hear(self, body: Mapping[str, str]) -> None:
        """Take in what PortOne's webhook says."""
        self.serve(
            lambda gateway: checkout.receive_webhook(self.checkout_context(gateway), checkout.WebhookEvent(**body))
        )

    async def _answer(self, request: Callable[[Gateway], Awaitable[Any]], answered: Answered) -> None:
        try:
            answer = await request(self._gateway)
        except Refused as refused:
            answer = refused
        except Exception as error:  # noqa: BLE001 - a page answers 500, and serves the next
            self.world.failed_ticks.append(f"{self.name} page: {error!r}")
            return
        self.world.after(TRAVEL_SECONDS, partial(answered, answer))


class WindowWorker(WorkerProcess):
    """Runs two of the product's tasks in one go: reconciles attempts, then maintains checkouts."""

    async def _reconcile(self) -> None:
        await super()._reconcile()
        await checkout.run_maintenance(self.checkout_context(self._gateway), stopping=lambda: False)
