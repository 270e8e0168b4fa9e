"""The HTTP server of the pages: binding, running, stopping cleanly."""

from __future__ import annotations

import uvicorn
from starlette.types import ASGIApp

from worker.serving import BACKLOG, GracefulServer, http_url, listening
from worker.web.http.connections import GuardedProtocol

KEEP_ALIVE_SECONDS = 10
STOP_SECONDS = 10  # how long open requests may take to end after a stop


class Server(GracefulServer):
    """A uvicorn that listens as soon as it is created, so that port 0 can be read. Raises CannotListen."""

    def __init__(self, app: ASGIApp, *, host: str, port: int) -> None:
        super().__init__(_config(app))
        self._socket = listening(host, port, who="The checkout pages")
        self.host, self.port = self._socket.getsockname()[:2]

    @property
    def url(self) -> str:
        return http_url(self.host, self.port)

    def serve_until_stopped(self) -> None:
        """Serve until SIGTERM or SIGINT, or until `should_exit` is set from another thread."""
        with self._socket:
            self.run(sockets=[self._socket])


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=GuardedProtocol,
        ws="none",
        lifespan="on",
        access_log=False,  # it would log signed links
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # source_addresses decides which proxies are believed
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        backlog=BACKLOG,
    )
