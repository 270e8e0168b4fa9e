"""No key, token, billing key or buyer shows in a log line, an outcome, an error or a repr, whatever happens."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
import structlog

from tests.support.attempts import CUSTOMER_UID, POLICY, attempt, payment, request
from tests.support.gateways import KEY, SECRET, gateway_to
from tests.support.wire_server import TOKEN, Request, Wire, envelope, http, paid, pays, token_reply, wire_server
from worker.config.logs import configure_logs
from worker.domain import gateway, lookup_evidence, outcomes, settlement
from worker.portone import client, connection, errors, payloads, tokens
from worker.portone.client import PortOneClient
from worker.portone.payloads import read_envelope, read_page, read_payment
from worker.portone.tokens import Token

BUYER = ("Hong Gildong", "gildong@example.com", "010-1234-5678", "95404900****1569")
SECRETS = (KEY, SECRET, TOKEN, CUSTOMER_UID, *BUYER)


def shown_secrets(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


@dataclass(frozen=True)
class Happening:
    """An event during a charge, and the outcome's class that shows that it happened."""

    name: str
    answer: Callable[[Wire, Request], Awaitable[None]]
    outcome: type
    token: bytes = http(200, token_reply(), "Connection: close")


def says(data: bytes) -> Callable[[Wire, Request], Awaitable[None]]:
    async def answer(wire: Wire, _request: Request) -> None:
        await wire.send(data)

    return answer


async def hangs(wire: Wire, _request: Request) -> None:
    await wire.reader.read()


async def hangs_up(wire: Wire, _request: Request) -> None:
    wire.writer.close()


async def echoes(wire: Wire, asked: Request) -> None:
    """An error page that shows the request, as frameworks in debug mode do."""
    await wire.send(http(500, repr(asked.headers).encode() + asked.body))


async def pays_another(wire: Wire, asked: Request) -> None:
    await wire.send(http(200, paid(asked, merchant_uid="another")))


QUOTING = f"요청하신 customer_uid({CUSTOMER_UID})로 등록된 정보를 찾을 수 없습니다."

HAPPENINGS = [
    Happening("a charge", pays, outcomes.Paid),
    Happening("a decline with a record", says(http(200, envelope(payment("failed")))), outcomes.Declined),
    Happening(
        "a decline in words", says(http(200, envelope(code=-1, message="한도초과 010-1234-5678"))), outcomes.Declined
    ),
    Happening("a refusal that quotes the key", says(http(200, envelope(code=1, message=QUOTING))), outcomes.Declined),
    Happening("somebody else's answer", pays_another, outcomes.Unknown),
    Happening("a 401 twice", says(http(401, envelope(code=-1, message="Unauthorized"))), outcomes.NotCharged),
    Happening("a time-out", hangs, outcomes.Unknown),
    Happening("a lost connection", hangs_up, outcomes.Unknown),
    Happening("an error page that shows the request", echoes, outcomes.Unknown),
    Happening("no HTTP", says(TOKEN.encode() + b"\r\n\r\n"), outcomes.Unknown),
    Happening("no token", pays, outcomes.NotCharged, http(401, envelope(code=-1, message="no such key"))),
    Happening("an unreadable token", pays, outcomes.NotCharged, http(200, SECRET.encode())),
]


@pytest.mark.parametrize("happening", HAPPENINGS, ids=lambda happening: happening.name)
def test_secret_is_in_no_output_when(happening, caplog, capfd):
    async def answer_token(wire: Wire, _request: Request) -> None:
        await wire.send(happening.token)

    async def story():
        async with (
            wire_server(happening.answer, answer_token=answer_token) as server,
            gateway_to(server.url, read_timeout=0.3 if happening.answer is hangs else 10, primed=False) as opened,
        ):
            return await opened.charge(request()), repr(opened) + repr(vars(opened))

    for name in ["", *logging.root.manager.loggerDict]:
        caplog.set_level(logging.DEBUG, logger=name)
    outcome, shown = asyncio.run(story(), debug=True)
    assert isinstance(outcome, happening.outcome), outcome
    logged = "".join(f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records)
    assert any(record.name == "httpx" for record in caplog.records), "the most talkative library is heard"
    printed = "".join(capfd.readouterr())
    settled = settlement.settle(attempt(), outcome, now=attempt().started_at, policy=POLICY)
    assert shown_secrets(f"{outcome!r} {outcome} {outcome.answer.raw} {settled!r} {shown} {logged} {printed}") == []


async def read_key(portone: PortOneClient) -> None:
    await portone.customer(CUSTOMER_UID)


async def delete_key(portone: PortOneClient) -> None:
    await portone.delete_customer(CUSTOMER_UID, reason="asked for")


