"""Sending webhooks in the background: on the server's event loop, never inside a request."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import aiohttp

from worker.sandbox.http.known_hosts import is_on_this_machine
from worker.sandbox.rules import webhooks
from worker.sandbox.rules.webhooks import Webhook, WebhookState
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import webhook_rows

ELSEWHERE = "not sent: it is not an address of this machine; start the sandbox with --deliver-anywhere"

MOST_AT_ONCE = 32  # webhooks being sent
LOOK_SECONDS = 0.2  # between two looks at those that are due later

FIRST_SEND = aiohttp.ClientTimeout(sock_connect=webhooks.CONNECT_SECONDS, sock_read=webhooks.READ_SECONDS)
LATER_SEND = aiohttp.ClientTimeout(total=webhooks.RESEND_SECONDS)


class Postman:
    """Sends due webhooks from the ledger, and records the result there.

    A webhook that was being sent when the process died is sent again: a merchant may get one twice.
    """

    def __init__(self, sandbox: Sandbox, *, anywhere: bool = False) -> None:
        """Send to this machine and to the address of the merchant's settings; with `anywhere`, to any notice_url."""
        self._sandbox = sandbox
        self._anywhere = anywhere
        self._under_way: dict[tuple[int, int], asyncio.Task[None]] = {}  # by epoch and number
        self._news: asyncio.Event | None = None
        self._round: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start on the running event loop; the ledger may hold webhooks from before a restart."""
        self._news = asyncio.Event()
        self._news.set()
        self._sandbox.news = self._news.set
        self._round = asyncio.create_task(self._go_round())

    async def stop(self) -> None:
        """Stop at once; what was not sent stays in the ledger."""
        tasks = [*self._under_way.values(), *([self._round] if self._round else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _go_round(self) -> None:
        assert self._news is not None
        while True:
            await self._news.wait()
            self._news.clear()
            while webhook_rows.waiting(self._sandbox.ledger):
                self._take()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._news.wait()
                self._news.clear()

    def _take(self) -> None:
        room, epoch = MOST_AT_ONCE - len(self._under_way), self._sandbox.epoch
        due = webhook_rows.due(self._sandbox.ledger, self._sandbox.moment(), MOST_AT_ONCE)
        for webhook in [each for each in due if (epoch, each.number) not in self._under_way][:room]:
            self._under_way[epoch, webhook.number] = asyncio.create_task(self._deliver(webhook, epoch))

    async def _deliver(self, webhook: Webhook, epoch: int) -> None:
        try:
            seen = await self._send(webhook)
            if self._sandbox.epoch == epoch:  # otherwise the number may be another webhook's by now
                self._note(webhook, seen)
        finally:
            del self._under_way[epoch, webhook.number]
            self._sandbox.news()

    async def _send(self, webhook: Webhook) -> dict[str, Any]:
        switches = self._sandbox.switches
        content_type, body = webhooks.written(webhook, switches.webhook_format)
        source = (switches.webhook_source, 0) if switches.webhook_source else None
        seen: dict[str, Any] = {"at": self._sandbox.moment(), "status": None, "error": None}
        if not (self._anywhere or webhook.url == switches.webhook_url or is_on_this_machine(webhook.url)):
            return {**seen, "error": ELSEWHERE}
        try:
            async with (
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=source, force_close=True)) as session,
                session.post(
                    webhook.url,
                    data=body,
                    headers={"Content-Type": content_type},
                    timeout=LATER_SEND if webhook.sends else FIRST_SEND,
                    allow_redirects=False,
                ) as response,
            ):
                return {**seen, "status": response.status}
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return {**seen, "error": type(error).__name__}

    def _note(self, webhook: Webhook, seen: dict[str, Any]) -> None:
        state = webhooks.after_send(webhook, seen["status"], resends=self._sandbox.switches.webhook_resends)
        later = webhooks.RESEND_AFTER_SECONDS if state is WebhookState.WAITING else 0.0
        webhook_rows.sent(self._sandbox.ledger, webhook, seen, state, due_at=self._sandbox.moment() + later)
