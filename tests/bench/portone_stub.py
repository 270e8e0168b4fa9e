"""A server that answers `again` after a fixed time and does nothing else, so that only the client is measured.

Customers of a PG that hangs are told apart by their customer_uid.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio import Protocol, Transport
from collections.abc import Callable
from time import time

LATENCY_SECONDS = 1.0
HANGING_SECONDS = 65.0
"""How long a PG that hangs takes to answer, as the slowest call that PortOne allows."""

HANGING = "hanging-"
"""What a customer_uid begins with whose PG hangs."""

TOKEN_SECONDS = 1800


class Connection(Protocol):
    """HTTP/1.1 with keep-alive: the minimum that the clients here need."""

    def __init__(self, later: Callable[..., object], latency: float) -> None:
        self._later = later
        self._latency = latency
        self._buffer = b""
        self._transport: Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            if len(self._buffer) < end + 4 + length:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            if b"/users/gettoken" in head:
                self._answer(_token())
            else:
                request = json.loads(body)
                seconds = HANGING_SECONDS if request["customer_uid"].startswith(HANGING) else self._latency
                self._later(seconds, self._answer, _payment(request["merchant_uid"], request["amount"]))

    def _answer(self, response: dict[str, object]) -> None:
        body = json.dumps({"code": 0, "message": None, "response": response}).encode()
        if not self._transport.is_closing():
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )


def _token() -> dict[str, object]:
    return {"access_token": "0" * 40, "now": int(time()), "expired_at": int(time()) + TOKEN_SECONDS}


def _payment(merchant_uid: str, amount: int) -> dict[str, object]:
    return {
        "imp_uid": f"imps_{merchant_uid[-12:]}",
        "merchant_uid": merchant_uid,
        "status": "paid",
        "amount": amount,
        "cancel_amount": 0,
        "currency": "KRW",
        "paid_at": int(time()),  # an old payment would become a discrepancy
        "pg_tid": "T0123456789abcdef0123",
        "pg_provider": "kakaopay",
        "pay_method": "point",
        "channel": "api",
        "sandbox": True,
        "fail_reason": None,
    }


async def serve(port: int, latency: float = LATENCY_SECONDS) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(loop.call_later, latency), "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), *map(float, sys.argv[2:3])))
