"""A charge over a real socket with network trouble: the outcome is right, and the request was sent once."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from tests.support.attempts import MERCHANT_UID, request
from tests.support.gateways import gateway_to
from tests.support.wire_server import Request, Wire, envelope, http, paid, pays, wire_server
from worker.domain.gateway import Found, LookUpFailed
from worker.domain.outcomes import Answer, NotCharged, NotChargedReason, Outcome, Paid, Unknown, UnknownReason
from worker.portone.transport import KEEP_ALIVE_SECONDS

READ_TIMEOUT, DEADLINE = 0.4, 0.8
"""Read time-out in seconds, for trouble that hangs or trickles."""

LOST, TIMEOUT = UnknownReason.CONNECTION_LOST, UnknownReason.TIMEOUT
UNREADABLE, SERVER_ERROR = UnknownReason.UNREADABLE, UnknownReason.SERVER_ERROR

SINCE = datetime(2026, 1, 1, tzinfo=UTC)

DECLINED = envelope(code=-1, message="[8326]한도초과")


async def charged_once(trouble: Callable[[Wire, Request], Awaitable[None]], **times: Any) -> tuple[Outcome, int, int]:
    """Charge once with this trouble; returns the outcome, and how many requests and connections the server saw."""
    async with wire_server(trouble) as server:
        async with gateway_to(server.url, **times) as gateway:
            before = server.connections
            outcome = await gateway.charge(request())
        await server.idle()
        return outcome, server.charges[MERCHANT_UID], server.connections - before


def says(*parts: bytes | float, close: bool = True):
    """Send these bytes, pausing for each number of seconds, and hang up."""

    async def trouble(wire: Wire, _request: Request) -> None:
        for part in parts:
            if isinstance(part, bytes):
                await wire.send(part)
            else:
                await asyncio.sleep(part)
        if close:
            wire.writer.close()

    return trouble


async def resets(wire: Wire, _request: Request) -> None:
    wire.reset()


async def resets_amid_the_answer(wire: Wire, asked: Request) -> None:
    await wire.send(http(200, paid(asked))[:-20])
    wire.reset()


async def hangs(wire: Wire, _request: Request) -> None:
    await wire.reader.read()  # until the client hangs up


async def hangs_amid_the_head(wire: Wire, asked: Request) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    await hangs(wire, asked)


async def hangs_amid_the_body(wire: Wire, asked: Request) -> None:
    await wire.send(http(200, paid(asked))[:-20])
    await hangs(wire, asked)


async def trickles(wire: Wire, asked: Request) -> None:
    """Send a byte more often than the read time-out, and never finish."""
    for byte in http(200, paid(asked)):
        await wire.send(bytes([byte]))
        await asyncio.sleep(READ_TIMEOUT / 10)


async def sends_ten_megabytes(wire: Wire, _request: Request) -> None:
    await wire.send(http(200, b" " * 10_000_000 + DECLINED))


async def sends_headers_without_end(wire: Wire, _request: Request) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\n" + b"X-More: again\r\n" * 20_000 + b"\r\n")


async def promises_more_than_it_sends(wire: Wire, asked: Request) -> None:
    body = paid(asked)
    await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) + 1) + body)
    wire.writer.close()


async def sends_more_than_it_promised(wire: Wire, asked: Request) -> None:
    body = paid(asked)
    await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) - 1) + body)


async def ends_the_chunks_too_soon(wire: Wire, asked: Request) -> None:
    body = paid(asked)
    await wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(body), body))
    wire.writer.close()


async def answers_over_its_own_end(wire: Wire, asked: Request) -> None:
    """HTTP/1.0: the body ends where the connection does, which may be anywhere."""
    await wire.send(b"HTTP/1.0 200 OK\r\n\r\n" + paid(asked)[:-2])
    wire.writer.close()


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        # hung up on
        (says(), LOST),
        (resets, LOST),
        (says(b"HTTP/1.1 20"), LOST),
        (says(b"HTTP/1.1 200 OK\r\nContent-Type: application/js"), LOST),
        (resets_amid_the_answer, LOST),
        (promises_more_than_it_sends, LOST),
        (ends_the_chunks_too_soon, LOST),
        # no end in sight
        (hangs, TIMEOUT),
        (hangs_amid_the_head, TIMEOUT),
        (hangs_amid_the_body, TIMEOUT),
        (trickles, TIMEOUT),
        # no HTTP
        (says(b"SSH-2.0-OpenSSH_9.6\r\n"), LOST),
        (says(b"\x15\x03\x01\x00\x02\x02\x50"), LOST),  # a TLS alert
        (says(b"HTTP/1.1 huh OK\r\n\r\n"), LOST),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"), LOST),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), LOST),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"), LOST),
        (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n{}"), LOST),
        (sends_headers_without_end, LOST),
        # HTTP, but no answer to be read
        (says(http(200, b"")), UNREADABLE),
        (says(http(200, b"<html>maintenance</html>")), UNREADABLE),
        (says(http(200, DECLINED[:-1])), UNREADABLE),
        (says(http(200, b"[" * 200_000)), UNREADABLE),
        (sends_ten_megabytes, UNREADABLE),
        (answers_over_its_own_end, UNREADABLE),
        (says(http(200, b"no gzip", "Content-Encoding: gzip")), UNREADABLE),
        # a status that is no answer
        (says(http(500, b"")), SERVER_ERROR),
        (says(http(503, b"<html></html>", "Retry-After: 1")), SERVER_ERROR),
        (says(http(429, DECLINED)), SERVER_ERROR),
        (says(http(302, b"", "Location: /subscribe/payments/again")), SERVER_ERROR),
        (says(http(307, b"", "Location: /subscribe/payments/again")), SERVER_ERROR),  # would repeat the POST
        (says(http(308, DECLINED, "Location: http://127.0.0.1:1/")), SERVER_ERROR),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_trouble_after_the_request_left_is_unknown_and_not_repeated(trouble, reason):
    times = {"read_timeout": READ_TIMEOUT, "deadline": DEADLINE} if reason is TIMEOUT else {}
    outcome, requests, connections = asyncio.run(charged_once(trouble, **times))
    assert isinstance(outcome, Unknown), outcome
    assert outcome.reason is reason
    assert (requests, connections) == (1, 1)


async def continues(wire: Wire, asked: Request) -> None:
    await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n" + http(200, paid(asked)))


async def hints(wire: Wire, asked: Request) -> None:
    await wire.send(b"HTTP/1.1 103 Early WebhookQueue\r\nLink: </x>\r\n\r\n")
    await wire.send(http(200, paid(asked)))


async def answers_in_pieces(wire: Wire, asked: Request) -> None:
    for byte in http(200, paid(asked)):
        await wire.send(bytes([byte]))


async def answers_in_chunks(wire: Wire, asked: Request) -> None:
    body = paid(asked)
    chunks = b"".join(
        b"%x;ext=1\r\n%s\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7)
    )
    await wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")


async def answers_and_hangs_up(wire: Wire, asked: Request) -> None:
    await wire.send(http(200, paid(asked), "Connection: close"))
    wire.writer.close()


@pytest.mark.parametrize(
    "manner",
    [
        pays,
        continues,
        hints,
        answers_in_pieces,
        answers_in_chunks,
        answers_and_hangs_up,
    ],
)
def test_unusual_but_valid_answer_is_read(manner):
    outcome, requests, connections = asyncio.run(charged_once(manner))
    assert isinstance(outcome, Paid), outcome
    assert (requests, connections) == (1, 1)


def test_answer_longer_than_announced_is_unknown():
    outcome, requests, connections = asyncio.run(charged_once(sends_more_than_it_promised))
    assert isinstance(outcome, Unknown)
    assert outcome.reason in {LOST, UNREADABLE}, "by whether the rest comes along or after"
    assert (requests, connections) == (1, 1)


@pytest.mark.parametrize(
    ("coding", "layers"),
    [("gzip", 1), ("gzip, gzip", 2), ("GZIP", 1), ("x-gzip", 1), ("identity, gzip", 1), ("br", 1), ("what", 0)],
)
def test_compressed_body_that_was_not_requested_is_not_unpacked(coding, layers):
    async def coded(wire: Wire, request: Request) -> None:
        body = paid(request)
        for _ in range(layers):
            body = gzip.compress(body, compresslevel=1)
        await wire.send(http(200, body, f"Content-Encoding: {coding}"))

    outcome, requests, _ = asyncio.run(charged_once(coded))
    assert isinstance(outcome, Unknown)
    assert outcome.reason is UNREADABLE
    assert requests == 1


@pytest.mark.parametrize("ask", ["look_up", "payment", "ready", "payments"])
def test_compressed_answer_to_any_call_is_no_answer(ask):
    async def story() -> Any:
        async def coded(wire: Wire, _request: Request) -> None:
            await wire.send(http(200, gzip.compress(envelope({"total": 0, "list": []})), "Content-Encoding: gzip"))

        token = coded if ask == "ready" else None
        async with (
            wire_server(coded, answer_token=token) as server,
            gateway_to(server.url, primed=not token) as gateway,
        ):
            asked = {
                "look_up": lambda: gateway.look_up(MERCHANT_UID),
                "payment": lambda: gateway.payment("imps_1"),
                "ready": gateway.ready,
                "payments": lambda: gateway.payments("paid", since=SINCE, until=SINCE + timedelta(days=1), pause=0),
            }
            return await asked[ask]()

    assert isinstance(asyncio.run(story()), NotCharged if ask == "ready" else LookUpFailed)


@pytest.mark.parametrize("coding", ["identity", "Identity", " "])
def test_body_with_identity_encoding_is_read(coding):
    async def plain(wire: Wire, request: Request) -> None:
        await wire.send(http(200, paid(request), f"Content-Encoding: {coding}"))

    outcome, _, _ = asyncio.run(charged_once(plain))
    assert isinstance(outcome, Paid)


# --- before a request is read ---------------------------------------------------------------------------------------


async def _close(wire: Wire) -> None:
    wire.writer.close()


async def _reset(wire: Wire) -> None:
    wire.reset()


async def _never_reads(wire: Wire) -> None:
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport of a server reads too
    await asyncio.sleep(60)


@pytest.mark.parametrize(("accept", "reasons"), [(_close, {LOST}), (_reset, {LOST}), (_never_reads, {TIMEOUT})])
def test_error_on_an_open_connection_is_unknown(accept, reasons):
    """The server may claim that it read nothing; unverifiable, so it does not count as "nothing was sent"."""
    times: dict[str, Any] = {"read_timeout": READ_TIMEOUT, "deadline": DEADLINE} if accept is _never_reads else {}

    async def story() -> tuple[Outcome, int]:
        async with (
            wire_server(pays) as server,
            gateway_to(server.url, **times) as gateway,
        ):
            before, server.accept = server.connections, accept
            outcome = await gateway.charge(request())
            return outcome, server.connections - before

    outcome, connections = asyncio.run(story())
    assert isinstance(outcome, Unknown), outcome
    assert outcome.reason in reasons
    assert connections == 1, "and it was not tried on another connection either"


# --- connections that are kept --------------------------------------------------------------------------------------


def test_connection_is_kept_for_the_next_charge():
    async def story() -> tuple[list[Outcome], int]:
        async with wire_server(pays) as server, gateway_to(server.url) as gateway:
            before = server.connections
            outcomes = [await gateway.charge(request(merchant_uid=f"m{number}")) for number in range(3)]
            return outcomes, server.connections - before

    outcomes, connections = asyncio.run(story())
    assert all(isinstance(outcome, Paid) for outcome in outcomes)
    assert connections == 1


def test_kept_connection_closed_by_the_server_is_not_reused():
    async def story() -> tuple[Outcome, int]:
        closed = asyncio.Event()

        async def pays_and_closes(wire: Wire, asked: Request) -> None:
            await pays(wire, asked)
            if asked.json["merchant_uid"] == "first":
                wire.writer.close()
                await wire.writer.wait_closed()
                closed.set()

        async with wire_server(pays_and_closes) as server, gateway_to(server.url) as gateway:
            await gateway.charge(request(merchant_uid="first"))
            await closed.wait()
            return await gateway.charge(request()), server.charges[MERCHANT_UID]

    outcome, requests = asyncio.run(story())
    # Its FIN may come before or after the request: then it is paid on another connection, or unknown. Never twice.
    assert isinstance(outcome, Paid | Unknown)
    assert requests == (1 if isinstance(outcome, Paid) else 0)


@pytest.mark.parametrize("how", [_close, _reset])
def test_request_lost_on_a_kept_connection_is_unknown_and_not_repeated(how):
    async def hangs_up_on_the_second(wire: Wire, asked: Request) -> None:
        if asked.json["merchant_uid"] == MERCHANT_UID:
            await how(wire)
        else:
            await pays(wire, asked)

    async def story() -> tuple[Outcome, int, int]:
        async with wire_server(hangs_up_on_the_second) as server, gateway_to(server.url) as gateway:
            await gateway.charge(request(merchant_uid="first"))
            before = server.connections
            return await gateway.charge(request()), server.charges[MERCHANT_UID], server.connections - before

    outcome, requests, new_connections = asyncio.run(story())
    assert isinstance(outcome, Unknown)
    assert outcome.reason is LOST
    assert (requests, new_connections) == (1, 0)


@pytest.mark.parametrize("unasked", [http(200, DECLINED), http(408, b""), http(200, b"")[:12]])
def test_unsolicited_data_on_a_kept_connection_is_no_answer(unasked):
    """A second answer to the first request, or a proxy's 408, would else be read as the answer to the second."""

    async def story() -> tuple[Outcome, int]:
        said = asyncio.Event()

        async def says_too_much(wire: Wire, asked: Request) -> None:
            await pays(wire, asked)
            if asked.json["merchant_uid"] == "first":
                await go_on.wait()
                await wire.send(unasked)
                said.set()

        go_on = asyncio.Event()
        async with wire_server(says_too_much) as server, gateway_to(server.url) as gateway:
            await gateway.charge(request(merchant_uid="first"))
            go_on.set()
            await said.wait()
            # The bytes are in the kernel; a turn or two of the loop brings them to the client.
            for _ in range(20):
                await asyncio.sleep(0)
            return await gateway.charge(request()), server.charges[MERCHANT_UID]

    outcome, requests = asyncio.run(story())
    assert isinstance(outcome, Paid), outcome
    assert requests == 1


