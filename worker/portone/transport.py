"""aiohttp under httpx: a thousand calls in flight without httpx's quadratic pool, and errors that are reliable.

The important error is "nothing was sent". Only a failure to connect maps to it here; a connection that breaks later
never does, whatever the library calls it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import aiohttp
import httpx
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from worker.domain.gateway import LeaseCheck, always
from worker.portone.errors import TooLate

STILL_OURS = "again.holds_lease"
"""The request extension that holds the lease check."""

KEEP_ALIVE_SECONDS = 4.0
"""A connection that was idle longer is not reused: the far end may be closing it, and a POST lost in that moment would
have to be looked up."""

CHUNK_BYTES = 4096
"""Size of the pieces in which bodies are passed on, so that their total is checked in time."""

# First match wins, so the narrow ones come first.
AIOHTTP_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.RedirectClientError, httpx.RemoteProtocolError),  # names an address, but it was an answer
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),  # no connection in time, or none free in time
    (aiohttp.SocketTimeoutError, httpx.ReadTimeout),
    (aiohttp.ServerTimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),  # refused, unreachable, DNS, TLS handshake
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.NonHttpUrlClientError, httpx.UnsupportedProtocol),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientConnectionError, httpx.ReadError),  # reset or lost after it was made
    (aiohttp.ClientPayloadError, httpx.ReadError),
    (aiohttp.ClientError, httpx.RemoteProtocolError),
    (OSError, httpx.ReadError),
)


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        for theirs, ours in AIOHTTP_ERRORS:
            if isinstance(error, theirs):
                raise ours(_text_of(error)) from error
        raise


def _text_of(error: Exception) -> str:
    """Return a text for an error. Only a connector's own is known to hold no path, which could name a customer_uid."""
    return str(error) if isinstance(error, aiohttp.ClientConnectorError) else type(error).__name__


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx_errors():
            async for chunk in self._response.content.iter_chunked(CHUNK_BYTES):
                yield chunk

    async def aclose(self) -> None:
        # A body that was read to its end has released its connection already; any other connection is not reused.
        if not self._response.closed:
            self._response.close()


_still_ours: ContextVar[LeaseCheck] = ContextVar("holds_lease", default=always)
"""Called by the connector, in the task of the request, once it has a connection and before a byte is written."""


class _Connector(aiohttp.TCPConnector):
    """Never reuses a connection on which unsolicited data has arrived.

    It would be read as the answer to the next request, and an error answer does not name its payment.
    """

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own signature
    ) -> Connection:
        for _ in range(self.limit + 1):  # all that can be idle, and a new one
            connection = await super().connect(req, traces, timeout)
            if not _still_ours.get()():
                connection.close()
                raise TooLate(str(TooLate.__doc__))
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()
        raise aiohttp.ClientConnectorError(req.connection_key, ConnectionError("it sends data before a request"))


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Keeps at most `connections` open to the host; made inside the event loop that uses it.

    aiohttp repeats a request on its own only when the method is idempotent, so a POST leaves once.
    """

    def __init__(self, *, connections: int) -> None:
        self._session = aiohttp.ClientSession(
            connector=_Connector(
                limit=connections, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=httpx.create_ssl_context()
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept-Encoding", "Accept", "Content-Type"),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeout = request.extensions.get("timeout", {})
        _still_ours.set(request.extensions.get(STILL_OURS, always))
        with _as_httpx_errors():
            response = await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),  # as it is: another quoting would be another path
                headers=request.headers.multi_items(),
                data=request.content or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    connect=timeout.get("pool"), sock_connect=timeout.get("connect"), sock_read=timeout.get("read")
                ),
            )
        return httpx.Response(response.status, headers=response.raw_headers, stream=_Body(response), request=request)

    async def aclose(self) -> None:
        await self._session.close()
