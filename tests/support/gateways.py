"""A gateway to a test's own PortOne: a function, or an address."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

import httpx

from tests.support.wire_server import token_reply
from worker.config.decline_packs import shipped_rules
from worker.domain.declines import DeclineRules
from worker.domain.gateway import ChargeRequest
from worker.domain.outcomes import Answer, Outcome
from worker.portone.adapter import PortOneGateway
from worker.portone.client import PortOneClient
from worker.portone.connection import Connection

KEY, SECRET = "imp-key-0123456789", "imp-secret-0123456789"

T = TypeVar("T")


class Answered:
    """A PortOne that answers every call but getToken with one HTTP status and body, without any network."""

    def __init__(self, rules: DeclineRules | None = None) -> None:
        self.status, self.body = 200, b""
        self.calls: list[httpx.Request] = []
        self._runner = asyncio.Runner()
        connection = Connection(
            "http://portone.invalid",
            (KEY, SECRET),
            connect_timeout=1,
            read_timeout=1,
            transport=httpx.MockTransport(self._answer),
        )
        self.client = PortOneClient(connection)
        self.gateway = PortOneGateway(self.client, deadline=timedelta(seconds=5), rules=rules or shipped_rules())

    def charge(self, request: ChargeRequest, status: int, body: bytes) -> Outcome:
        return self.run(self.gateway.charge(request), status, body)

    def run(self, call: Coroutine[Any, Any, T], status: int, body: bytes) -> T:
        self.status, self.body = status, body
        self.calls.clear()
        return self._runner.run(call)

    def close(self) -> None:
        self._runner.close()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/users/getToken":
            return httpx.Response(200, content=token_reply())
        self.calls.append(request)
        return httpx.Response(self.status, content=self.body)


@asynccontextmanager
async def gateway_to(
    url: str,
    *,
    connections: int | None = 20,
    connect_timeout: float = 10.0,
    read_timeout: float = 10.0,
    deadline: float = 20.0,
    credentials: tuple[str, str] = (KEY, SECRET),
    primed: bool = True,
) -> AsyncIterator[PortOneGateway]:
    """Open a gateway over real HTTP; primed, it has a token already, so that trouble affects the charge.

    The times are long for a slow machine's sake; only a test about a time-out shortens them.
    """
    connection = Connection(
        url, credentials, connections=connections, connect_timeout=connect_timeout, read_timeout=read_timeout
    )
    gateway = PortOneGateway(PortOneClient(connection), deadline=timedelta(seconds=deadline), rules=shipped_rules())
    try:
        if primed:  # the token comes in its own time
            short, connection._timeout = connection._timeout, httpx.Timeout(60).as_dict()
            gateway._deadline = 60
            assert await gateway.ready() is None
            connection._timeout, gateway._deadline = short, deadline
        yield gateway
    finally:
        await gateway.aclose()


def assert_storable(answer: Answer) -> None:
    """PostgreSQL takes neither NUL nor half a surrogate pair in text, nor NaN or infinity in JSON."""
    for text in (answer.code, answer.message, answer.imp_uid, answer.pg_tid):
        if text is not None:
            assert "\x00" not in text
            text.encode()
    written = json.dumps(dict(answer.raw or {}), allow_nan=False, ensure_ascii=False)
    written.encode()
    assert "\\u0000" not in written
