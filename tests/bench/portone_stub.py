"""A server that answers `again` after a fixed time and does nothing else, so that only the client is measured.

Customers of a PG that hangs are told apart by their customer_uid.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from time import time

from tests.bench.http_stub import Connection

LATENCY_SECONDS = 1.0
HANGING_SECONDS = 65.0
"""How long a PG that hangs takes to answer, as the slowest call that PortOne allows."""

HANGING = "hanging-"
"""What a customer_uid begins with whose PG hangs."""

TOKEN_SECONDS = 1800


class PortOne(Connection):
    """Answers a token at once, and a charge after its PG's time."""

    def __init__(self, later: Callable[..., object], latency: float) -> None:
        super().__init__()
        self._later = later
        self._latency = latency

    def received(self, head: bytes, body: bytes) -> None:
        if b"/users/gettoken" in head:
            self._say(_token())
            return
        request = json.loads(body)
        seconds = HANGING_SECONDS if request["customer_uid"].startswith(HANGING) else self._latency
        self._later(seconds, self._say, _payment(request["merchant_uid"], request["amount"]))

    def _say(self, response: dict[str, object]) -> None:
        self.answer(json.dumps({"code": 0, "message": None, "response": response}).encode())


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
    server = await loop.create_server(lambda: PortOne(loop.call_later, latency), "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), *map(float, sys.argv[2:3])))
