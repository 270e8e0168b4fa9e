"""Serving a sandbox over HTTP: binding, running, and stopping cleanly."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import ExitStack, closing
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from worker.domain.clock import Clock, system_clock
from worker.sandbox.http.app import create_app
from worker.sandbox.http.delivery import Courier
from worker.sandbox.http.postman import Postman
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store.ledger import Ledger
from worker.sandbox.switches import Settings
from worker.sandbox.timetable import Timetable
from worker.serving import BACKLOG, GracefulServer, http_url, listening

KEEP_ALIVE_SECONDS = 75  # uvicorn's default of 5 would close idle connections that clients are about to use
STOP_SECONDS = 3  # grace period of open requests after a stop


class SandboxServer:
    """A sandbox listening on an address. The port is taken on construction, so that 0 can be asked for and read."""

    def __init__(
        self,
        ledger_path: Path | str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        settings: Settings | None = None,
        admin_token: str | None = None,
        known_hosts: Sequence[str] = (),
        deliver_anywhere: bool = False,
        clock: Clock = system_clock,
    ) -> None:
        with ExitStack() as opened:
            self._ledger = opened.enter_context(closing(Ledger(ledger_path)))
            self._socket = opened.enter_context(closing(listening(host, port, who="The sandbox")))
            self.host, self.port = self._socket.getsockname()[:2]
            courier = Courier()
            sandbox = Sandbox(self._ledger, clock, settings)
            app = create_app(
                sandbox,
                bound_to_loopback=ip_address(self.host).is_loopback,
                admin_token=admin_token,
                courier=courier,
                known_hosts=known_hosts,
            )
            postman = Postman(sandbox, anywhere=deliver_anywhere)
            self._server = _Server(_config(app), courier, postman, Timetable(sandbox))
            opened.pop_all()  # from here on `run` closes them

    @property
    def base_url(self) -> str:
        return http_url(self.host, self.port)

    def run(self) -> None:
        """Serve until `stop`, SIGTERM or SIGINT; the ledger is closed when this returns."""
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        finally:
            self._socket.close()
            self._ledger.close()

    def stop(self) -> None:
        """Ask a running server to stop; from any thread, and also before `run`."""
        self._server.should_exit = True


def serve(
    host: str,
    port: int,
    ledger_path: Path | str,
    *,
    settings: Settings | None = None,
    admin_token: str | None = None,
) -> None:
    """Serve a sandbox until SIGTERM or SIGINT. Prints nothing; raises CannotListen or LedgerUnusable."""
    SandboxServer(ledger_path, host=host, port=port, settings=settings, admin_token=admin_token).run()


class _Protocol(H11Protocol):
    """HTTP/1.1 that shows an application its connection, so that it can be broken on purpose."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        super().connection_made(transport)
        self.app_state: dict[str, Any] = {**self.app_state, "transport": transport}


class _Server(GracefulServer):
    """uvicorn that ends waiting requests when it stops, sends webhooks, and executes due schedules."""

    def __init__(self, config: uvicorn.Config, courier: Courier, postman: Postman, timetable: Timetable) -> None:
        super().__init__(config)
        self._courier, self._postman, self._timetable = courier, postman, timetable

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._postman.start()
        self._timetable.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._courier.stop()
        await super().shutdown(sockets)
        await self._timetable.stop()
        await self._postman.stop()


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="error",
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        backlog=BACKLOG,
    )
