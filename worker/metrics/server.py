"""The HTTP server of the metrics: a port of its own, on this machine alone unless told otherwise."""

from __future__ import annotations

import structlog
import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from worker.serving import BACKLOG, GracefulServer, http_url, listening

STOP_SECONDS = 10
MOST_AT_ONCE = 20  # requests that are answered or wait; more are told to come back

log = structlog.get_logger()


def create_app(registry: CollectorRegistry) -> Starlette:
    """Create the application: /metrics, and /health, which asks the database nothing."""

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        try:
            return Response(encode(registry), media_type=content_type)
        except (DBAPIError, NoConnection) as error:
            reason = str(error.orig if isinstance(error, DBAPIError) else error).partition("\n")[0]
            log.error("the database does not answer: no metrics", reason=reason)  # noqa: TRY400 - one line says it
            return PlainTextResponse("The database does not answer.\n", 503)

    async def health(_: Request) -> Response:
        return PlainTextResponse("again metrics\n")

    return Starlette(routes=[Route("/metrics", metrics, methods=["GET"]), Route("/health", health, methods=["GET"])])


class MetricsServer(GracefulServer):
    """Listens as soon as it is made, so that port 0 can be read. Raises CannotListen."""

    def __init__(self, registry: CollectorRegistry, *, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(registry),
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                log_level="warning",
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                limit_concurrency=MOST_AT_ONCE,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        self._socket = listening(host, port, who="The metrics")
        self.host, self.port = self._socket.getsockname()[:2]

    @property
    def url(self) -> str:
        return http_url(self.host, self.port)

    def serve_until_stopped(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        with self._socket:
            self.run(sockets=[self._socket])
