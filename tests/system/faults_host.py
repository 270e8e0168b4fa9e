"""The host beside a fault run: an endpoint, and a Celery worker with a broker and a database of its own."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.support.arrivals import Arrival, HostReply
from tests.support.webhook_receiver import LOCAL
from tests.system.faults_servers import kill, thaw
from worker.config.settings import Settings
from worker.database.engine import Sessions
from worker.devstack.addresses import Valkey
from worker.devstack.stack import Part, free_port, start_part
from worker.domain.events.types import EventType
from worker.events import destinations

TASK = "shop.on_event"
ROOT = str(Path(__file__).parents[2])


class KeepingValkey(Valkey):
    """A Valkey that writes to disk what it has confirmed: the broker of a host that wants to lose nothing."""

    def _configure(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"appendonly yes\nappendfsync always\n")
        super()._configure()


@dataclass
class FaultHost:
    """The parts of the host, each of which may be struck."""

    folder: Path
    broker: KeepingValkey
    database_url: str  # of Again: its worker reads events there that it may have missed
    port: int = field(default_factory=lambda: free_port(0))
    parts: dict[str, Part] = field(default_factory=dict)
    worker_ended: int = 0
    """How often its worker has ended by itself."""

    @property
    def variables(self) -> dict[str, str]:
        """What Again's settings say of the host."""
        return {
            "AGAIN_EVENTS_TASK": TASK,
            "AGAIN_EVENTS_BROKER_URL": self.broker.url,
            "AGAIN_WEBHOOK_ALLOWED_NETWORKS": ",".join(LOCAL),
        }

    # --- its parts --------------------------------------------------------------------------------------------------

    def start_worker(self) -> None:
        words = ("worker", "-P", "prefork", "-c", "2", "-l", "INFO", "--without-gossip", "--without-mingle")
        self._start("shop", "celery", "-A", "tests.system.shop_app", *words)

    def replace_ended_worker(self) -> None:
        """Start its worker again if that has ended, as any supervisor does: with kombu's own transport it may.

        Its endpoint is not replaced, and neither is a part of Again: none of these may end by itself.
        """
        if self.parts["shop"].ended is not None:
            self.worker_ended += 1
            self.start_worker()

    def start_receiver(self) -> None:
        self._start("receiver", "tests.system.hook_receiver", str(self.port), str(self._arrived))

    def kill(self, name: str) -> None:
        kill(self.parts[name])

    def kill_broker(self) -> None:
        """Kill the broker, and let it come back with what it has written to disk."""
        self.broker.kill()
        self.broker = KeepingValkey(self.folder, port=self.broker.port, password=self.broker.password)

    def listen(self, sessions: Sessions) -> None:
        """Add the endpoint to Again's webhooks."""
        url = f"http://127.0.0.1:{self.port}/hook"
        now = datetime.now(UTC)
        destinations.add_webhook(sessions, url, name="host", types=[], secret=None, allowed=LOCAL, now=now)

    def _start(self, name: str, module: str, *words: str) -> None:
        environment = {
            **Settings.from_env({}).environment(PYTHONPATH=ROOT, AGAIN_DATABASE_URL=self.database_url),
            "SHOP_BROKER_URL": self.broker.url,
            "SHOP_DATABASE": str(self.folder / "shop.sqlite"),
        }
        self.parts[name] = start_part(name, (sys.executable, "-m", module, *words), environment, self.folder)

    def close(self) -> None:
        for part in self.parts.values():
            thaw(part)
            part.stop(patience=10)
        self.broker.close()

    # --- what it has learned ----------------------------------------------------------------------------------------

    @property
    def _arrived(self) -> Path:
        return self.folder / "arrived.jsonl"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the endpoint take what arrives, and answer nothing meanwhile."""
        held = self._arrived.with_name(f"{self._arrived.name}.held")
        held.touch()
        yield
        held.unlink()

    def heard(self) -> int:
        """Return how many messages the endpoint has received."""
        return self._arrived.read_bytes().count(b"\n") if self._arrived.exists() else 0

    def arrivals(self) -> Sequence[Arrival]:
        """Return what the endpoint has received, in the order of arrival."""
        lines = self._arrived.read_text().splitlines() if self._arrived.exists() else []
        return [
            Arrival(
                position=line["position"],
                id=line["id"],
                type=EventType(line["type"]),
                data=line["data"],
                reply=HostReply(line["reply"]),
            )
            for line in map(json.loads, lines)
        ]

    def seen(self) -> set[str]:
        """Return the ids of the events that the host's worker has worked off."""
        return {event for (event,) in self._ask("SELECT event FROM seen")}

    def open_features(self) -> set[str]:
        """Return the subscriptions whose feature is open."""
        return {code for (code,) in self._ask("SELECT subscription FROM features WHERE is_open")}

    def known_features(self) -> set[str]:
        """Return the subscriptions that its worker knows of."""
        return {code for (code,) in self._ask("SELECT subscription FROM features")}

    def _ask(self, sql: str) -> list[tuple[str]]:
        database = self.folder / "shop.sqlite"
        if not database.exists():
            return []
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            try:
                return connection.execute(sql).fetchall()
            except sqlite3.OperationalError:  # its worker has not made the tables yet
                return []


@contextmanager
def fault_host(folder: Path, database_url: str) -> Iterator[FaultHost]:
    """Start the host's parts in a folder of their own."""
    folder.mkdir()
    with ExitStack() as closing_host:
        host = FaultHost(folder, KeepingValkey(folder), database_url)
        closing_host.callback(host.close)
        host.start_receiver()
        host.start_worker()
        yield host
