"""The sandbox as a web application: PortOne's API, its script and windows, and the admin API under /_sandbox/."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from worker.sandbox.http import window_page
from worker.sandbox.http.admin import Admin
from worker.sandbox.http.delivery import Courier, UnreadableBody, deliver, read_call
from worker.sandbox.http.endpoints import handle
from worker.sandbox.http.known_hosts import KnownHosts
from worker.sandbox.rules import texts
from worker.sandbox.rules.answers import bad_request
from worker.sandbox.sandbox import Sandbox

ASSET_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "no-cache",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]  # all get an envelope


def create_app(
    sandbox: Sandbox,
    *,
    bound_to_loopback: bool = False,
    admin_token: str | None = None,
    courier: Courier | None = None,
    known_hosts: Sequence[str] = (),
) -> Starlette:
    """Put a sandbox behind HTTP. The admin API is open to loopback, or to holders of the admin token.

    It answers to IP addresses, to names that cannot be registered publicly, and to `known_hosts`.
    """
    carrying = courier or Courier()

    async def portone(request: Request) -> Response:
        try:
            call = await read_call(request)
        except (UnreadableBody, HTTPException):
            return await deliver(bad_request(texts.BODY_UNREADABLE), request, carrying)
        except ClientDisconnect:
            return Response()  # the client has gone, and nothing was processed yet
        with sandbox.carrying_out():
            answer = await carrying.carry_out(handle(sandbox, call))
        return await deliver(answer, request, carrying)

    async def asset(request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        return Response(window_page.asset(name), media_type=window_page.ASSETS[name], headers=ASSET_HEADERS)

    admin = Admin(sandbox, bound_to_loopback=bound_to_loopback, token=admin_token)
    return Starlette(
        routes=[
            Mount("/_sandbox", routes=admin.routes()),
            *[Route(f"/v1/{name}", asset) for name in window_page.ASSETS],
            Route("/{path:path}", portone, methods=METHODS),
        ],
        middleware=[Middleware(KnownHosts, names=known_hosts)],
    )
