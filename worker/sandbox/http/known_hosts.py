"""By which names the sandbox may be asked, and where it may send: no web page is to misuse either.

A page of a stranger can let its own name lead to 127.0.0.1 (DNS rebinding) and read what is asked by that name, and it
can open a payment window whose webhooks go to an address of its choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

RESERVED = (".localhost", ".internal", ".test")
"""Ends of names that nobody can register (RFC 6761; .internal by ICANN)."""

MISDIRECTED = (
    "This sandbox is not asked by that name; use an address, a name without dots, or start it with --known-host NAME."
)


class KnownHosts:
    """Refuses requests whose Host is a name that anybody could have registered."""

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
    """Say whether a Host header, with a port or without, is an address or a name that no stranger can have."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    return bool(name) and (_is_address(name) or "." not in name or name in names or name.endswith(RESERVED))


def is_on_this_machine(url: str) -> bool:
    """Say whether an address of the web is one of this machine's own, by its text alone: a name may lead anywhere."""
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
