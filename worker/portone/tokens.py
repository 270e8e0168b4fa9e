"""The access token: one per key pair, shared by all its workers, renewed once for concurrent callers.

PortOne returns the same token to every caller while it is alive, for 30 minutes, and extends it by 5 minutes when asked
in its last minute (documented). So machines need no lock between them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic

MARGIN_SECONDS = 30.0
"""A token is renewed this long before its end, so that a call that starts with it also ends with it."""

FRESH_SECONDS = 5.0
"""A new token is used at least this long, even if PortOne's answer says that it has already expired."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; `lifetime` is the rest of it in seconds, by PortOne's own clock (`expired_at - now`)."""

    value: str = field(repr=False)
    lifetime: float


FAILURE_SECONDS = 1.0
"""A failed renewal is the result for all callers during this time; no request is sent."""

INSISTING_SECONDS = 1.0
"""For this long, a token that PortOne has rejected and then returned again is used without another request."""


class TokenSource:
    """Returns the token; at most one renewal is in progress in a process."""

    def __init__(self, fetch: Callable[[], Awaitable[Token]], clock: Callable[[], float] = monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = asyncio.Lock()
        self._value: str | None = None
        self._good_until = 0.0
        self._failure: Exception | None = None
        self._failed_until = 0.0
        self._insisted_until = 0.0

    async def get(self) -> str:
        """Return a token that should still be alive; fetches one when needed. Raises what the fetch raises."""
        if self._value is not None and self._clock() < self._good_until:
            return self._value
        async with self._lock:
            if self._value is not None and self._clock() < self._good_until:
                return self._value
            return await self._renew()

    async def replace(self, rejected: str) -> str:
        """Return another token than the rejected one, unless PortOne insists on the same."""
        async with self._lock:
            insisted = self._clock() < self._insisted_until
            if self._value is not None and (self._value != rejected or insisted):
                return self._value
            value = await self._renew()
            if value == rejected:
                self._insisted_until = self._clock() + INSISTING_SECONDS
            return value

    async def _renew(self) -> str:
        if self._failure is not None and self._clock() < self._failed_until:
            raise self._failure
        try:
            token = await self._fetch()
        except Exception as failure:
            self._failure, self._failed_until = failure, self._clock() + FAILURE_SECONDS
            raise
        self._value = token.value
        self._good_until = self._clock() + max(token.lifetime - MARGIN_SECONDS, FRESH_SECONDS)
        return token.value
