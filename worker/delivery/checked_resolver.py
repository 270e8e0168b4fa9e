"""Looks names up for webhooks, and returns only addresses that may be reached: those very ones are connected to.

A name that leads elsewhere a moment later (DNS rebinding) changes nothing: what was checked is what is used.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from worker.domain.events.addresses import address_problem

THREADS = 8
"""Look-ups at once. Of their own: one that hangs must not occupy those that charging works with."""


class NotAllowed(OSError):
    """Nothing is sent to this machine; the text says why, as the rest of a sentence."""


class CheckedResolver(AbstractResolver):
    """Resolves a name by the system, and checks what it leads to."""

    def __init__(self, *, plain: bool, allowed: Sequence[str], threads: ThreadPoolExecutor) -> None:
        self._plain, self._allowed, self._threads = plain, allowed, threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses that may be reached. Raises NotAllowed where there are others only."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        )
        problem: str | None = None
        results = []
        for address_family, _, proto, _, address in found:
            literal = str(address[0]).partition("%")[0]
            said = address_problem(ip_address(literal), plain=self._plain, allowed=self._allowed)
            problem = problem or said
            if said is None:
                results.append(
                    ResolveResult(
                        hostname=host,
                        host=literal,
                        port=port,
                        family=address_family,
                        proto=proto,
                        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                    )
                )
        if not results:
            raise NotAllowed(problem or "leads to no address")
        return results

    async def close(self) -> None:
        """Nothing: the threads belong to the sender."""
