"""A pooler like PgBouncer in transaction pooling: each transaction of a client meets another server connection.

Like it, it refuses what it does not know in a startup packet, and keeps nothing of what a client sets for its session
but what PostgreSQL reports of the few parameters that it follows.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path

from tests.support.relay import SOCKET, shut

KNOWN = {"user", "database", "client_encoding", "datestyle", "timezone", "standard_conforming_strings"}
KNOWN |= {"application_name"}
"""What PgBouncer takes in a startup packet (documented: ignore_startup_parameters)."""

FOLLOWED = KNOWN - {"user", "database"}


class UnknownParameter(Exception):
    """The startup packet has a parameter that the pooler does not know."""


class Pooler:
    """Listens in a folder for one client at a time and user, with some connections to the server behind it."""

    def __init__(self, folder: Path, server: Path, *, servers: int = 3) -> None:
        self.folder, self._server, self._count = folder, server, servers
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen()
        self.refused: list[str] = []
        self._sockets: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        for each in self._sockets:
            shut(each)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError, EOFError):
            try:
                startup = read_startup(client)
            except UnknownParameter as unknown:
                self.refused.append(str(unknown))
                said = b"SFATAL\0C08P01\0M" + f"unsupported startup parameter: {unknown}".encode() + b"\0\0"
                client.sendall(b"E" + struct.pack("!i", len(said) + 4) + said)
                return shut(client)
            followed = {name: value for name, value in startup.items() if name in FOLLOWED}
            servers = itertools.cycle([self._connect(startup) for _ in range(self._count)])
            welcome = b"R" + struct.pack("!ii", 8, 0) + parameters({"server_version": "16.0", **DEFAULTS, **followed})
            client.sendall(welcome + READY)
            while True:
                self._transaction(client, next(servers), followed)
        return shut(client)

    def _connect(self, startup: dict[str, str]) -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        self._sockets.append(server)
        server.connect(str(self._server / SOCKET))
        words = b"".join(f"{name}\0{startup[name]}\0".encode() for name in ("user", "database"))
        server.sendall(struct.pack("!ii", len(words) + 9, 196608) + words + b"\0")
        until_ready(server)
        return server

    def _transaction(self, client: socket.socket, server: socket.socket, followed: dict[str, str]) -> None:
        """Lend a server connection from a client's first message until it is out of any transaction again."""
        kind, message = read_message(client)
        for name, value in followed.items():
            server.sendall(query(f"SET {name} TO '{value}'"))
            until_ready(server)
        while kind != b"X":
            server.sendall(message)
            if kind in (b"Q", b"S") and self._answer(client, server, followed) == b"I":
                return
            kind, message = read_message(client)
        raise EOFError

    def _answer(self, client: socket.socket, server: socket.socket, followed: dict[str, str]) -> bytes:
        """Pass a whole answer on, and say whether it leaves the server in a transaction."""
        while True:
            kind, message = read_message(server)
            assert kind not in (b"G", b"W"), "COPY is not needed here"
            if kind == b"S":
                name, value = message[5:-1].decode().split("\0")
                if name.lower() in FOLLOWED:
                    followed[name.lower()] = value
            client.sendall(message)
            if kind == b"Z":
                return message[5:6]


DEFAULTS = {"client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "UTC", "integer_datetimes": "on"}
DEFAULTS |= {"standard_conforming_strings": "on", "server_encoding": "UTF8", "IntervalStyle": "postgres"}
READY = b"Z" + struct.pack("!i", 5) + b"I"


def parameters(values: dict[str, str]) -> bytes:
    words = [f"{name}\0{value}\0".encode() for name, value in values.items()]
    return b"".join(b"S" + struct.pack("!i", len(each) + 4) + each for each in words)


def query(sql: str) -> bytes:
    words = sql.encode() + b"\0"
    return b"Q" + struct.pack("!i", len(words) + 4) + words


def read_startup(client: socket.socket) -> dict[str, str]:
    """Read who a client wants to be; encryption is declined, as to a socket of this machine."""
    while True:
        (length,) = struct.unpack("!i", exactly(client, 4))
        body = exactly(client, length - 4)
        (code,) = struct.unpack("!i", body[:4])
        if code in (80877103, 80877104):  # SSL, GSS
            client.sendall(b"N")
            continue
        words = body[4:].rstrip(b"\0").split(b"\0")
        startup = {name.decode().lower(): value.decode() for name, value in zip(words[::2], words[1::2], strict=True)}
        for name in startup:
            if name not in KNOWN:
                raise UnknownParameter(name)
        return startup


def until_ready(server: socket.socket) -> None:
    while read_message(server)[0] != b"Z":
        pass


def read_message(source: socket.socket) -> tuple[bytes, bytes]:
    head = exactly(source, 5)
    (length,) = struct.unpack("!i", head[1:])
    return head[:1], head + exactly(source, length - 4)


def exactly(source: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        if not (more := source.recv(count - len(found))):
            raise EOFError
        found += more
    return found