def test_server_that_always_sends_first_is_given_up():
    async def speaks_first(wire: Wire) -> None:
        await wire.send(http(408, b""))
        await wire.reader.read()

    async def story() -> tuple[Outcome, int]:
        async with wire_server(pays) as server, gateway_to(server.url, connections=3) as gateway:
            before, server.accept = server.connections, speaks_first
            return await gateway.charge(request()), server.connections - before

    outcome, connections = asyncio.run(story())
    # Its bytes come before the request is sent, which is then held back, or just after: then they are the answer.
    assert isinstance(outcome, NotCharged | Unknown)
    assert connections <= 4


def test_late_answer_on_a_connection_is_no_answer_to_the_next_request():
    async def story() -> tuple[Outcome, Outcome]:
        release = asyncio.Event()

        async def late(wire: Wire, asked: Request) -> None:
            if asked.json["merchant_uid"] == "first":
                await release.wait()
                await wire.send(http(200, DECLINED))
            else:
                await pays(wire, asked)

        async with wire_server(late) as server, gateway_to(server.url, read_timeout=0.5) as gateway:
            first = await gateway.charge(request(merchant_uid="first"))
            release.set()
            return first, await gateway.charge(request())

    first, second = asyncio.run(story())
    assert isinstance(first, Unknown)
    assert isinstance(second, Paid)


