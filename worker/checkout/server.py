"""Serving the pages over HTTP: binding, running, stopping cleanly."""

from __future__ import annotations

import socket
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from worker.checkout.connections import GuardedProtocol
from worker.refusals import Refused

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 75
STOP_SECONDS = 10  # how long open requests may take to end after a stop


class Server(uvicorn.Server):
    """A uvicorn that takes a signal for the ordinary end. It listens from its making on, so that port 0 can be read."""

    def __init__(self, app: ASGIApp, *, host: str, port: int) -> None:
        super().__init__(_config(app))
        self._socket = _listening(host, port)
        self.host, self.port = self._socket.getsockname()[:2]

    @property
    def url(self) -> str:
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    def serve_until_stopped(self) -> None:
        """Serve until SIGTERM or SIGINT, or until `should_exit` is set from another thread."""
        with self._socket:
            self.run(sockets=[self._socket])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        del sig, frame  # uvicorn would raise the signal again after stopping
        self.should_exit = True


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=GuardedProtocol,
        ws="none",
        lifespan="on",
        access_log=False,  # it would write signed links down
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # whom to believe is for source_addresses to say
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        backlog=BACKLOG,
    )


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Naming TCP makes asyncio switch Nagle's algorithm off; without it every answer may wait 40 ms for an ACK.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        why = error.strerror or error
        raise Refused(f"The checkout pages cannot listen on {host}:{port}: {why}; name another port.") from error
    return listening
