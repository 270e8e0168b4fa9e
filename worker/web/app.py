"""The ASGI application and its routes. `create_app` is served alone or mounted into a host application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from worker.runtime import Runtime
from worker.web.checkout_routes import CheckoutRoutes, language_of
from worker.web.checkout_service import CheckoutService
from worker.web.http.headers import SecurityHeaders, security_headers
from worker.web.http.source_addresses import SourceAddresses
from worker.web.link_secret import link_secret
from worker.web.link_signing import LinkSigner
from worker.web.pages import render
from worker.web.pages.wording import WORDS
from worker.web.webhook_queue import WebhookQueue
from worker.web.webhook_route import WebhookRoute

SANDBOX_IMP_CODE = "imp00000000"
"""Merchant code for the sandbox's script when AGAIN_IMP_CODE is not set; it takes any."""

DATABASE_IS_DOWN = (OperationalError, InterfaceError, NoConnection)

log = structlog.get_logger()


class CheckoutApp(SecurityHeaders):
    """The ASGI application. A host that mounts it has to `close` it; served alone it closes itself."""

    def __init__(
        self, app: ASGIApp, *, headers: Iterable[tuple[str, str]], close: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(app, headers=headers)
        self.close = close


def create_app(runtime: Runtime) -> CheckoutApp:
    """Create the application; it connects to nothing yet. Raises InvalidSettings for what live pages lack."""
    settings = runtime.settings
    settings.require_pages(signs_links=True)
    service = CheckoutService(runtime)
    queue = WebhookQueue(service.receive_webhook)
    base = urlsplit(settings.checkout_url or "").path
    site = render.Site(
        base=base,
        sdk_url=settings.script_url,
        merchant=settings.imp_code or SANDBOX_IMP_CODE,
        company=settings.company_name,
        contact=settings.company_contact,
        sandbox=not settings.live,
    )
    checkouts = CheckoutRoutes(service, LinkSigner(link_secret(settings)), site, runtime.clock, settings.checkout_url)
    webhooks = WebhookRoute(queue, SourceAddresses.from_settings(settings))

    async def close() -> None:
        await queue.stop()
        await service.close()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await close()

    app = Starlette(
        routes=[
            Route("/health", _health, methods=["GET"]),
            Route("/c/{token}", checkouts.show, methods=["GET"]),
            Route("/c/{token}/agree", checkouts.agree, methods=["POST"]),
            Route("/c/{token}/complete", checkouts.complete, methods=["POST"]),
            Route("/c/{token}/return", checkouts.come_back, methods=["GET"]),
            Route("/webhooks/portone", webhooks.receive, methods=["POST"]),
            Mount("/static", StaticFiles(packages=[("worker.web", "static")])),
        ],
        exception_handlers={
            HTTPException: _ErrorResponses(site).refuse,
            **dict.fromkeys((*DATABASE_IS_DOWN, Exception), _ErrorResponses(site).fail),
        },
        lifespan=lifespan,
    )
    # With a slash at its end an address would be sent on to the same host in plain HTTP: a proxy has ended TLS.
    app.router.redirect_slashes = False
    return CheckoutApp(app, headers=security_headers(settings), close=close)


def _wants_html(request: Request) -> bool:
    """Return whether a browser asks for a page. At PortOne's address the answer is JSON, which names what was wrong."""
    return "text/html" in request.headers.get("accept", "") and "/webhooks/" not in request.scope["path"]


async def _health(_: Request) -> Response:
    """Answer that this process serves; whether the database answers is checked by `again doctor`."""
    return JSONResponse({"again": "checkout"})


class _ErrorResponses:
    """Error responses for browsers and scripts: a sentence, and nothing of what was sent."""

    def __init__(self, site: render.Site) -> None:
        self._site = site

    async def refuse(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers, path = dict(error.headers or {}), request.scope["path"]
        if request.method == "POST" or not ("/c/" in path or _wants_html(request)):
            return JSONResponse({"message": error.detail}, error.status_code, headers)
        page = render.result(self._site, language_of(request), "invalid" if "/c/" in path else "nowhere")
        return HTMLResponse(page, error.status_code, headers)

    async def fail(self, request: Request, error: Exception) -> Response:
        """Answer 503 when the database is down, and 500 for a bug, which the server then logs."""
        status, headers = 500, {}
        if isinstance(error, DATABASE_IS_DOWN):
            status, headers = 503, {"Retry-After": "10"}
            reason = error.orig if isinstance(error, DBAPIError) else error
            log.error("the database does not answer", reason=str(reason).partition("\n")[0])
        language = language_of(request)
        if request.method == "POST":
            return JSONResponse({"message": WORDS[language]["error"]}, status, headers)
        return HTMLResponse(render.result(self._site, language, "error"), status, headers)