def test_idle_connection_is_closed_before_servers_usually_close_it():
    assert KEEP_ALIVE_SECONDS < 5


# --- looking up, and being ready ------------------------------------------------------------------------------------


def look_up_through(trouble: Callable[[Wire, Request], Awaitable[None]], **times: Any) -> Found | LookUpFailed:
    async def story() -> Found | LookUpFailed:
        async with wire_server(trouble) as server, gateway_to(server.url, **times) as gateway:
            return await gateway.look_up(MERCHANT_UID)

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("trouble", "times"),
    [
        (resets, {}),
        (hangs, {"read_timeout": READ_TIMEOUT}),
        (hangs, {"deadline": DEADLINE}),  # the deadline ends it before the read time-out does
        (trickles, {"deadline": DEADLINE}),
        (says(http(401, b"")), {}),
        (says(http(500, b"")), {}),
        (sends_ten_megabytes, {}),
    ],
)
def test_trouble_during_a_look_up_is_a_failed_look_up_and_not_nothing_found(trouble, times):
    assert isinstance(look_up_through(trouble, **times), LookUpFailed)


def test_charge_ends_at_its_deadline_even_if_bytes_keep_arriving():
    outcome, requests, _ = asyncio.run(charged_once(hangs, deadline=DEADLINE))
    assert outcome == Unknown(TIMEOUT, Answer(message="no answer within the deadline"))
    assert requests == 1


