"""The address of an SMTP server, and what such a setting must look like. Pure; no sentence quotes a password."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from worker.domain.errors import Refused
from worker.domain.notices.addresses import read_address

FORM = "give smtp://user:password@host:587, or smtps://... for TLS from the beginning"
PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Where mails are handed over. With a password, TLS is wanted: after STARTTLS, or from the beginning (`tls`)."""

    host: str
    port: int
    tls: bool
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, url: str) -> SmtpServer:
        """Return the server of an address. Raises ValueError for one that is none, without quoting it."""
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError("cannot be read") from None
        if parts.scheme not in PORTS:
            raise ValueError("must begin with smtp:// or smtps://")
        if not host or not host.isascii() or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("must be a host and perhaps a port, and nothing after it")
        if (parts.username is None) != (parts.password is None) or parts.username == "":
            raise ValueError(
                "must have both a user and a password, or neither; write @, : and / in them as %40, %3A, %2F"
            )
        return cls(
            host=host,
            port=port or PORTS[parts.scheme],
            tls=parts.scheme == "smtps",
            user=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
        )


def smtp_problems(url: str | None, sender: str | None, alerts_to: str | None = None) -> Iterator[str]:
    """Yield what is wrong with the settings of e-mail."""
    if (url is None) != (sender is None):
        yield "AGAIN_SMTP_URL and AGAIN_SMTP_FROM belong together: set both, or neither."
    if url is not None:
        try:
            SmtpServer.read(url)
        except ValueError as error:
            yield f"AGAIN_SMTP_URL {error}; {FORM}."
    if alerts_to is not None and url is None:
        yield "AGAIN_ALERTS_TO needs AGAIN_SMTP_URL, the server that its e-mails are handed to."
    for name, address, such_as in (("SMTP_FROM", sender, "billing"), ("ALERTS_TO", alerts_to, "ops")):
        if address is not None and not _is_address(address):
            yield f"AGAIN_{name} must be an e-mail address such as {such_as}@shop.example."


def _is_address(text: str) -> bool:
    try:
        read_address(text)
    except Refused:
        return False
    return True
