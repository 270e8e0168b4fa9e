"""HTTP to PortOne: a token on every call, one repeat after a 401, every failure a PortOneError."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from functools import lru_cache
from json import JSONEncoder
from time import monotonic
from typing import Any

import httpx

from worker.domain.outcomes import Answer, UnknownReason
from worker.portone.errors import NoAnswer, NoToken, PortOneError, Rejected, Unauthorized, explain
from worker.portone.payloads import Envelope, Page, Unreadable, instant, read_envelope, read_page
from worker.portone.tokens import Token, TokenSource
from worker.portone.transport import STILL_OURS, AiohttpTransport

MAX_BODY_BYTES = 1 << 20
"""Largest body about one payment, far above any real one; a larger one is not read to its end."""

MAX_PAGE_BYTES = 16 << 20
"""Largest body of a page: a thousand payments of some kilobytes each."""

MOST_PAGES = 1000
"""Most pages of one list, of a thousand payments each; no requested period holds more."""

LONGEST_TOKEN_LIFE = 3600.0  # seconds; PortOne's tokens live 1800, or 300 more (documented)


class Connection:
    """One key pair's connection. Made inside the event loop that uses it; close it with `aclose`.

    At most `connections` are open at once; without it there is no limit, as the callers bound their calls in flight.
    """

    def __init__(
        self,
        url: str,
        credentials: tuple[str, str],
        *,
        connections: int | None = None,
        connect_timeout: float,
        read_timeout: float,
        transport: httpx.AsyncBaseTransport | None = None,
        monotonic: Callable[[], float] = monotonic,
    ) -> None:
        self._credentials = credentials
        self._url = url.rstrip("/")
        self._timeout = httpx.Timeout(read_timeout, connect=connect_timeout, pool=connect_timeout).as_dict()
        self._transport = transport or AiohttpTransport(connections=connections)
        self._http = httpx.AsyncClient(transport=self._transport, trust_env=False)
        self._tokens = TokenSource(self._fetch_token, monotonic)
        self._built: tuple[str | None, httpx.Headers] | None = None

    async def aclose(self) -> None:
        await self._http.aclose()

    async def token(self) -> str:
        """Return the access token; raises NoToken when PortOne issues none."""
        return await self._tokens.get()

    async def call(self, method: str, path: str, *, limit: int = MAX_BODY_BYTES, **content: Any) -> Envelope:
        """Call with the token; a 401 means "not processed", so it is repeated once with another token."""
        token = await self._tokens.get()
        status, body = await self._send(method, path, token, limit, **content)
        if status == 401:
            token = await self._tokens.replace(token)
            status, body = await self._send(method, path, token, limit, **content)
        if status == 401:
            raise Unauthorized(str(Unauthorized.__doc__))
        try:
            return read_envelope(status, body)
        except Unreadable as error:
            reason = UnknownReason.UNREADABLE if status == 200 else UnknownReason.SERVER_ERROR
            raise NoAnswer(reason, Answer(http_status=status, message=str(error))) from None

    async def accepted(self, method: str, path: str, **content: Any) -> Envelope:
        """Call; raises Rejected unless PortOne's code is 0, and NoAnswer when the status contradicts the code."""
        envelope = await self.call(method, path, **content)
        success = 200 <= envelope.http_status < 300
        if envelope.http_status >= 500 or (envelope.code == 0 and not success):
            raise NoAnswer(UnknownReason.SERVER_ERROR, envelope.answer)
        if envelope.code != 0:
            raise Rejected(envelope.answer)
        return envelope

    async def found(self, method: str, path: str, **content: Any) -> Envelope | None:
        """Call; returns None when PortOne has no such object (404, documented)."""
        try:
            return await self.accepted(method, path, **content)
        except Rejected as rejected:
            if rejected.answer.http_status == 404:
                return None
            raise

    async def pages(self, path: str, query: Mapping[str, Any], *, skipping: bool = False) -> AsyncIterator[Page]:
        """Yield the pages of a list of payments; none when PortOne has none.

        With `skipping`, an unreadable payment is counted instead of making its page unreadable. A list that is longer
        than its total, or has too many pages, raises NoAnswer: it may never end.
        """
        number: int | None = 1
        read = 0
        while number is not None:
            envelope = await self.found("GET", path, params={**query, "page": number}, limit=MAX_PAGE_BYTES)
            if envelope is None:
                return
            page = _page(envelope, skipping=skipping)
            yield page
            # A page that points at itself or back would never end.
            number = page.next_page if page.next_page is not None and page.next_page > number else None
            listed = len(page.payments) + page.skipped
            read += listed
            if number is not None and (not listed or read > page.total or number > MOST_PAGES):
                raise NoAnswer(UnknownReason.UNREADABLE, Answer(http_status=200, message="a list that does not end"))

    async def server_time(self) -> datetime | None:
        """Return the time of PortOne's clock, or None when it states none; raises NoToken."""
        return instant((await self._granted()).get("now"))

    async def _fetch_token(self) -> Token:
        given = await self._granted()
        return Token(given["access_token"], _lifetime(given))

    async def _granted(self) -> Mapping[str, Any]:
        key, secret = self._credentials
        try:
            status, body = await self._send(
                "POST", "/users/getToken", None, MAX_BODY_BYTES, json={"imp_key": key, "imp_secret": secret}
            )
        except PortOneError as error:
            raise NoToken(f"PortOne issued no access token: {error}") from None
        try:
            envelope = read_envelope(status, body)
        except Unreadable as error:
            raise NoToken(f"PortOne issued no access token: its answer (HTTP {status}) is {error}") from None
        given = envelope.response
        if envelope.code != 0 or not isinstance(given, dict) or not _fits_a_header(given.get("access_token")):
            raise NoToken(f"{NoToken.__doc__} PortOne said (HTTP {status}): {envelope.message}")
        return given

    async def _send(self, method: str, path: str, token: str | None, limit: int, **content: Any) -> tuple[int, bytes]:
        try:
            request = self._request(method, path, token, **content)
            if STILL_OURS in request.extensions:
                # A charge skips the client's layers (authentication, cookies, redirects, hooks, a log line): it may
                # have none of them, and they take as long as the call.
                response = await self._transport.handle_async_request(request)
            else:
                response = await self._http.send(request, stream=True)
            try:
                return response.status_code, await _bounded(response, limit)
            finally:
                await response.stream.aclose()  # type: ignore[union-attr]  # an asynchronous one
        except Exception as error:  # noqa: BLE001 - every error has to become "not sent" or "unknown"
            raise explain(error) from None

    def _request(
        self,
        method: str,
        path: str,
        token: str | None,
        *,
        params: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> httpx.Request:
        """Return a request without httpx's merging of defaults, which takes as long as the rest of a charge."""
        url = _url(self._url + path)
        body = b"" if json is None else _JSON.encode(json).encode()
        request = httpx.Request(
            method,
            url,
            params=params,
            headers=self._headers(url, token),
            stream=httpx.ByteStream(body),  # with `content` httpx would look at every header again
            extensions={"timeout": self._timeout, **(extensions or {})},
        )
        request.read()
        if json is not None:
            request.headers["Content-Type"] = "application/json"
            request.headers["Content-Length"] = str(len(body))
        return request

    def _headers(self, url: httpx.URL, token: str | None) -> httpx.Headers:
        """Return the headers of every request with a token, built once for as long as it is used."""
        if self._built is None or self._built[0] != token:
            host = {"Host": url.netloc.decode()}
            authorization = {} if token is None else {"Authorization": f"Bearer {token}"}  # documented
            self._built = token, httpx.Headers(host | _HEADERS | authorization)
        return self._built[1]


_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "again-billing"}

