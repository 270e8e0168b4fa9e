"""Notices as e-mails, handed over to real SMTP servers: those that take them, refuse them, hang, or are away."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope

from worker.config.smtp_url import SmtpServer, smtp_problems
from worker.delivery import email_sender
from worker.delivery.email_sender import EmailSender, Mailbox
from worker.domain.events.destinations import Delivered, Delivery, DestinationKind, Endpoint, Message, NotDelivered
from worker.domain.events.types import EventType

AT = datetime(2026, 3, 8, tzinfo=UTC)
ENDPOINT = Endpoint(kind=DestinationKind.EMAIL, target="billing@shop.example")
ADDRESS = "customer@mail.example"
CUSTOMER = Mailbox(ADDRESS, "ko")


def message(code: str = "7ZK3M9QX2VB4C") -> Message:
    texts = {
        "ko": {"title": "[골드] 결제 예정", "body": "2026년 3월 15일에 9,900원이 결제됩니다.\n둘째 줄"},
        "en": {"title": "[Gold] renews", "body": "9,900 KRW will be charged."},
    }
    data = {"subscription": {"code": code}, "texts": texts}
    return Message(id="evt_abc", type=EventType.NOTICE_DUE, at=AT, version=1, position=1, data=data)


class Inbox:
    """A server that takes what comes, unless it is told to answer otherwise."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.to: list[list[str]] = []
        self.rcpt = self.data = "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it so
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Envelope
    ) -> str:
        if self.data.startswith("250"):
            self.mails.append(message_from_bytes(bytes(envelope.content or b""), policy=policy.default))  # type: ignore[arg-type]
            self.to.append(list(envelope.rcpt_tos))
        return self.data


@asynccontextmanager
async def serving(make: Callable[[], asyncio.BaseProtocol]) -> AsyncIterator[SmtpServer]:
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    try:
        yield SmtpServer(host="127.0.0.1", port=server.sockets[0].getsockname()[1], tls=False)
    finally:
        server.close()


def sent(
    make: Callable[[], asyncio.BaseProtocol],
    *,
    mailbox: Mailbox | None = CUSTOMER,
    now: datetime = AT,
    as_user: tuple[str, str] | None = None,
) -> Delivery:
    """Send one notice to a server that answers as its protocol does."""

    async def story() -> Delivery:
        async with serving(make) as at:
            user, password = as_user or (None, None)
            server = SmtpServer(host=at.host, port=at.port, tls=False, user=user, password=password)
            sender = EmailSender(server, "billing@shop.example", lambda _: mailbox)
            outcome = await sender.send(ENDPOINT, message(), now=now)
            await sender.aclose()
            return outcome

    return asyncio.run(story())


def test_notice_is_taken_with_its_text_and_an_id_of_the_event():
    inbox = Inbox()
    assert sent(lambda: SMTP(inbox)) == Delivered("taken by the server")
    (mail,) = inbox.mails
    assert inbox.to == [[ADDRESS]]
    assert (mail["From"], mail["Subject"]) == ("billing@shop.example", "[골드] 결제 예정")
    assert mail["Message-ID"] == "<evt_abc@shop.example>"
    assert mail.get_content().splitlines() == ["2026년 3월 15일에 9,900원이 결제됩니다.", "둘째 줄"]


def test_language_of_the_subscription_is_used():
    inbox = Inbox()
    sent(lambda: SMTP(inbox), mailbox=Mailbox(ADDRESS, "en"))
    assert inbox.mails[0].get_content().strip() == "9,900 KRW will be charged."


def test_subscription_without_an_address_gets_nothing():
    inbox = Inbox()
    assert sent(lambda: SMTP(inbox), mailbox=None) == Delivered("the subscription has no address")
    assert inbox.mails == []


@pytest.mark.parametrize("answer", ["450 try later", "550 no such user customer@mail.example"])
def test_refused_address_is_tried_again_and_not_quoted(answer: str):
    inbox = Inbox()
    inbox.rcpt = answer
    outcome = sent(lambda: SMTP(inbox))
    assert outcome == NotDelivered(f"the server refuses the address with {answer[:3]}")


