"""Sends notices to subscriptions that have an address, and alerts to operators, through one SMTP server.

Each has a connection of its own, and ends within some seconds whatever the server does. What is reported of a failure
is the server's code at most: its words may hold the address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage

import aiosmtplib
import httpx

from worker.config.smtp_url import SmtpServer
from worker.domain.events.destinations import Delivered, Delivery, Endpoint, Message, NotDelivered
from worker.domain.events.operator_texts import mail_text
from worker.domain.events.types import EventType

CONNECTIONS = 8
"""At once, of one worker process: SMTP servers allow few."""

CALL_SECONDS = 15.0
"""For one e-mail, from waiting for a connection to the server's last word."""

GIVEN_UP_AFTER = timedelta(days=3)
"""An address that the server refuses is tried for so long: the fault may be the server's, or its settings."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where the notices of a subscription go, and in which language."""

    address: str = field(repr=False)
    language: str


MailboxOf = Callable[[str], Mailbox | None]
"""Looks up the mailbox of a subscription by its code; called in a thread."""


class EmailSender:
    """Connects to nothing before the first e-mail. Without a server nothing is delivered, and nothing is lost."""

    def __init__(self, server: SmtpServer | None, sender: str | None, mailbox_of: MailboxOf) -> None:
        self._server, self._sender, self._mailbox_of = server, sender, mailbox_of
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="again-mail")
        self._tls = httpx.create_ssl_context()

    async def send(self, endpoint: Endpoint, message: Message, *, now: datetime) -> Delivery:
        """Send a notice or an alert; it has arrived when the server has taken it."""
        if self._server is None or self._sender is None:
            return NotDelivered("AGAIN_SMTP_URL is not set")
        try:
            async with asyncio.timeout(CALL_SECONDS):
                mail = await self._mail_of(endpoint, message, self._sender)
                if mail is None:
                    return Delivered("the subscription has no address")
                async with self._free:
                    await self._hand_over(self._server, mail)
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = f"the server refuses the address with {error.recipients[0].code}"
            is_final = error.recipients[0].code >= 500 and now - message.at >= GIVEN_UP_AFTER
            return Delivered(f"given up: {refused}") if is_final else NotDelivered(refused)
        except Exception as error:  # noqa: BLE001 - whatever it is, this notice has to be sent again
            return NotDelivered(_reason(error))
        return Delivered("taken by the server")

    async def _mail_of(self, endpoint: Endpoint, message: Message, sender: str) -> EmailMessage | None:
        """Return the e-mail of a notice to its subscription, if that has an address; of others, to operators."""
        if message.type is not EventType.NOTICE_DUE:
            return mail_to_operators(message, endpoint.target, sender)
        code = message.data["subscription"]["code"]
        mailbox = await asyncio.get_running_loop().run_in_executor(self._threads, self._mailbox_of, code)
        return None if mailbox is None else mail_of(message, mailbox, sender)

    async def _hand_over(self, server: SmtpServer, mail: EmailMessage) -> None:
        connection = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.tls,
            start_tls=None if server.password is None and not server.tls else not server.tls,
            tls_context=self._tls,
            timeout=CALL_SECONDS,
        )
        try:
            await connection.connect()
            await connection.send_message(mail)
        finally:
            connection.close()  # without QUIT: a server may leave that unanswered

    async def aclose(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def mail_of(message: Message, mailbox: Mailbox, sender: str) -> EmailMessage:
    """Return a notice as an e-mail, whose id is made of the event's: sent twice, it is the same one."""
    text = message.data["texts"][mailbox.language]
    mail = _mail(message, sender, to=mailbox.address, subject=text["title"], body=text["body"] + "\n")
    mail["Content-Language"] = mailbox.language
    return mail


def mail_to_operators(message: Message, address: str, sender: str) -> EmailMessage:
    """Return an alert, or any other event, as an e-mail to operators."""
    subject, body = mail_text(message)
    return _mail(message, sender, to=address, subject=subject, body=body)


def _mail(message: Message, sender: str, *, to: str, subject: str, body: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Date"] = sender, to, message.at
    mail["Subject"] = " ".join(subject.split())
    mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(body)
    return mail


# First match wins, so the narrow ones come first.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (aiosmtplib.SMTPAuthenticationError, "the server refuses the user or the password"),
    (aiosmtplib.SMTPSenderRefused, "the server refuses AGAIN_SMTP_FROM"),
    (aiosmtplib.SMTPTimeoutError, f"no answer within {CALL_SECONDS:g} s"),
    (TimeoutError, f"no answer within {CALL_SECONDS:g} s"),
    (aiosmtplib.SMTPConnectError, "no connection could be made"),
    (aiosmtplib.SMTPServerDisconnected, "the connection broke before the server took it"),
    (aiosmtplib.SMTPResponseException, "the server refuses it"),
    (aiosmtplib.SMTPException, "the server offers no STARTTLS or no login, and a password needs both"),
    (OSError, "no connection could be made"),
)


def _reason(error: Exception) -> str:
    """Return in a few words why an e-mail could not be handed over; nothing that the server said but its code."""
    reason = next((text for kind, text in _REASONS if isinstance(error, kind)), "it could not be sent")
    return f"{reason} ({error.code})" if isinstance(error, aiosmtplib.SMTPResponseException) else reason