_JSON = JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@lru_cache(maxsize=64)
def _url(text: str) -> httpx.URL:
    """Return a parsed URL; cached, since that of `again` is needed a thousand times a second."""
    return httpx.URL(text)


async def _bounded(response: httpx.Response, limit: int) -> bytes:
    """Return a body of at most `limit` bytes. A compressed one is rejected: its real size is not known beforehand."""
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
        raise httpx.DecodingError("the body is compressed, which was not asked for", request=response.request)
    if isinstance(response.stream, httpx.ByteStream):  # it is there already, as that of any charge
        whole = b"".join(response.stream)
        if len(whole) > limit:
            raise _too_large(response)
        return whole
    body = bytearray()
    async for chunk in response.stream:  # type: ignore[union-attr]  # an asynchronous one
        body += chunk
        if len(body) > limit:
            raise _too_large(response)
    return bytes(body)


def _too_large(response: httpx.Response) -> httpx.DecodingError:
    return httpx.DecodingError("the body is too large for an answer of PortOne", request=response.request)


def _fits_a_header(token: object) -> bool:
    return isinstance(token, str) and re.fullmatch(r"[!-~]{1,4000}", token) is not None


def _lifetime(given: Mapping[str, Any]) -> float:
    try:
        lifetime = float(given["expired_at"]) - float(given["now"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return 0.0  # unknown: use it briefly, then ask again
    return min(lifetime, LONGEST_TOKEN_LIFE) if math.isfinite(lifetime) else 0.0


def _page(envelope: Envelope, *, skipping: bool) -> Page:
    try:
        return read_page(envelope.response, skipping=skipping)
    except Unreadable as error:
        raise NoAnswer(UnknownReason.UNREADABLE, Answer(http_status=200, message=str(error))) from None
