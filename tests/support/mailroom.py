"""An SMTP server of tests, in a thread of its own."""

from __future__ import annotations

import asyncio
from email import message_from_bytes, policy
from threading import Event, Thread
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope


class Mailroom:
    """While `hangs` is set, it takes connections and says nothing."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, str]] = []
        self.subjects: list[str] = []
        self.hangs = False
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        mail = message_from_bytes(bytes(envelope.content or b""), policy=policy.default)  # type: ignore[arg-type]
        self.mails.append((envelope.rcpt_tos[0], mail["Message-ID"]))
        self.subjects.append(mail["Subject"])
        return "250 OK"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        make = lambda: asyncio.Protocol() if self.hangs else SMTP(self)  # noqa: E731
        server = self._loop.run_until_complete(self._loop.create_server(make, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
