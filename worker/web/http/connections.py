"""Limits on connections: how many at once, how long a request head may take; and security headers on refusals."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from worker.web.http.sampled_log import SampledLog

MAX_CONNECTIONS = 800
"""At once; a process may open 1,024 files as a rule, and the database and PortOne need some. A further connection has
the one closed that has waited longest for its client; if none waits, it is answered 503."""

MAX_HEAD_BYTES = 64 * 1024  # bytes

HEAD_SECONDS = 20.0
"""How long the head of a request may take. Bodies have a limit of their own, and idle connections too."""

BARE_HEADERS = (
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Connection", "close"),
)
"""Headers of answers that are given before the application is called."""

_made_room = SampledLog(f"an idle connection was closed for a new one: {MAX_CONNECTIONS} are open")
_turned_away = SampledLog(f"a connection was turned away: {MAX_CONNECTIONS} are open")


class _OneLength(h11.Connection):
    """Rejects a request with both Transfer-Encoding and Content-Length (request smuggling past a proxy)."""

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            names = [name for name, _ in event.headers]
            if b"transfer-encoding" in names and b"content-length" in names:
                raise h11.RemoteProtocolError("Transfer-Encoding and Content-Length do not go together")
        return event


class GuardedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 with a timeout on request heads; uvicorn itself has none for the first one."""

    _head_timer: asyncio.TimerHandle | None = None
    _waits_since = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _OneLength(h11.SERVER, self.config.h11_max_incomplete_event_size or MAX_HEAD_BYTES)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        self._waits_since = self.loop.time()
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS and not self._make_room():
            _turned_away.count()
            self._refuse(503, b"Too many connections; try again later.")
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._watch()
        else:
            self._forget()

    def on_response_complete(self) -> None:
        self._waits_since = self.loop.time()
        super().on_response_complete()

    def _make_room(self) -> bool:
        """Close the other connection that has waited longest for its client; False when none waits."""
        others = (each for each in self.connections if isinstance(each, GuardedProtocol) and each is not self)
        waiting = [each for each in others if each.cycle is None or each.cycle.response_complete]
        if not waiting:
            return False
        _made_room.count()
        min(waiting, key=lambda each: each._waits_since).transport.abort()  # noqa: SLF001 - another of our own
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg.encode())

    def _watch(self) -> None:
        """Start the timer of a head, unless it runs already: a head sent byte by byte gains no time."""
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._too_late)

    def _forget(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_late(self) -> None:
        self._head_timer = None
        received, _ = self.conn.trailing_data
        if received and not self.transport.is_closing():
            self._refuse(408, b"The request did not come in time.")
        self.transport.close()  # browsers open connections in advance; an answer on an unused one would confuse them

    def _refuse(self, status: int, sentence: bytes) -> None:
        """Answer in the application's place, if no answer is under way, and close the connection."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = [*BARE_HEADERS, ("Content-Length", str(len(sentence)))]
            for event in (h11.Response(status_code=status, headers=headers), h11.Data(sentence), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