async def read_schedules(portone: PortOneClient) -> None:
    now = attempt().started_at
    await portone.customer_schedules(CUSTOMER_UID, since=now, until=now + timedelta(days=30), page=1)


@pytest.mark.parametrize("ask_about_the_key", [read_key, delete_key, read_schedules])
@pytest.mark.parametrize(
    ("answer", "read_timeout"),
    [(says(http(200, envelope(code=7, message=QUOTING))), 9), (hangs_up, 9), (hangs, 0.3), (says(http(500, b"")), 9)],
)
def test_error_about_a_billing_key_does_not_name_it(ask_about_the_key, answer, read_timeout):
    async def story() -> str:
        async with wire_server(answer) as server, gateway_to(server.url, read_timeout=read_timeout) as opened:
            with pytest.raises(errors.PortOneError) as raised:
                await ask_about_the_key(opened._client)
            error = raised.value
            return f"{error} {error!r} {error.__dict__} {''.join(traceback.format_exception_only(error))}"

    assert shown_secrets(asyncio.run(story())) == []


def test_connection_error_about_a_billing_key_does_not_name_it():
    async def story() -> str:
        async with wire_server(pays) as server, gateway_to(server.url, connections=1, connect_timeout=0.5) as opened:
            held = asyncio.Event()

            async def holds(wire: Wire, asked: Request) -> None:
                held.set()
                await hangs(wire, asked)

            server.answer = holds
            holding = asyncio.create_task(opened.charge(request()))
            await held.wait()
            with pytest.raises(errors.NotReached) as raised:
                await opened._client.customer(CUSTOMER_UID)
            holding.cancel()
            return str(raised.value)

    assert shown_secrets(asyncio.run(story())) == []


@pytest.fixture
def configured_logs(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Logs as a worker has them, at the most talkative level; undone afterwards."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in ["", *root.manager.loggerDict]}
    configure_logs("DEBUG")
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("configured_logs")
def test_url_of_a_billing_key_is_not_logged(capfd):
    async def story() -> None:
        no_such_key = says(http(404, envelope(code=1, message=QUOTING)))
        async with wire_server(no_such_key) as server, gateway_to(server.url) as opened:
            assert await opened._client.customer(CUSTOMER_UID) is None

    logging.getLogger("tests").debug("logs are on")
    asyncio.run(story())
    printed = capfd.readouterr().err
    assert "logs are on" in printed
    assert shown_secrets(printed) == []


def instances() -> list[object]:
    """One of every value that our modules read from an answer full of secrets."""
    personal = payment("failed", fail_reason=f"[8326] {CUSTOMER_UID} 010-1234-5678")
    page = read_page({"total": 1, "list": [personal]})
    record = read_payment(personal)
    answer = lookup_evidence.answer_of(record)
    outcome = outcomes.Declined(outcomes.DeclineKind.SOFT, answer)
    schedule = gateway.Schedule(
        customer_uid=CUSTOMER_UID,
        merchant_uid=record.merchant_uid,
        schedule_at=attempt().started_at,
        amount=9900,
        currency="KRW",
    )
    return [
        schedule,
        gateway.OpenSchedules((schedule,), 0, is_complete=True),
        gateway.StillScheduled(1),
        Token(TOKEN, 1800.0),
        read_envelope(200, envelope(personal)),
        page,
        record,
        answer,
        gateway.Found((record,)),
        gateway.LookUpFailed(answer),
        gateway.ListChanged(answer),
        gateway.TooMany(20_001),
        gateway.StoredKey(customer_uid=CUSTOMER_UID, pg="kakaopay", card=None),
        gateway.NoSuchKey(),
        gateway.RefundRefused(answer),
        gateway.Cancellation(amount=900, canceled_at=None, reason="paid twice", cancellation_id=None),
        gateway.Refund(imp_uid=record.imp_uid, amount=9900, checksum=9900, tax_free=0, reason="paid twice"),
        request(),
        attempt(),
        outcome,
        outcomes.Paid(attempt().started_at, answer),
        outcomes.NotCharged(outcomes.NotChargedReason.NO_TOKEN, answer),
        outcomes.Unknown(outcomes.UnknownReason.TIMEOUT, answer),
        errors.Rejected(answer),
        errors.NoAnswer(outcomes.UnknownReason.TIMEOUT, answer),
    ]


@pytest.mark.parametrize("instance", instances(), ids=lambda instance: type(instance).__name__)
def test_no_repr_of_a_value_read_from_an_answer_shows_a_secret(instance):
    assert shown_secrets(f"{instance!r} {instance} {[instance]}") == []


def test_every_dataclass_that_carries_answers_is_covered_above():
    shown = {type(instance) for instance in instances()}
    made = {
        kind
        for module in (outcomes, gateway, payloads, tokens, client, connection, errors)
        for kind in vars(module).values()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__
    }
    assert made - shown == set()
