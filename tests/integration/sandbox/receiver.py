"""A merchant's webhook address for tests: records what arrives, and answers as configured."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.sandbox import wait_until


@dataclass(frozen=True)
class Got:
    """One webhook as it arrived."""

    path: str
    body: bytes
    content_type: str
    source: str


class Receiver:
    """Listens on a free port of loopback. While `gate` is closed, nothing is answered."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answers: list[int] = []  # statuses to answer with, one after another; then 200
        self.gate = threading.Event()
        self.gate.set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def wait_for(self, number: int) -> list[Got]:
        wait_until(lambda: len(self.got) >= number, f"fewer than {number} webhooks came")
        return self.got

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(Got(self.path, body, self.headers["Content-Type"], self.client_address[0]))
                receiver.gate.wait()
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def listening() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.gate.set()
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()