def test_address_that_is_refused_for_good_is_given_up_after_three_days():
    inbox = Inbox()
    for answer, given_up in (("550 no such user", True), ("450 try later", False)):
        inbox.rcpt = answer
        outcome = sent(lambda: SMTP(inbox), now=AT + timedelta(days=3))
        assert isinstance(outcome, Delivered) is given_up


def test_server_that_refuses_what_it_is_sent_is_tried_again():
    inbox = Inbox()
    inbox.data = "554 no"
    assert sent(lambda: SMTP(inbox)) == NotDelivered("the server refuses it (554)")


def test_password_is_sent_to_no_server_without_tls():
    seen: list[object] = []

    def refuse(*about: Any) -> AuthResult:
        seen.append(about)
        return AuthResult(success=False)

    outcome = sent(lambda: SMTP(Inbox(), authenticator=refuse, auth_require_tls=False), as_user=("shop", "a-password"))
    assert isinstance(outcome, NotDelivered)
    assert "STARTTLS" in outcome.reason
    assert seen == []


class Silent(asyncio.Protocol):
    """A server that takes connections and says nothing, ever."""


class Dripping(asyncio.Protocol):
    """A server that says one letter now and then, and never comes to an end."""

    def connection_made(self, transport: Any) -> None:
        self._drip(transport)

    def _drip(self, transport: Any) -> None:
        if not transport.is_closing():
            transport.write(b"2")
            asyncio.get_running_loop().call_later(0.02, self._drip, transport)


class Babbling(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        transport.close()


@pytest.mark.parametrize("kind", [Silent, Dripping])
def test_server_that_hangs_is_left_within_the_time_of_a_call(kind: type[asyncio.Protocol], monkeypatch):
    monkeypatch.setattr(email_sender, "CALL_SECONDS", 0.5)
    outcome = sent(kind)
    assert isinstance(outcome, NotDelivered)
    assert "no answer within" in outcome.reason


def test_server_that_speaks_another_language_is_tried_again():
    assert isinstance(sent(Babbling), NotDelivered)


def test_server_that_is_away_is_tried_again():
    async def story() -> Delivery:
        async with serving(Silent) as gone:
            pass
        sender = EmailSender(gone, "billing@shop.example", lambda _: Mailbox(ADDRESS, "ko"))
        return await sender.send(ENDPOINT, message(), now=AT)

    assert asyncio.run(story()) == NotDelivered("no connection could be made")


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", SmtpServer(host="mail.example", port=587, tls=False)),
        ("smtps://mail.example:2465", SmtpServer(host="mail.example", port=2465, tls=True)),
        (
            "smtps://shop%40example:p%2Fw@mail.example",
            SmtpServer(host="mail.example", port=465, tls=True, user="shop@example", password="p/w"),
        ),
    ],
)
def test_address_of_a_server_is_read(url: str, server: SmtpServer):
    assert SmtpServer.read(url) == server
    assert list(smtp_problems(url, "billing@shop.example")) == []
    assert "p/w" not in repr(server)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://secret@mail.example",
        "smtp://mail.example/secret",
        "smtp://secret:@[",
        "smtp://a:secret@mail.example:port",
    ],
)
def test_wrong_address_of_a_server_is_refused_without_being_quoted(url: str):
    (said,) = smtp_problems(url, "billing@shop.example")
    assert said.startswith("AGAIN_SMTP_URL ")
    assert "secret" not in said


def test_server_and_sender_belong_together():
    assert re.search("belong together", next(smtp_problems("smtp://mail.example", None)))
    assert re.search("belong together", next(smtp_problems(None, "billing@shop.example")))
    assert re.search("AGAIN_SMTP_FROM must be", next(smtp_problems("smtp://mail.example", "Shop <billing@shop>")))