def test_token_that_does_not_come_within_the_deadline_is_no_token():
    async def story() -> NotCharged | None:
        async with (
            wire_server(pays, answer_token=hangs) as server,
            gateway_to(server.url, deadline=READ_TIMEOUT, primed=False) as gateway,
        ):
            return await gateway.ready()

    assert asyncio.run(story()) == NotCharged(
        NotChargedReason.NO_TOKEN, Answer(message="PortOne issued no access token in time")
    )


def test_unexpected_error_in_reading_an_answer_is_unknown(monkeypatch, capsys):
    """The request was sent: whatever fails afterwards, the payment is looked up, and the pump continues."""

    def breaks(*_args: object) -> Outcome:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("worker.portone.adapter.read_charge", breaks)
    outcome, requests, _ = asyncio.run(charged_once(pays))
    assert outcome == Unknown(UNREADABLE, Answer(message="ZeroDivisionError"))
    assert requests == 1
    printed = capsys.readouterr().out
    assert "failed unexpectedly" in printed
    assert "secret" not in printed


def test_unexpected_error_in_a_look_up_is_a_failed_look_up():
    async def story() -> Found | LookUpFailed:
        async with wire_server(pays) as server, gateway_to(server.url) as gateway:
            return await gateway.look_up("")  # a merchant_uid without an attempt

    assert asyncio.run(story()) == LookUpFailed(Answer(message="ValueError"))


