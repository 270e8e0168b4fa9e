"""Tokens and connections over a real socket, with one caller and with a thousand."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

from tests.support.attempts import MERCHANT_UID, request
from tests.support.gateways import KEY, SECRET, gateway_to
from tests.support.wire_server import (
    TOKEN,
    Request,
    Wire,
    WireServer,
    envelope,
    http,
    paid,
    pays,
    token_reply,
    wire_server,
)
from worker.domain.outcomes import NotCharged, NotChargedReason, Outcome, Paid, Unknown, UnknownReason

UNAUTHORIZED = http(401, envelope(code=-1, message="Unauthorized"), "WWW-Authorize: iamport")


class Tokens:
    """A PortOne whose tokens expire when the test decides."""

    def __init__(self) -> None:
        self.given = 0
        self.accepted = 1

    async def answer_token(self, wire: Wire, _request: Request) -> None:
        self.given += 1
        await wire.send(http(200, token_reply(f"token-{max(self.given, self.accepted)}")))

    async def answer(self, wire: Wire, asked: Request) -> None:
        if asked.headers.get("authorization") == f"Bearer token-{self.accepted}":
            await pays(wire, asked)
        else:
            await wire.send(UNAUTHORIZED)


def charge(server: WireServer, *, primed: bool = True):
    async def story() -> Outcome:
        async with gateway_to(server.url, primed=primed) as gateway:
            return await gateway.charge(request())

    return story()


def test_key_pair_is_sent_as_documented_and_the_token_with_every_charge():
    async def story() -> WireServer:
        async with wire_server(pays) as server:
            assert isinstance(await charge(server), Paid)
            return server

    server = asyncio.run(story())
    token, again = server.requests
    assert (token.method, token.path, token.json) == ("POST", "/users/getToken", {"imp_key": KEY, "imp_secret": SECRET})
    assert "authorization" not in token.headers
    assert (again.method, again.path) == ("POST", "/subscribe/payments/again")
    assert again.headers["authorization"] == f"Bearer {TOKEN}"
    assert again.headers["content-type"] == "application/json"
    assert again.headers["accept"] == "application/json"
    assert again.headers["user-agent"] == "again-billing"
    assert "cookie" not in again.headers


def test_expired_token_is_renewed_and_the_charge_repeated_once():
    async def story() -> tuple[Outcome, WireServer, Tokens]:
        tokens = Tokens()
        async with (
            wire_server(tokens.answer, answer_token=tokens.answer_token) as server,
            gateway_to(server.url) as gateway,
        ):
            tokens.accepted = 2
            return await gateway.charge(request()), server, tokens

    outcome, server, tokens = asyncio.run(story())
    assert isinstance(outcome, Paid)
    assert tokens.given == 2
    authorizations = [each.headers["authorization"] for each in server.requests if "again" in each.path]
    assert authorizations == ["Bearer token-1", "Bearer token-2"], "the first was turned away unprocessed"


def test_second_401_ends_a_charge_as_not_charged():
    async def refuses(wire: Wire, _request: Request) -> None:
        await wire.send(UNAUTHORIZED)

    async def story() -> tuple[Outcome, WireServer]:
        async with wire_server(refuses) as server:
            return await charge(server), server

    outcome, server = asyncio.run(story())
    assert isinstance(outcome, NotCharged)
    assert outcome.reason is NotChargedReason.UNAUTHORIZED
    assert "check the key pair" in str(outcome.answer.message)
    assert server.charges[MERCHANT_UID] == 2


def test_trouble_with_the_repeat_after_a_401_is_unknown():
    answers = [UNAUTHORIZED]

    async def refuses_then_hangs_up(wire: Wire, _request: Request) -> None:
        if answers:
            await wire.send(answers.pop())
        else:
            wire.writer.close()

    async def story() -> tuple[Outcome, WireServer]:
        async with wire_server(refuses_then_hangs_up) as server:
            return await charge(server), server

    outcome, server = asyncio.run(story())
    assert isinstance(outcome, Unknown)
    assert outcome.reason is UnknownReason.CONNECTION_LOST
    assert server.charges[MERCHANT_UID] == 2


async def _hangs_up(wire: Wire, _request: Request) -> None:
    wire.writer.close()


async def _hangs(wire: Wire, _request: Request) -> None:
    await wire.reader.read()


def _says(data: bytes):
    async def answer(wire: Wire, _request: Request) -> None:
        await wire.send(data)

    return answer


@pytest.mark.parametrize(
    "answer_token",
    [
        _hangs_up,
        _hangs,
        _says(http(401, envelope(code=-1, message="imp_key, imp_secret 값이 올바르지 않습니다."))),
        _says(http(400, envelope(code=1, message="imp_key, imp_secret 파라메터가 누락되었습니다."))),
        _says(http(500, b"")),
        _says(http(503, b"<html></html>")),
        _says(http(302, b"", "Location: /users/getToken")),
        _says(http(200, b"")),
        _says(http(200, b"[" * 200_000)),
        _says(http(200, envelope(None))),
        _says(http(200, envelope({"now": 1, "expired_at": 1801}))),
        _says(http(200, envelope({"access_token": ""}))),
        _says(http(200, envelope({"access_token": 17}))),
        _says(http(200, envelope({"access_token": "token\r\nX-Injected: yes"}))),  # never reaches a header
        _says(http(200, envelope({"access_token": "토큰"}))),
        _says(http(200, token_reply()[:-1])),
    ],
)
def test_charge_without_a_token_is_not_sent(answer_token):
    async def story() -> tuple[NotCharged | None, Outcome, WireServer]:
        async with (
            wire_server(pays, answer_token=answer_token) as server,
            gateway_to(server.url, read_timeout=0.1, primed=False) as gateway,
        ):
            return await gateway.ready(), await gateway.charge(request()), server

    problem, outcome, server = asyncio.run(story())
    for not_charged in (problem, outcome):
        assert isinstance(not_charged, NotCharged)
        assert not_charged.reason is NotChargedReason.NO_TOKEN
        assert "no access token" in str(not_charged.answer.message)
    assert server.charges == {}
    assert len(server.tokens) == 1, "the second asks again only after a pause"


@pytest.mark.parametrize(
    "given",
    [
        {"access_token": TOKEN},  # no times
        {"access_token": TOKEN, "now": 2000, "expired_at": 1000},  # in the past
        {"access_token": TOKEN, "now": "soon", "expired_at": []},
        {"access_token": TOKEN, "now": 0, "expired_at": 10**400},  # more than a float holds
        {"access_token": TOKEN, "now": 0, "expired_at": float("inf")},
        {"access_token": TOKEN, "now": float("nan"), "expired_at": 1800},
    ],
)
def test_token_with_odd_times_is_used_for_more_than_one_charge(given):
    body = json.dumps({"code": 0, "message": None, "response": given}).encode()

    async def story() -> tuple[list[Outcome], WireServer]:
        async with wire_server(pays, answer_token=_says(http(200, body))) as server, gateway_to(server.url) as gateway:
            charges = [gateway.charge(request(merchant_uid=f"m{number}")) for number in range(10)]
            return await asyncio.gather(*charges), server

    outcomes, server = asyncio.run(story())
    assert all(isinstance(outcome, Paid) for outcome in outcomes)
    assert len(server.tokens) == 1


@pytest.mark.parametrize(
    ("now", "expected"),
    [(1_700_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)), (0, None), ("soon", None), (10**400, None)],
)
def test_portones_time_is_read_from_its_token(now, expected):
    body = json.dumps(
        {"code": 0, "message": None, "response": {"access_token": TOKEN, "now": now, "expired_at": now}}
    ).encode()

    async def story() -> datetime | None:
        async with wire_server(pays, answer_token=_says(http(200, body))) as server, gateway_to(server.url) as gateway:
            return await gateway._client.server_time()

    assert asyncio.run(story()) == expected


def test_thousand_concurrent_charges_share_a_token_and_the_connection_limit():
    limit, together = 50, 1000

    async def story() -> tuple[list[Outcome], WireServer, int]:
        in_flight, most, full = 0, 0, asyncio.Event()

        async def waits_for_the_others(wire: Wire, asked: Request) -> None:
            nonlocal in_flight, most
            in_flight += 1
            most = max(most, in_flight)
            if in_flight == limit:
                full.set()
            await full.wait()  # the first answer is sent when as many are in flight as the limit allows
            in_flight -= 1
            await pays(wire, asked)

        async with (
            wire_server(waits_for_the_others) as server,
            gateway_to(
                server.url, connections=limit, connect_timeout=30, read_timeout=30, deadline=60, primed=False
            ) as gateway,
        ):
            charges = [gateway.charge(request(merchant_uid=f"m{number}")) for number in range(together)]
            return await asyncio.gather(*charges), server, most

    outcomes, server, most = asyncio.run(story())
    assert all(isinstance(outcome, Paid) for outcome in outcomes)
    assert len(server.tokens) == 1
    assert most == limit
    assert server.open_most <= limit + 1, "one more while the token's connection closes"
    assert set(server.charges.values()) == {1}
    assert len(server.charges) == together


def test_thousand_concurrent_401s_renew_the_token_once():
    async def story() -> tuple[list[Outcome], WireServer, Tokens]:
        tokens = Tokens()
        async with (
            wire_server(tokens.answer, answer_token=tokens.answer_token) as server,
            gateway_to(server.url, connections=50, connect_timeout=30, read_timeout=30, deadline=60) as gateway,
        ):
            tokens.accepted = 2
            charges = [gateway.charge(request(merchant_uid=f"m{number}")) for number in range(1000)]
            return await asyncio.gather(*charges), server, tokens

    outcomes, server, tokens = asyncio.run(story())
    assert all(isinstance(outcome, Paid) for outcome in outcomes)
    assert tokens.given == 2
    assert set(server.charges.values()) <= {1, 2}


def test_token_that_portone_insists_on_causes_no_storm_of_requests():
    async def refuses(wire: Wire, _request: Request) -> None:
        await wire.send(UNAUTHORIZED)

    async def story() -> tuple[list[Outcome], WireServer]:
        async with (
            wire_server(refuses) as server,
            gateway_to(server.url, connections=50, connect_timeout=30, deadline=60) as gateway,
        ):
            charges = [gateway.charge(request(merchant_uid=f"m{number}")) for number in range(300)]
            return await asyncio.gather(*charges), server

    outcomes, server = asyncio.run(story())
    assert {type(outcome) for outcome in outcomes} == {NotCharged}
    assert len(server.tokens) < 10, "one a second at most, for as long as it takes"
    assert set(server.charges.values()) == {2}


def test_connection_of_a_cancelled_charge_is_not_reused():
    async def story() -> tuple[Outcome, int]:
        asked_for, hung = asyncio.Event(), asyncio.Event()

        async def hangs_first(wire: Wire, asked: Request) -> None:
            if asked.json["merchant_uid"] == "given up":
                asked_for.set()
                await wire.reader.read()
                hung.set()
            else:
                await wire.send(http(200, paid(asked)))

        async with wire_server(hangs_first) as server, gateway_to(server.url, connections=1) as gateway:
            given_up = asyncio.create_task(gateway.charge(request(merchant_uid="given up")))
            await asked_for.wait()
            given_up.cancel()
            outcome = await gateway.charge(request())
            await hung.wait()
            return outcome, server.charges["given up"]

    outcome, requests = asyncio.run(story())
    assert isinstance(outcome, Paid)
    assert requests == 1
