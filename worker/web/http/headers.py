"""Security headers of every response, with the Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.config.settings import Settings

_PORTONE = ("https://*.iamport.kr", "https://*.iamport.co", "https://*.portone.io")

YEAR = 31_536_000  # seconds


class SecurityHeaders:
    """ASGI middleware: adds the headers to every response, errors included."""

    def __init__(self, app: ASGIApp, *, headers: Iterable[tuple[str, str]]) -> None:
        self._app = app
        self._headers = tuple(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableHeaders(scope=message)
                for name, value in self._headers:
                    given.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def security_headers(settings: Settings) -> list[tuple[str, str]]:
    """Return the headers. URLs hold a signed link, so other sites learn the origin of a page, but not its path."""
    headers = [
        ("Content-Security-Policy", content_security_policy(settings)),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "strict-origin"),
        # A PG's window may be a popup that reports to its opener.
        ("Cross-Origin-Opener-Policy", "same-origin-allow-popups"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), microphone=(), geolocation=(), usb=()"),
        ("X-Robots-Tag", "noindex, nofollow"),
        ("Cache-Control", "no-store"),
    ]
    if (settings.checkout_url or "").startswith("https://"):
        headers.append(("Strict-Transport-Security", f"max-age={YEAR}"))
    return headers


def content_security_policy(settings: Settings) -> str:
    """Return the policy: a page loads its own files, PortOne's script, and the windows that it opens; nothing inline.

    The hosts of the PGs' windows are not published and change, so with real money any https frame may be shown, and a
    form posted into it. Only our own script and PortOne's could ask for one.
    """
    sdk = _origin(settings.script_url)
    live = settings.live
    directives = {
        "default-src": ("'none'",),
        "script-src": ("'self'", sdk),
        "style-src": ("'self'", *(_PORTONE if live else ())),
        "img-src": ("'self'", *(_PORTONE if live else ())),
        "connect-src": ("'self'", *(_PORTONE if live else (sdk,))),
        "frame-src": ("https:",) if live else (sdk,),
        "form-action": ("'self'", *(("https:",) if live else ())),
        "base-uri": ("'none'",),
        "frame-ancestors": ("'none'",),
    }
    return "; ".join(" ".join((name, *sources)) for name, sources in directives.items())


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
