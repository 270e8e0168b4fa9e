"""Whether an embedded Valkey answers, asked without the client of the broker.

A command that finds the note of `again up` asks once; importing the client takes longer than all else it does.
"""

from __future__ import annotations

import socket
from urllib.parse import unquote, urlsplit

ANSWER = b"+OK\r\n+PONG\r\n"
"""To a password that is right, and to a ping."""


def answers(url: str, *, timeout: float) -> bool:
    """Return whether the server at `redis://:password@host:port/0` takes the password and answers within seconds."""
    try:
        parts = urlsplit(url)
        password = unquote(parts.password or "")
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout) as connection:
            connection.sendall(_command("AUTH", password) + _command("PING"))
            answer = b""
            while len(answer) < len(ANSWER) and (more := connection.recv(len(ANSWER) - len(answer))):
                answer += more
    except (OSError, ValueError):
        return False
    return answer == ANSWER


def _command(*words: str) -> bytes:
    """Return a command as the protocol writes it, whatever is in its words."""
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
