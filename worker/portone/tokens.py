"""The access token: one per key pair, shared by every worker that has the pair, renewed once however many ask.

PortOne answers the same token to everyone while it lives, for 30 minutes, and prolongs it by 5 minutes when asked in
its last minute (documented). So there is nothing to lock between machines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic

MARGIN_SECONDS = 30.0
"""Renewed this long before its end: a call that starts with it should also end with it."""

FRESH_SECONDS = 5.0
"""A token just fetched is used at least this long, also if PortOne's answer says that it ended already."""


@dataclass(frozen=True, slots=True)
class Token:
    """`lifetime` is what is left of it by PortOne's own clock (`expired_at - now`), in seconds; ours may differ."""

    value: str = field(repr=False)
    lifetime: float


FAILURE_SECONDS = 1.0
"""A failed renewal answers everyone who waited for it, and nobody asks again at once."""

INSISTING_SECONDS = 1.0
"""A refused token that PortOne has just given out again is the answer to everyone who was refused with it."""


class TokenSource:
    """Hands out the token; never more than one renewal is under way in a process."""

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
        """Give a token that should still live; fetches one when needed. Raises what the fetch raises."""
        if self._value is not None and self._clock() < self._good_until:
            return self._value
        async with self._lock:
            if self._value is not None and self._clock() < self._good_until:
                return self._value
            return await self._renew()

    async def replace(self, refused: str) -> str:
        """Give another token than the refused one. PortOne may insist on the same one; then that is the answer."""
        async with self._lock:
            insisted = self._clock() < self._insisted_until
            if self._value is not None and (self._value != refused or insisted):
                return self._value
            value = await self._renew()
            if value == refused:
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
