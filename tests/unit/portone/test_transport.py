"""Which httpx error each aiohttp error becomes: only a failure to connect proves that nothing was sent."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import aiohttp
import httpx
import pytest

from worker.portone.errors import (
    MAYBE_PROCESSED,
    NOTHING_SENT,
)
from worker.portone.transport import AIOHTTP_ERRORS
from worker.portone.transport import _as_httpx_errors as as_httpx_errors


def family(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


AIOHTTP_CLIENT_ERRORS = sorted(
    {kind for kind in family(aiohttp.ClientError) if kind.__module__.startswith("aiohttp")}, key=str
)


def becomes(kind: type[Exception]) -> type[httpx.TransportError]:
    """Return the httpx error for an aiohttp error: that of the first row that matches."""
    return next(ours for theirs, ours in AIOHTTP_ERRORS if issubclass(kind, theirs))


BEFORE_A_CONNECTION = (
    aiohttp.ClientConnectorError,  # refused, unreachable, DNS, certificate, TLS handshake
    aiohttp.ConnectionTimeoutError,  # none in time, or none free in time
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


@pytest.mark.parametrize("kind", AIOHTTP_CLIENT_ERRORS)
def test_only_aiohttp_errors_before_a_connection_prove_that_nothing_was_sent(kind):
    """A package that makes a ConnectTimeout of a server's disconnect would charge twice: the request was sent."""
    before = issubclass(kind, BEFORE_A_CONNECTION) and not issubclass(kind, aiohttp.RedirectClientError)
    assert (becomes(kind) in NOTHING_SENT) is before


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
        (aiohttp.ClientOSError, httpx.ReadError),
        (aiohttp.ClientConnectionResetError, httpx.ReadError),
        (aiohttp.ClientPayloadError, httpx.ReadError),
        (aiohttp.SocketTimeoutError, httpx.ReadTimeout),
        (aiohttp.ServerTimeoutError, httpx.ReadTimeout),
        (aiohttp.ServerFingerprintMismatch, httpx.ReadError),
        (aiohttp.TooManyRedirects, httpx.RemoteProtocolError),
        (aiohttp.InvalidUrlRedirectClientError, httpx.RemoteProtocolError),
        (aiohttp.NonHttpUrlRedirectClientError, httpx.RemoteProtocolError),
        (ConnectionResetError, httpx.ReadError),
        (BrokenPipeError, httpx.ReadError),
        (TimeoutError, httpx.ReadError),  # an OSError; which time-out it was is unknown
        (ssl.SSLError, httpx.ReadError),
    ],
)
def test_aiohttp_error_on_an_open_connection_counts_as_unknown(kind, expected):
    assert becomes(kind) is expected
    assert expected in MAYBE_PROCESSED


def test_no_row_of_the_error_table_is_shadowed_by_an_earlier_one():
    for place, (kind, _) in enumerate(AIOHTTP_ERRORS):
        earlier = [other for other, _ in AIOHTTP_ERRORS[:place]]
        assert not any(issubclass(kind, other) for other in earlier), f"{kind} can never be met"


def test_every_aiohttp_client_error_has_a_row():
    assert len(AIOHTTP_CLIENT_ERRORS) > 20
    assert all(becomes(kind) for kind in AIOHTTP_CLIENT_ERRORS)


def test_error_without_a_row_passes_unchanged():
    with pytest.raises(KeyError), as_httpx_errors():
        raise KeyError("what is this")
