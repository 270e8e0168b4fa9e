"""Which Host names the sandbox answers to, and where it sends webhooks: protection against hostile web pages.

An attacker's page can make its own name resolve to 127.0.0.1 (DNS rebinding) and read the answers, and it can open a
payment window whose webhooks go to an address of its choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

RESERVED = (".localhost", ".internal", ".test")
"""Suffixes of names that cannot be registered publicly (RFC 6761; .internal by ICANN)."""

MISDIRECTED = (
    "This sandbox does not answer to that name; use an address or a name without dots, or start it with "
    "--known-host NAME."
)


class KnownHosts:
    """Middleware: rejects requests whose Host is a name that can be registered publicly."""

    def __init__(self, app: ASGIApp, *, names: Iterable[str] = ()) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Headers(scope=scope).get("host", "") if scope["type"] == "http" else ""
        if host and not is_known(host, self._names):
            await JSONResponse({"error": MISDIRECTED}, 421)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def is_known(host: str, names: frozenset[str] = frozenset()) -> bool:
    """Return whether a Host header, with or without port, is an address or a name that cannot be registered."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    return bool(name) and (_is_address(name) or "." not in name or name in names or name.endswith(RESERVED))


def is_on_this_machine(url: str) -> bool:
    """Return whether a web address is on this machine, by its text alone: a name may resolve to any address."""
    name = (urlsplit(url).hostname or "").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    return _is_address(name) and ip_address(name).is_loopback


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
