"""Running all the parts of Again on one machine: the servers, the sandbox, the Celery processes, metrics and pages."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

import httpx

from worker.config.settings import FASTEST_SWEEP, Settings
from worker.database import migrations
from worker.database.engine import create_database_engine
from worker.devstack.addresses import Servers, embedded_servers, make_private
from worker.devstack.watchdog import Watchdog

STOP_SECONDS = 30.0
"""How long a part may take to finish; a pump in flight needs its calls' time-out."""

FLOWER_STOP_SECONDS = 3.0
"""Flower has nothing to finish, and takes its time with that."""


class DidNotStart(RuntimeError):
    """A part of Again did not start; the message names it and its log."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process of ours: what it is, what it runs, where it can be reached, and where it writes."""

    name: str
    command: tuple[str, ...]
    process: subprocess.Popen[bytes]
    log: Path
    url: str | None = None

    @property
    def ended(self) -> int | None:
        return self.process.poll()

    def stop(self, *, patience: float = STOP_SECONDS) -> None:
        """Ask it to end, wait, and insist."""
        if self.ended is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen that people visit."""

    checkout: int
    flower: int
    metrics: int


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything that runs, and the settings with which other commands find it."""

    settings: Settings
    servers: Servers
    parts: tuple[Part, ...]

    def part(self, name: str) -> Part:
        return next(part for part in self.parts if part.name == name)

    def ended(self) -> str | None:
        """Return a sentence about the part that has ended by itself; None while everything runs."""
        if (name := self.servers.ended()) is not None:
            return f"The embedded {name} has ended, so everything is stopped. Its log is in {self.settings.data_dir}."
        for part in self.parts:
            if part.ended is not None:
                said = last_lines(part.log)
                return f"{part.name} ended with {part.ended}, so everything is stopped. {part.log}: {said}"
        return None


@contextmanager
def running_stack(
    settings: Settings, *, lock: int, sandbox_port: int, checkout_port: int, flower_port: int, metrics_port: int
) -> Iterator[Stack]:
    """Start every part and stop all of them at the end, the ones that charge first, even when this process is killed.

    An embedded database is migrated; a configured one is the operator's. `lock` is the descriptor that keeps others out
    of the data folder. Raises DidNotStart, and then leaves nothing running.
    """
    sandbox_url = None if settings.live else f"http://127.0.0.1:{sandbox_port}"
    # Links made by other commands in this folder must lead to where the pages really are.
    checkout_url = settings.checkout_url or (None if settings.live else f"http://127.0.0.1:{checkout_port}")
    settings = settings.model_copy(update={"sandbox_url": sandbox_url, "checkout_url": checkout_url})
    with ExitStack() as stopping:
        make_private(settings.data_dir)
        guardian = Watchdog(settings.data_dir.resolve(), lock)
        stopping.callback(guardian.dismiss)
        servers = stopping.enter_context(embedded_servers(settings))
        if servers.postgres is not None:
            guardian.guard(servers.postgres.pid, signal.SIGINT)  # its fast shutdown
            _migrate(servers.addresses.database_url)
        if servers.valkey is not None:
            guardian.guard(servers.valkey.pid)
        ports = Ports(checkout_port, flower_port, metrics_port)
        parts = _start_parts(settings, servers, guardian, stopping, ports)
        yield Stack(settings, servers, parts)


def _paced(settings: Settings) -> Settings:
    """Return the settings with a pace of comparisons that a sandbox is good for, unless one was set."""
    if settings.live or "sweep_requests_per_second" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"sweep_requests_per_second": FASTEST_SWEEP})


def _start_parts(
    settings: Settings, servers: Servers, guardian: Watchdog, stopping: ExitStack, ports: Ports
) -> tuple[Part, ...]:
    folder = settings.data_dir.resolve()
    logs = folder / "logs"
    make_private(logs)
    addresses = servers.addresses
    environment = _paced(settings).environment(
        AGAIN_DATABASE_URL=addresses.database_url, AGAIN_BROKER_URL=addresses.broker_url
    )
    parts: list[Part] = []

    def start(name: str, *command: str, url: str | None = None, patience: float = STOP_SECONDS) -> Part:
        part = start_part(name, command, environment, logs, url=url)
        stopping.callback(part.stop, patience=patience)
        guardian.guard(part.process.pid, signal.SIGTERM if name == "worker" else signal.SIGKILL)
        parts.append(part)
        return part

    again = (sys.executable, "-m", "worker.cli")
    if not settings.live:
        port, ledger = str(urlsplit(settings.gateway_url).port), str(folder / "sandbox.sqlite")
        sandbox = (*again, "sandbox", "--port", port, "--ledger", ledger)
        wait_for(start("sandbox", *sandbox, url=settings.sandbox_url), "/_sandbox/health")
    celery = (sys.executable, "-m", "celery", "-A", "worker.app")
    flower = (*celery, "flower", "--address=127.0.0.1", f"--port={ports.flower}")
    start("flower", *flower, url=f"http://127.0.0.1:{ports.flower}", patience=FLOWER_STOP_SECONDS)
    checkout = (*again, "checkout", "serve", "--port", str(ports.checkout))
    start("checkout", *checkout, url=f"http://127.0.0.1:{ports.checkout}")
    metrics = (*again, "metrics", "serve", "--port", str(ports.metrics))
    start("metrics", *metrics, url=f"http://127.0.0.1:{ports.metrics}")
    start("beat", *celery, "beat", "-l", settings.log_level)
    start("worker", *celery, "worker", "-P", "prefork", "-c", "2", "-l", settings.log_level, *_QUIET)
    found = {part.name: part for part in parts}
    wait_for(found["flower"], "/healthcheck")
    wait_for(found["checkout"], "/health")
    wait_for(found["metrics"], "/health")
    return tuple(parts)


def _migrate(database_url: str) -> None:
    engine = create_database_engine(database_url, actor="up")
    migrations.upgrade(engine)
    engine.dispose()


_QUIET = ("--without-gossip", "--without-mingle")
"""Workers have nothing to tell each other: rows are the queue."""


def start_part(
    name: str, command: tuple[str, ...], environment: Mapping[str, str], logs: Path, *, url: str | None = None
) -> Part:
    """Start one process in a session of its own, so that Ctrl-C reaches it only through us."""
    log = logs / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,  # whatever it writes is its user's alone
        )
    return Part(name, command, process, log, url)


def wait_for(part: Part, path: str, *, patience: float = 30.0) -> None:
    """Wait until a part answers HTTP; raises DidNotStart with the end of its log."""
    deadline = monotonic() + patience
    while monotonic() < deadline and part.ended is None:
        try:
            if httpx.get(f"{part.url}{path}", timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            sleep(0.1)
    raise DidNotStart(f"{part.name} did not start; its log {part.log} ends with: {last_lines(part.log)}")


def last_lines(log: Path, count: int = 3) -> str:
    """Return the last lines of a log."""
    return " / ".join(log.read_text(errors="replace").splitlines()[-count:])


def free_port(wanted: int) -> int:
    """Return the wanted port, or another free one when it is in use."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DidNotStart(f"no free port on 127.0.0.1, not even another one than {wanted}")
