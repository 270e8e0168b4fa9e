"""Where the servers are: configured, or embedded, which are then started here and noted for other commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from worker.config.settings import Settings
from worker.devstack.servers import NotAvailable, Postgres, Valkey, make_private, remove_postgres
from worker.devstack.valkey_ping import answers

__all__ = [
    "Addresses",
    "NotAvailable",
    "Postgres",
    "Servers",
    "Valkey",
    "broker_address",
    "database_address",
    "effective_settings",
    "embedded_servers",
    "known_addresses",
    "make_private",
    "remove_postgres",
    "running_servers",
]

NOTE = "addresses.json"
"""In the data folder while `again up` runs, so that other commands find what it started."""

PATIENCE = 2.0
"""Seconds that a noted broker may take to answer."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where things are. Database and broker addresses may hold a password, so nothing shows in a repr."""

    database_url: str
    broker_url: str
    sandbox_url: str | None = None
    checkout_url: str | None = None

    def __repr__(self) -> str:
        return "Addresses(...)"


@dataclass(frozen=True, slots=True)
class Servers:
    """What serves: the addresses of both servers, and those that are embedded."""

    addresses: Addresses
    postgres: Postgres | None
    valkey: Valkey | None

    def ended(self) -> str | None:
        """Return the name of an embedded server that has ended by itself."""
        if self.postgres is not None and not self.postgres.is_running:
            return "PostgreSQL"
        return "Valkey" if self.valkey is not None and not self.valkey.is_running else None


@contextmanager
def running_servers(settings: Settings) -> Iterator[Addresses]:
    """Start what is not configured, and give the addresses of both servers."""
    with embedded_servers(settings) as servers:
        yield servers.addresses


@contextmanager
def embedded_servers(settings: Settings) -> Iterator[Servers]:
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
        # What is configured need not be noted: commands without a setting for it look here, and it may hold a password.
        started = Addresses(
            postgres.url if postgres else "", valkey.url if valkey else "", settings.sandbox_url, settings.checkout_url
        )
        with _noting(folder / NOTE, json.dumps(asdict(started))):
            yield Servers(addresses, postgres, valkey)


@contextmanager
def _noting(note: Path, text: str) -> Iterator[None]:
    """Leave a note for as long as this lasts, and take away no other than this one."""
    make_private(note.parent)
    note.touch(mode=0o600)
    note.write_text(text)
    try:
        yield
    finally:
        if note.exists() and note.read_text() == text:
            note.unlink()


@contextmanager
def database_address(settings: Settings, *, create: bool = False) -> Iterator[str]:
    """Yield the database's address: configured, or embedded, which is started for as long as this lasts.

    Raises NotAvailable when there is none yet and none may be created.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    folder = settings.data_dir.resolve()
    if not create and not _has_database(folder):
        raise NotAvailable(
            f"There is no Again database in {folder}: run `again up` or `again migrate` here, "
            "or set AGAIN_DATA_DIR or AGAIN_DATABASE_URL."
        )
    with _closing(lambda: Postgres(folder / "postgres"), True) as postgres:
        assert postgres is not None
        yield postgres.url


def known_addresses(settings: Settings) -> Addresses:
    """Return both addresses without starting anything; raises NotAvailable when there is none."""
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


def broker_address(settings: Settings) -> str:
    """Return the broker's address, configured or noted by `again up`; empty when there is none."""
    noted = _noted(settings)
    return _secret(settings.broker_url) or (noted.broker_url if noted else "")


def effective_settings() -> Settings:
    """Read the settings, and take from `again up` where the sandbox and the pages are when that is not configured."""
    settings = Settings.from_env()
    configured = settings.sandbox_url is not None and settings.checkout_url is not None
    if settings.live or configured or (noted := _noted(settings)) is None:
        return settings
    return settings.model_copy(
        update={
            "sandbox_url": settings.sandbox_url or noted.sandbox_url,
            "checkout_url": settings.checkout_url or noted.checkout_url,
        }
    )


def _noted(settings: Settings) -> Addresses | None:
    """What `again up` noted, if its broker still answers."""
    try:
        addresses = Addresses(**json.loads((settings.data_dir / NOTE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return addresses if not addresses.broker_url or answers(addresses.broker_url, timeout=PATIENCE) else None


def _has_database(folder: Path) -> bool:
    try:
        return (folder / "postgres" / "PG_VERSION").exists()
    except OSError as error:
        raise NotAvailable(f"The data folder {folder} cannot be used: {error.strerror}.") from None


@contextmanager
def _closing(start: Any, wanted: bool) -> Iterator[Any]:
    server = start() if wanted else None
    try:
        yield server
    finally:
        if server is not None:
            server.close()


def _secret(value: Any) -> str:
    return "" if value is None else str(value.get_secret_value())
