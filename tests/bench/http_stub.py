"""HTTP/1.1 with keep-alive, as far as the servers of the benchmark need it: what is measured are their clients."""

from __future__ import annotations

from asyncio import BaseTransport, Protocol, Transport


class Connection(Protocol):
    """One connection of a client. `received` gets the head, in small letters, and the body of each request."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: Transport

    def connection_made(self, transport: BaseTransport) -> None:
        assert isinstance(transport, Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            if len(self._buffer) < end + 4 + length:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            self.received(head, body)

    def received(self, head: bytes, body: bytes) -> None:
        raise NotImplementedError

    def answer(self, body: bytes) -> None:
        """Answer a request; a client sends the next one after that."""
        if not self._transport.is_closing():
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
