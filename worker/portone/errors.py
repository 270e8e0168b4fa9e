"""Why a call to PortOne has no usable answer.

PortOneError
  NotSent        nothing left this machine, or PortOne did not process it
    NotReached   no connection
    NoToken      no access token was issued
    Unauthorized 401, and 401 again with a fresh token
    TooLate      the lease expired before it could be sent
  NoAnswer       it may have been processed: time-out, lost connection, 5xx, unreadable body
  Rejected        PortOne answered with an error
"""

from __future__ import annotations

import httpx

from worker.domain.outcomes import Answer, NotChargedReason, UnknownReason


class PortOneError(Exception):
    """PortOne did not do what was asked."""


class NotSent(PortOneError):
    """The request was not processed."""

    reason: NotChargedReason


class NotReached(NotSent):
    """No connection to PortOne; check the network, and AGAIN_PORTONE_URL or, for the sandbox, AGAIN_SANDBOX_URL."""

    reason = NotChargedReason.CONNECT_FAILED


class NoToken(NotSent):
    """PortOne issued no access token; check AGAIN_PORTONE_KEY and AGAIN_PORTONE_SECRET."""

    reason = NotChargedReason.NO_TOKEN


class Unauthorized(NotSent):
    """PortOne answered 401 to a fresh token; check the key pair and the console's list of allowed addresses."""

    reason = NotChargedReason.UNAUTHORIZED


class TooLate(NotSent):
    """The lease on the attempt had expired when there was a connection to send it on; nothing was sent."""

    reason = NotChargedReason.LEASE_OVER


class NoAnswer(PortOneError):
    """The request may have been processed, and no readable answer came."""

    def __init__(self, reason: UnknownReason, answer: Answer) -> None:
        super().__init__(f"no readable answer: {reason.value}")
        self.reason = reason
        self.answer = answer


class Rejected(PortOneError):
    """PortOne answered with a code that is not 0."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"PortOne rejected the call (HTTP {answer.http_status}, code {answer.code}): {answer.message}")
        self.answer = answer


NOTHING_SENT: frozenset[type[httpx.RequestError]] = frozenset(
    {httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol}
)
"""The only errors that prove that not one byte of the request was sent."""

MAYBE_PROCESSED: dict[type[httpx.RequestError], UnknownReason] = {
    httpx.ReadTimeout: UnknownReason.TIMEOUT,
    httpx.WriteTimeout: UnknownReason.TIMEOUT,
    httpx.TimeoutException: UnknownReason.TIMEOUT,
    httpx.ReadError: UnknownReason.CONNECTION_LOST,
    httpx.WriteError: UnknownReason.CONNECTION_LOST,
    httpx.CloseError: UnknownReason.CONNECTION_LOST,
    httpx.NetworkError: UnknownReason.CONNECTION_LOST,
    httpx.ProxyError: UnknownReason.CONNECTION_LOST,
    httpx.RemoteProtocolError: UnknownReason.CONNECTION_LOST,
    httpx.LocalProtocolError: UnknownReason.CONNECTION_LOST,
    httpx.ProtocolError: UnknownReason.CONNECTION_LOST,
    httpx.TransportError: UnknownReason.CONNECTION_LOST,
    httpx.DecodingError: UnknownReason.UNREADABLE,
    httpx.TooManyRedirects: UnknownReason.UNREADABLE,
    httpx.RequestError: UnknownReason.CONNECTION_LOST,
}


def explain(error: Exception) -> NotSent | NoAnswer:
    """Return what an exception of a request proves; one that is not listed proves nothing."""
    if isinstance(error, TooLate):
        return error
    if type(error) in NOTHING_SENT:
        return NotReached(f"{NotReached.__doc__} ({error})")
    reason = next(
        (MAYBE_PROCESSED[kind] for kind in type(error).__mro__ if kind in MAYBE_PROCESSED),
        UnknownReason.TIMEOUT if isinstance(error, TimeoutError) else UnknownReason.UNREADABLE,
    )
    return NoAnswer(reason, Answer(message=type(error).__name__))
