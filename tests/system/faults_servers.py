"""Servers of a fault run's own, which can be killed, frozen and brought back where they were."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import psutil

from worker.config.settings import Settings
from worker.devstack.addresses import Postgres, Valkey
from worker.devstack.stack import Part, free_port, start_part, wait_for

START_STOP_SECONDS = 120.0
"""How long a server may take to start, or to end, on a busy machine."""


class CrashingPostgres(Postgres):
    """A PostgreSQL that can crash; it comes back with the same data on the same socket."""

    def crash(self) -> None:
        """Do an immediate shutdown: no checkpoint, no goodbye; the next start recovers from the log."""
        os.kill(self.pid, signal.SIGQUIT)
        deadline = monotonic() + START_STOP_SECONDS
        while self.is_running:
            assert monotonic() < deadline
            sleep(0.01)

    def restart(self) -> None:
        self._server, self._said = self.cluster.start()

    @property
    def log(self) -> Path:
        return self._folder.with_name("postgres.log")


class ForgetfulValkey:
    """A Valkey that can be killed; it comes back on its port, empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = Valkey(folder)

    @property
    def url(self) -> str:
        return self._server.url

    def kill(self) -> None:
        self._server.kill()

    def restart(self) -> None:
        self._server = Valkey(self._folder, port=self._server.port, password=self._server.password)

    def close(self) -> None:
        self._server.close()


class Sandbox:
    """PortOne's stand-in as `again sandbox` runs it; it comes back on its port, with its ledger."""

    def __init__(self, ledger: Path, logs: Path) -> None:
        self.ledger = ledger
        self._logs, self._port = logs, free_port(0)
        self.base_url = f"http://127.0.0.1:{self._port}"
        self.restart()

    def restart(self) -> None:
        command = (sys.executable, "-m", "worker.cli", "sandbox", "--port", str(self._port), "--ledger")
        environment = Settings.from_env({}).environment()
        self.part = start_part("sandbox", (*command, str(self.ledger)), environment, self._logs, url=self.base_url)
        wait_for(self.part, "/_sandbox/health", patience=START_STOP_SECONDS)

    def kill(self) -> None:
        kill(self.part)

    def close(self) -> None:
        self.part.stop()


def family(part: Part) -> list[psutil.Process]:
    """Return a part's main process and all its descendants."""
    with suppress(psutil.NoSuchProcess):
        main = psutil.Process(part.process.pid)
        return [main, *main.children(recursive=True)]
    return []


def kill(part: Part) -> None:
    """Kill a part with all its children, the main process first, so that it replaces none of them."""
    for process in family(part):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    part.process.wait()


def freeze(part: Part) -> None:
    _signal(part, signal.SIGSTOP)


def thaw(part: Part) -> None:
    _signal(part, signal.SIGCONT)


def _signal(part: Part, number: signal.Signals) -> None:
    for process in family(part):
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
