"""Webhooks over real sockets: signed, sent to checked addresses alone, and over within seconds whatever is answered."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.support.tls import certificate, tls_front
from tests.support.webhook_receiver import LOCAL
from tests.support.wire_server import Request, Wire, WireServer, http, wire_server
from worker.delivery import webhook_sender
from worker.delivery.webhook_sender import WebhookSender
from worker.domain.events import signing_secrets
from worker.domain.events.destinations import Delivered, Delivery, DestinationKind, Endpoint, Message, NotDelivered
from worker.domain.events.types import EventType

OLD, NEW = (signing_secrets.written(bytes(range(first, first + 32))) for first in (1, 100))
AT = datetime(2026, 3, 2, tzinfo=UTC)
MESSAGE = Message(
    id="evt_abc", type=EventType.CHARGE_PAID, at=AT, version=1, position=3, data={"name": "골드", "amount": 9900}
)

Answer = Callable[[Wire, Request], Awaitable[None]]


def answering(response: bytes) -> Answer:
    async def answer(wire: Wire, _: Request) -> None:
        await wire.send(response)

    return answer


async def send(url: str, *, allowed: tuple[str, ...] = LOCAL, times: int = 1) -> list[Delivery]:
    endpoint = Endpoint(kind=DestinationKind.WEBHOOK, target=url, secrets=[NEW, OLD])
    sender = WebhookSender(allowed)
    try:
        return [await sender.send(endpoint, MESSAGE, now=datetime.now(UTC)) for _ in range(times)]
    finally:
        await sender.aclose()


def sent_to(answer: Answer, *, path: str = "/hook", times: int = 1) -> tuple[list[Delivery], WireServer]:
    async def story() -> tuple[list[Delivery], WireServer]:
        async with wire_server(answer) as server:
            return await send(f"{server.url}{path}", times=times), server

    return asyncio.run(story())


def test_webhook_is_signed_by_both_secrets_and_says_nothing_else():
    outcomes, server = sent_to(answering(http()), path="/hook?shop=1&x=%20")
    assert outcomes == [Delivered("answered 200")]
    (request,) = server.requests
    assert (request.method, request.path, request.body.decode()) == ("POST", "/hook?shop=1&x=%20", MESSAGE.body())
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(request.body, request.headers)["data"] == {"name": "골드", "amount": 9900}
    assert request.headers["webhook-id"] == "evt_abc"
    assert set(request.headers) - {""} == {
        *("host", "content-length", "content-type", "accept", "accept-encoding", "user-agent"),
        *("webhook-id", "webhook-timestamp", "webhook-signature"),
    }


def test_connection_is_used_again():
    outcomes, server = sent_to(answering(http(204)), times=3)
    assert outcomes == [Delivered("answered 204")] * 3
    assert server.connections == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_a_failure_and_is_not_followed(status: int):
    async def story() -> tuple[list[Delivery], int]:
        async with (
            wire_server(answering(http())) as elsewhere,
            wire_server(answering(http(status, b"", f"Location: {elsewhere.url}/hook"))) as server,
        ):
            return await send(server.url), elsewhere.connections

    outcomes, connections = asyncio.run(story())
    assert outcomes == [NotDelivered(f"answered {status}, and redirects are not followed")]
    assert connections == 0


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_refusal_is_a_failure_with_its_status_alone(status: int):
    outcomes, _ = sent_to(answering(http(status, b"customer_uid of Hong Gildong")))
    assert outcomes == [NotDelivered(f"answered {status}")]


def test_410_says_that_nothing_more_is_wanted():
    outcomes, _ = sent_to(answering(http(410)))
    assert outcomes == [NotDelivered("answered 410", gone=True)]


@pytest.mark.parametrize(("status", "delivered"), [(200, True), (500, False)])
def test_answer_of_10_mb_is_not_read_to_its_end(status: int, delivered: bool):
    written = 0

    async def floods(wire: Wire, _: Request) -> None:
        nonlocal written
        await wire.send(f"HTTP/1.1 {status} Whatever\r\nContent-Length: {10 << 20}\r\n\r\n".encode())
        while written < 10 << 20:
            await wire.send(b"x" * 65536)
            written += 65536

    outcomes, server = sent_to(floods, times=2)
    assert [isinstance(each, Delivered) for each in outcomes] == [delivered] * 2
    assert server.connections == 2
    assert written < 20 << 20


def test_head_that_never_ends_is_a_failure(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webhook_sender, "CALL_SECONDS", 0.5)

    async def drips(wire: Wire, _: Request) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await wire.send(b"X-A: b\r\n")
            await asyncio.sleep(0.05)

    outcomes, _ = sent_to(drips)
    assert outcomes == [NotDelivered("no answer within 10 s")]


def test_body_that_never_ends_changes_nothing_of_its_status(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webhook_sender, "BODY_SECONDS", 0.2)

    async def drips(wire: Wire, _: Request) -> None:
        await wire.send(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await wire.send(b"1\r\nx\r\n")
            await asyncio.sleep(0.05)

    outcomes, _ = sent_to(drips)
    assert outcomes == [Delivered("answered 202")]


async def resets(wire: Wire, _: Request) -> None:
    wire.reset()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (resets, "the connection broke before an answer"),
        (answering(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "its answer could not be read"),
        (answering(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"), "its answer could not be read"),
    ],
)
def test_answer_that_is_none_is_a_failure(answer: Answer, reason: str):
    outcomes, _ = sent_to(answer)
    assert outcomes == [NotDelivered(reason)]


def test_port_that_is_closed_is_a_failure():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        (outcome,) = asyncio.run(send(f"http://127.0.0.1:{unused.getsockname()[1]}/"))
    assert isinstance(outcome, NotDelivered)
    assert outcome.reason.startswith("no connection could be made")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_address_of_this_machine_is_not_connected_to(scheme: str, host: str):
    async def story() -> tuple[list[Delivery], int]:
        async with wire_server(answering(http())) as server:
            return await send(f"{scheme}://{host}:{server.port}/", allowed=()), server.connections

    (outcome,), connections = asyncio.run(story())
    assert isinstance(outcome, NotDelivered)
    assert "loopback" in outcome.reason or "could not be looked up" in outcome.reason
    assert connections == 0


def test_name_that_leads_elsewhere_a_moment_later_is_looked_up_once(monkeypatch: pytest.MonkeyPatch):
    looked_up: list[str] = []
    really = socket.getaddrinfo

    def rebinding(host: str, port: int, *more: object) -> object:
        looked_up.append(host)
        return really("127.0.0.1" if len(looked_up) == 1 else "127.0.0.2", port)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)

    async def story() -> tuple[list[Delivery], int]:
        async with wire_server(answering(http(200, b"", "Connection: close"))) as server:
            monkeypatch.setattr(webhook_sender, "LOOK_UP_AGAIN_SECONDS", 0)
            url = f"http://rebind.example:{server.port}/"
            return await send(url, allowed=("127.0.0.1/32",), times=2), server.connections

    outcomes, connections = asyncio.run(story())
    assert outcomes[0] == Delivered("answered 200")
    assert isinstance(outcomes[1], NotDelivered)
    assert "leads to 127.0.0.2, a loopback address" in outcomes[1].reason
    assert (connections, looked_up) == (1, ["rebind.example"] * 2)


def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch):
    async def story() -> tuple[list[Delivery], int]:
        async with wire_server(answering(http())) as proxy, wire_server(answering(http())) as server:
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
                monkeypatch.setenv(name, proxy.url)
            return await send(server.url), proxy.connections

    outcomes, through_proxy = asyncio.run(story())
    assert (outcomes, through_proxy) == ([Delivered("answered 200")], 0)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("DNS:localhost", Delivered("answered 200")),
        ("DNS:elsewhere.example", NotDelivered("its TLS certificate is not valid for its name, or not trusted")),
    ],
)
def test_tls_is_verified_by_the_name(names: str, expected: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shown = certificate(tmp_path, "endpoint", names=names)
    monkeypatch.setenv("SSL_CERT_FILE", str(shown.path))

    async def story() -> list[Delivery]:
        async with wire_server(answering(http())) as server:

            async def backend() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
                return await asyncio.open_connection("127.0.0.1", server.port)

            with tls_front(shown, backend) as port:
                return await send(f"https://localhost:{port}/hook")

    assert asyncio.run(story()) == [expected]