# --- no connection at all -------------------------------------------------------------------------------------------


def charge_at(url: str, *, connect_timeout: float = 2.0) -> Outcome:
    async def story() -> Outcome:
        async with gateway_to(url, connect_timeout=connect_timeout, primed=False) as gateway:
            # A token from before, as a worker has when its network fails.
            gateway._client._connection._tokens._value = "token"
            gateway._client._connection._tokens._good_until = float("inf")
            return await gateway.charge(request())

    return asyncio.run(story())


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def assert_not_reached(outcome: Outcome) -> None:
    assert isinstance(outcome, NotCharged), outcome
    assert outcome.reason is NotChargedReason.CONNECT_FAILED
    assert "check the network, and AGAIN_PORTONE_URL or, for the sandbox, AGAIN_SANDBOX_URL" in str(
        outcome.answer.message
    )


def test_refused_connection_is_not_charged():
    assert_not_reached(charge_at(f"http://127.0.0.1:{closed_port()}"))


def test_unknown_host_name_is_not_charged(monkeypatch):
    def fails(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    assert_not_reached(charge_at("http://api.portone.invalid"))


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:1", "https://"])
def test_invalid_address_is_not_charged(url):
    assert_not_reached(charge_at(url))


async def _says_plain_http(wire: Wire) -> None:
    await wire.send(http(400, b"speak plainly"))
    wire.writer.close()


@pytest.mark.parametrize("accept", [_close, _reset, _says_plain_http, _never_reads])
def test_failed_tls_handshake_is_not_charged(accept):
    async def story() -> tuple[Outcome, int]:
        async with wire_server(pays, accept=accept) as server:
            address = f"https://127.0.0.1:{server.port}"
            return await asyncio.to_thread(charge_at, address, connect_timeout=0.3), len(server.requests)

    outcome, requests = asyncio.run(story())
    assert_not_reached(outcome)
    assert requests == 0


def test_charge_without_any_trustworthy_connection_is_not_sent(monkeypatch):
    class Spoilt:
        protocol = type("Protocol", (), {"should_close": True})

        def close(self) -> None:
            pass

    async def connect(*_args: object) -> Spoilt:
        return Spoilt()

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", connect)
    assert_not_reached(charge_at("http://127.0.0.1:1"))


def test_look_up_without_a_connection_is_a_failed_look_up():
    async def story() -> Found | LookUpFailed:
        async with gateway_to(f"http://127.0.0.1:{closed_port()}", primed=False) as gateway:
            return await gateway.look_up(MERCHANT_UID)

    assert isinstance(asyncio.run(story()), LookUpFailed)


def test_charge_without_a_free_connection_in_time_is_not_charged():
    async def story() -> tuple[Outcome, Outcome, int, int]:
        release, held = asyncio.Event(), asyncio.Event()

        async def waits(wire: Wire, asked: Request) -> None:
            held.set()
            await release.wait()
            await pays(wire, asked)

        async with wire_server(waits) as server, gateway_to(server.url, connections=1, connect_timeout=0.5) as gateway:
            first = asyncio.create_task(gateway.charge(request(merchant_uid="first")))
            await held.wait()
            second = await gateway.charge(request())
            release.set()
            return await first, second, server.charges[MERCHANT_UID], server.open_most

    first, second, requests, open_most = asyncio.run(story())
    assert isinstance(first, Paid)
    assert_not_reached(second)
    assert (requests, open_most) == (0, 1)
