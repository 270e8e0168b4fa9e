"""Listening on an address before anything is served on it, and a signal as the ordinary end of serving."""

from __future__ import annotations

import socket
from types import FrameType

import uvicorn

BACKLOG = 2048


class CannotListen(OSError):
    """The address cannot be listened on; the message says which and why."""


class GracefulServer(uvicorn.Server):
    """uvicorn, but SIGTERM and SIGINT end it as they should: it would raise the signal again after stopping."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        del sig, frame
        self.should_exit = True


def listening(host: str, port: int, *, who: str) -> socket.socket:
    """Take a port now, so that 0 can be asked for and read. Raises CannotListen, in which `who` is named."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Naming TCP makes asyncio switch Nagle's algorithm off; without it every answer may wait 40 ms for an ACK.
    taken = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
        taken.listen(BACKLOG)
    except OSError as error:
        taken.close()
        why = error.strerror or error
        raise CannotListen(f"{who} cannot listen on {host}:{port}: {why}; name another port.") from error
    return taken


def http_url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
