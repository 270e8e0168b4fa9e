"""aiohttp's connections under httpx: a thousand calls in flight without httpx's quadratic pool, and reliable errors.

The important error is "nothing was sent". Only a failure to connect maps to it here; a connection that breaks later
never does, whatever the library calls it.

Of aiohttp, the connector and the connection's protocol are used (its parser, its read time-out). Its session, request
and response objects would double the CPU time of a call, for cookies, redirects and retries that no charge may have.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from ssl import SSLContext
from weakref import WeakSet

import aiohttp
import httpx
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage
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

REPEATABLE = frozenset({"GET", "DELETE"})
"""Methods that are sent once more when a connection breaks; a POST leaves once."""

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
    (HttpProcessingError, httpx.RemoteProtocolError),  # no HTTP, or more headers than are read
    (OSError, httpx.ReadError),
)


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        _raise_as_httpx_error(error)
        raise


def _raise_as_httpx_error(error: Exception) -> None:
    for theirs, ours in AIOHTTP_ERRORS:
        if isinstance(error, theirs):
            raise ours(_text_of(error)) from error


def _text_of(error: Exception) -> str:
    """Return a text for an error. Only a connector's own is known to hold no path, which could name a customer_uid."""
    return str(error) if isinstance(error, aiohttp.ClientConnectorError) else type(error).__name__


class _Body(httpx.AsyncByteStream):
    """A body that had not arrived whole with its head."""

    def __init__(self, connection: Connection, content: aiohttp.StreamReader) -> None:
        self._connection = connection
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx_errors():
            async for chunk in self._content.iter_chunked(CHUNK_BYTES):
                yield chunk
        self._connection.release()

    async def aclose(self) -> None:
        self._connection.close()  # unless it was released: one whose body was not read to its end is not reused


@cache
def tls_context() -> SSLContext:
    """Return what certificates are verified by. A worker's parent reads the authorities once, for all its children."""
    return httpx.create_ssl_context()


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Keeps connections to the host; made inside the event loop that uses it.

    At most `connections` are open; without it there is no limit, and no call waits for another's connection.
    """

    def __init__(self, *, connections: int | None = None) -> None:
        self._connector = aiohttp.TCPConnector(
            limit=connections or 0, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=tls_context()
        )
        self._destinations: dict[tuple[str, bytes, int | None], aiohttp.ClientRequest] = {}
        self._known: WeakSet[ResponseHandler] = WeakSet()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            try:
                return await self._exchange(request)
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
                if isinstance(error, aiohttp.ClientConnectorError) or request.method not in REPEATABLE:
                    raise
                return await self._exchange(request)
        except Exception as error:
            _raise_as_httpx_error(error)
            raise

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        data = _written(request)
        connection = await self._connect(request)
        try:
            protocol, wire = _open_end(connection)
            protocol.set_response_params(
                read_until_eof=True,
                auto_decompress=False,
                read_timeout=request.extensions.get("timeout", {}).get("read"),
            )
            wire.write(data)
            protocol.start_timeout()
            head, content = await _answer(protocol)
            body: httpx.AsyncByteStream
            if content.is_eof():
                body = httpx.ByteStream(content.read_nowait())
                connection.release()
            else:
                body = _Body(connection, content)
        except BaseException:
            connection.close()
            raise
        return httpx.Response(head.code, headers=head.raw_headers, stream=body, request=request)

    async def _connect(self, request: httpx.Request) -> Connection:
        """Return a connection, and only while the lease is held. Nothing may be awaited between this and the sending.

        A kept connection on which unsolicited data has arrived is closed: it would be read as the answer to the next
        request, and an error answer does not name its payment.
        """
        destination = self._destination(request.url)
        timeout = _timeout(**request.extensions.get("timeout", {}))
        still_ours: LeaseCheck = request.extensions.get(STILL_OURS, always)
        while True:
            try:
                connection = await self._connector.connect(destination, [], timeout)
            except TimeoutError as error:
                raise aiohttp.ConnectionTimeoutError("no connection in time") from error
            if not still_ours():
                connection.close()
                raise TooLate(str(TooLate.__doc__))
            protocol = connection.protocol
            if protocol is not None and not protocol.should_close:
                self._known.add(protocol)
                return connection
            connection.close()
            if protocol not in self._known:
                raise aiohttp.ClientConnectorError(
                    destination.connection_key, ConnectionError("it sends data before a request")
                )

    def _destination(self, url: httpx.URL) -> aiohttp.ClientRequest:
        """Return what the connector needs to know about a host: a request without a path."""
        if self._connector.closed:
            raise RuntimeError("the transport is closed")
        key = (url.scheme, url.raw_host, url.port)
        if key not in self._destinations:
            if url.scheme not in {"http", "https"} or not url.host:
                raise httpx.UnsupportedProtocol("not an http or https address")
            address = URL(f"{url.scheme}://{url.netloc.decode()}", encoded=True)
            self._destinations[key] = aiohttp.ClientRequest("GET", address, loop=asyncio.get_running_loop())
        return self._destinations[key]

    async def aclose(self) -> None:
        await self._connector.close()


@lru_cache(maxsize=8)
def _timeout(
    pool: float | None = None, connect: float | None = None, read: float | None = None, **_others: float | None
) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(connect=pool, sock_connect=connect, sock_read=read)


def _open_end(connection: Connection) -> tuple[ResponseHandler, asyncio.Transport]:
    protocol = connection.protocol
    if protocol is None or protocol.transport is None or protocol.transport.is_closing():
        raise aiohttp.ClientConnectionResetError("the connection was closed")
    return protocol, protocol.transport


def _written(request: httpx.Request) -> bytes:
    """Return a request's bytes."""
    lines = [
        b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path),
        *(b"%s: %s" % header for header in request.headers.raw),
    ]
    head = b"\r\n".join(lines)
    if not head.count(b"\r") == head.count(b"\n") == len(lines) - 1 or b"\x00" in head:
        raise httpx.LocalProtocolError("a line break within a header")
    return b"%s\r\n\r\n%s" % (head, request.content)


async def _answer(protocol: ResponseHandler) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
    """Return the head of the answer, and its body to be read; skips those of 1xx, which announce one."""
    while True:
        head, content = await protocol.read()
        if head.code == 101 or not 100 <= head.code <= 199:
            return head, content
