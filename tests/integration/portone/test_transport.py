"""The transport over real sockets: which connections are used, and which requests are sent once more."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.support.attempts import MERCHANT_UID, request
from tests.support.gateways import gateway_to
from tests.support.wire_server import Request, Wire, WireServer, envelope, http, pays, wire_server
from worker.domain.gateway import Found, LookUpFailed
from worker.domain.outcomes import Outcome, Paid
from worker.portone.transport import STILL_OURS, AiohttpTransport

NOTHING = http(200, envelope({"total": 0, "previous": 0, "next": 0, "list": []}))


def test_calls_without_a_limit_never_wait_for_a_connection():
    together = 300

    async def story() -> tuple[list[Outcome], WireServer]:
        waiting, all_there = 0, asyncio.Event()

        async def waits_for_the_others(wire: Wire, asked: Request) -> None:
            nonlocal waiting
            waiting += 1
            if waiting == together:
                all_there.set()
            await all_there.wait()
            await pays(wire, asked)

        async with (
            wire_server(waits_for_the_others) as server,
            gateway_to(server.url, connections=None, connect_timeout=30, read_timeout=30, deadline=60) as gateway,
        ):
            charges = [gateway.charge(request(merchant_uid=f"m{number}")) for number in range(together)]
            return await asyncio.gather(*charges), server

    outcomes, server = asyncio.run(story())
    assert all(isinstance(outcome, Paid) for outcome in outcomes)
    assert server.open_most >= together


@pytest.mark.parametrize(("breaks", "expected", "requests"), [(1, Found, 2), (2, LookUpFailed, 2)])
def test_look_up_on_a_connection_that_breaks_is_sent_once_more(breaks, expected, requests):
    async def story() -> tuple[Found | LookUpFailed, int]:
        async def breaks_at_first(wire: Wire, _asked: Request) -> None:
            if len(server.requests) - len(server.tokens) <= breaks:
                wire.reset()
            else:
                await wire.send(NOTHING)

        async with wire_server(breaks_at_first) as server, gateway_to(server.url) as gateway:
            return await gateway.look_up(MERCHANT_UID), len(server.requests) - len(server.tokens)

    found, asked = asyncio.run(story())
    assert isinstance(found, expected)
    assert asked == requests


def test_every_kept_connection_with_unsolicited_data_is_left_for_a_new_one():
    together = 5

    async def story() -> tuple[Outcome, int, int]:
        waiting, all_there, go_on, said = 0, asyncio.Event(), asyncio.Event(), asyncio.Semaphore(0)

        async def says_too_much(wire: Wire, asked: Request) -> None:
            nonlocal waiting
            waiting += 1
            if waiting == together:
                all_there.set()
            await all_there.wait()
            await pays(wire, asked)
            if not go_on.is_set():
                await go_on.wait()
                await wire.send(http(408, b""))
                said.release()

        async with wire_server(says_too_much) as server, gateway_to(server.url) as gateway:
            await asyncio.gather(*(gateway.charge(request(merchant_uid=f"m{number}")) for number in range(together)))
            before = server.connections
            go_on.set()
            for _ in range(together):
                await said.acquire()
            for _ in range(20):  # the bytes are in the kernel; a turn or two of the loop brings them to the client
                await asyncio.sleep(0)
            return await gateway.charge(request()), server.charges[MERCHANT_UID], server.connections - before

    outcome, requests, new_connections = asyncio.run(story())
    assert isinstance(outcome, Paid), outcome
    assert (requests, new_connections) == (1, 1)


async def _send(server: WireServer, transport: AiohttpTransport, **more: Any) -> httpx.Response:
    return await transport.handle_async_request(httpx.Request("POST", f"{server.url}/x", content=b"{}", **more))


@pytest.mark.parametrize("value", [b"a\r\nX-More: b", b"a\nb", b"a\rb", b"a\x00b"])
def test_header_with_a_line_break_is_not_sent(value):
    async def story() -> int:
        async with wire_server(pays) as server:
            transport = AiohttpTransport()
            with pytest.raises(httpx.LocalProtocolError):
                await _send(server, transport, headers=[(b"X-Text", value)])
            await transport.aclose()
            return server.connections

    assert asyncio.run(story()) == 0


def test_closed_transport_sends_nothing():
    async def story() -> int:
        async with wire_server(pays) as server:
            transport = AiohttpTransport()
            await transport.aclose()
            with pytest.raises(RuntimeError, match="closed"):
                await _send(server, transport)
            return server.connections

    assert asyncio.run(story()) == 0


def test_lease_is_checked_when_there_is_a_connection_and_before_a_byte_leaves():
    async def story() -> list[tuple[int, int]]:
        seen: list[tuple[int, int]] = []

        def holds_lease() -> bool:
            seen.append((server.connections, len(server.requests)))
            return True

        async def answers(wire: Wire, _asked: Request) -> None:
            await wire.send(http(200, b"{}"))

        async with wire_server(answers) as server:
            transport = AiohttpTransport()
            for _ in range(2):
                response = await _send(server, transport, extensions={STILL_OURS: holds_lease})
                assert await response.aread() == b"{}"
            await transport.aclose()
        return seen

    (_, before_first), (connections, before_second) = asyncio.run(story())
    assert (before_first, before_second, connections) == (0, 1, 1)
