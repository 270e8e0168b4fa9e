"""The wire to PortOne: a token on every call, one repeat after a 401, every failure a PortOneError."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx

from worker.outcomes import Answer, UnknownReason
from worker.portone.errors import NoAnswer, NoToken, PortOneError, Refused, Unauthorized, explain
from worker.portone.payloads import Envelope, Page, Unreadable, read_envelope, read_page
from worker.portone.tokens import Token, TokenSource
from worker.portone.transport import AiohttpTransport

MAX_BODY_BYTES = 1 << 20
"""No answer of a payment is anywhere near; a body beyond it is not read to its end."""


class Connection:
    """One key pair's connection. Made inside the event loop that uses it; close it with `aclose`."""

    def __init__(
        self,
        url: str,
        credentials: tuple[str, str],
        *,
        connections: int,
        connect_timeout: float,
        read_timeout: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._credentials = credentials
        self._http = httpx.AsyncClient(
            base_url=url,
            transport=transport or AiohttpTransport(connections=connections),
            timeout=httpx.Timeout(read_timeout, connect=connect_timeout, pool=connect_timeout),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "again-billing"},
            trust_env=False,
        )
        self._tokens = TokenSource(self._fetch_token)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def token(self) -> str:
        """Give the access token; raises NoToken when PortOne gives none."""
        return await self._tokens.get()

    async def call(self, method: str, path: str, **content: Any) -> Envelope:
        """Call with the token; a 401 means "not processed", so it is repeated once with another token."""
        token = await self._tokens.get()
        status, body = await self._send(method, path, token, **content)
        if status == 401:
            token = await self._tokens.replace(token)
            status, body = await self._send(method, path, token, **content)
        if status == 401:
            raise Unauthorized(str(Unauthorized.__doc__))
        try:
            return read_envelope(status, body)
        except Unreadable as error:
            reason = UnknownReason.UNREADABLE if status == 200 else UnknownReason.SERVER_ERROR
            raise NoAnswer(reason, Answer(http_status=status, message=str(error))) from None

    async def accepted(self, method: str, path: str, **content: Any) -> Envelope:
        """Call, and raise Refused unless PortOne's code is 0."""
        envelope = await self.call(method, path, **content)
        if envelope.http_status >= 500:
            raise NoAnswer(UnknownReason.SERVER_ERROR, envelope.answer)
        if envelope.code != 0:
            raise Refused(envelope.answer)
        return envelope

    async def found(self, method: str, path: str, **content: Any) -> Envelope | None:
        """Call, and give None when PortOne has no such thing (404, documented)."""
        try:
            return await self.accepted(method, path, **content)
        except Refused as refused:
            if refused.answer.http_status == 404:
                return None
            raise

    async def pages(self, path: str, query: Mapping[str, Any]) -> AsyncIterator[Page]:
        """Walk through the pages of a list of payments; nothing when PortOne has none."""
        number: int | None = 1
        while number is not None:
            envelope = await self.found("GET", path, params={**query, "page": number})
            if envelope is None:
                return
            page = _page(envelope)
            yield page
            # A page that points at itself or back would never end.
            number = page.next_page if page.next_page is not None and page.next_page > number else None

    async def _fetch_token(self) -> Token:
        key, secret = self._credentials
        try:
            status, body = await self._send(
                "POST", "/users/getToken", None, json={"imp_key": key, "imp_secret": secret}
            )
        except PortOneError as error:
            raise NoToken(f"PortOne gave no access token: {error}") from None
        try:
            envelope = read_envelope(status, body)
        except Unreadable as error:
            raise NoToken(f"PortOne gave no access token: its answer (HTTP {status}) is {error}") from None
        given = envelope.response
        if envelope.code != 0 or not isinstance(given, dict) or not isinstance(given.get("access_token"), str):
            raise NoToken(f"{NoToken.__doc__} PortOne said (HTTP {status}): {envelope.message}")
        return Token(given["access_token"], _lifetime(given))

    async def _send(self, method: str, path: str, token: str | None, **content: Any) -> tuple[int, bytes]:
        headers = {"Authorization": token} if token else {}
        try:
            async with self._http.stream(method, path, headers=headers, **content) as response:
                return response.status_code, await _bounded(response)
        except Exception as error:  # noqa: BLE001 - whatever it is, it has to become "not sent" or "unknown"
            raise explain(error) from None


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise httpx.DecodingError("the body is too large for an answer of PortOne", request=response.request)
    return bytes(body)


def _lifetime(given: Mapping[str, Any]) -> float:
    try:
        return float(given["expired_at"]) - float(given["now"])
    except (KeyError, TypeError, ValueError):
        return 0.0  # unknown: use it briefly, then ask again


def _page(envelope: Envelope) -> Page:
    try:
        return read_page(envelope.response)
    except Unreadable as error:
        raise NoAnswer(UnknownReason.UNREADABLE, Answer(http_status=200, message=str(error))) from None
