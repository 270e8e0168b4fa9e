"""Sends webhooks: signed as Standard Webhooks asks, to checked addresses, and never on to where they redirect.

Whatever an endpoint does, a call ends within some seconds, and little of its answer is read.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from urllib.parse import urlsplit

import aiohttp
import httpx
from standardwebhooks import Webhook
from yarl import URL

from worker.delivery.checked_resolver import THREADS, CheckedResolver, NotAllowed
from worker.domain.events.addresses import address_problem, literal
from worker.domain.events.destinations import Delivered, Delivery, Endpoint, Message, NotDelivered

CALL_SECONDS = 10.0
"""For the whole call: the name, the connection, and the head of the answer."""

CONNECT_SECONDS = 5.0

BODY_SECONDS = 1.0
"""For the rest of the answer, which is read so that the connection can be used again, and thrown away."""

MAX_ANSWER_BYTES = 64 << 10

KEEP_ALIVE_SECONDS = 4.0
"""A connection that was idle longer is not used again: the far end may be closing it."""

LOOK_UP_AGAIN_SECONDS = 30
"""How long the addresses of a name are kept."""

GONE = 410

HEADERS = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "Again"}

# First match wins, so the narrow ones come first.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientConnectorCertificateError, "its TLS certificate is not valid for its name, or not trusted"),
    (aiohttp.ClientConnectorSSLError, "no TLS connection could be made"),
    (aiohttp.ClientConnectorDNSError, "its name could not be looked up"),
    (aiohttp.ConnectionTimeoutError, f"no connection within {CONNECT_SECONDS:g} s"),
    (TimeoutError, f"no answer within {CALL_SECONDS:g} s"),
    (aiohttp.ClientConnectorError, "no connection could be made"),
    (aiohttp.ClientConnectionError, "the connection broke before an answer"),
    (OSError, "the connection broke before an answer"),
    (aiohttp.InvalidURL, "its host could not be looked up"),
    (aiohttp.ClientError, "its answer could not be read"),
    (ValueError, "its answer could not be read"),
)


class WebhookSender:
    """Keeps connections to endpoints; made inside the event loop that uses it.

    No proxy of the environment, no cookies, no credentials but the signature.
    """

    def __init__(self, allowed_networks: Sequence[str] = ()) -> None:
        self._allowed = allowed_networks
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="again-names")
        context = httpx.create_ssl_context()
        self._sessions = {plain: self._session(context, plain=plain) for plain in (False, True)}

    def _session(self, context: ssl.SSLContext, *, plain: bool) -> aiohttp.ClientSession:
        resolver = CheckedResolver(plain=plain, allowed=self._allowed, threads=self._threads)
        connector = aiohttp.TCPConnector(
            resolver=resolver,
            limit=0,  # the calls in flight of each destination are limited
            ttl_dns_cache=LOOK_UP_AGAIN_SECONDS,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            ssl=context,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        )

    async def send(self, endpoint: Endpoint, message: Message, *, now: datetime) -> Delivery:
        """Send a message; 2xx means that it has arrived."""
        parts = urlsplit(endpoint.target)
        plain = parts.scheme == "http"
        address = literal(parts.hostname or "")
        if address is not None and (problem := address_problem(address, plain=plain, allowed=self._allowed)):
            return NotDelivered(f"it {problem}")
        body, headers = self._written(endpoint, message, now)
        try:
            async with asyncio.timeout(CALL_SECONDS):
                response = await self._sessions[plain].post(
                    URL(endpoint.target, encoded=True), data=body.encode(), headers=headers, allow_redirects=False
                )
        except Exception as error:  # noqa: BLE001 - whatever it is, this message has to be sent again
            return NotDelivered(_reason(error))
        try:
            return _outcome(response.status)
        finally:
            await _skim(response)

    def _written(self, endpoint: Endpoint, message: Message, now: datetime) -> tuple[str, Mapping[str, str]]:
        """Return the body of a message, and its headers."""
        body = message.body()
        return body, signed(endpoint.secrets, message.id, body, now)

    async def aclose(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


def signed(secrets: Sequence[str], message_id: str, body: str, now: datetime) -> dict[str, str]:
    """Return the headers of a webhook: a signature by each secret, so that a receiver may know either."""
    signatures = [Webhook(secret).sign(message_id, now, body) for secret in secrets]
    return {
        **HEADERS,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _outcome(status: int) -> Delivery:
    if 200 <= status <= 299:
        return Delivered(f"answered {status}")
    if 300 <= status <= 399:
        return NotDelivered(f"answered {status}, and redirects are not followed")
    return NotDelivered(f"answered {status}", gone=status == GONE)


async def _skim(response: aiohttp.ClientResponse) -> None:
    """Read the rest of an answer if it is short and soon there; the connection is closed otherwise."""
    with suppress(Exception):
        async with asyncio.timeout(BODY_SECONDS):
            left = MAX_ANSWER_BYTES
            while left > 0 and (chunk := await response.content.read(left)):
                left -= len(chunk)
    response.close() if not response.content.is_eof() else response.release()


def _reason(error: Exception) -> str:
    """Return in a few words why a call failed; nothing that the other end said."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else None
    if isinstance(cause, NotAllowed):
        return f"its name {cause}"
    reason = next((text for kind, text in _REASONS if isinstance(error, kind)), "it could not be sent")
    if type(error) is aiohttp.ClientConnectorError and cause is not None and cause.strerror:
        return f"{reason}: {cause.strerror.partition(' [')[0]}"[:200]
    return reason
