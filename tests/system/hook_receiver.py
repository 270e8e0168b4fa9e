"""A host's endpoint as a process of its own: it writes down what arrives, and answers by the number of the arrival.

Run: `python -m tests.system.hook_receiver PORT FILE`. While there is a file `FILE.held`, it answers nothing.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Lock
from time import monotonic, sleep

from tests.support.arrivals import HostReply

HELD_SECONDS = 60.0
TROUBLED = {7: HostReply.LOSE, 31: HostReply.HANG, 11: HostReply.REFUSE}
"""Of so many arrivals, one."""


def reply_to(number: int) -> HostReply:
    return next((reply for every, reply in TROUBLED.items() if number % every == 0), HostReply.TAKE)


def serve(port: int, path: Path) -> None:
    numbers, lock = count(1), Lock()
    held = path.with_name(f"{path.name}.held")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                reply = HostReply.HANG if held.exists() else reply_to(next(numbers))
                line = {"id": self.headers["webhook-id"], "reply": reply, **body}
                os.write(file, f"{json.dumps(line)}\n".encode())  # before the answer, as a host commits
            if reply is HostReply.HANG:
                self._wait()
            if reply in {HostReply.LOSE, HostReply.HANG}:
                self.close_connection = True
                return
            self.send_response(500 if reply is HostReply.REFUSE else 204)
            self.send_header("content-length", "0")
            self.end_headers()

        def _wait(self) -> None:
            ends = monotonic() + HELD_SECONDS
            while monotonic() < ends and (held.exists() or not self._hung_up()):
                sleep(0.05)

        def _hung_up(self) -> bool:
            self.connection.settimeout(0.2)
            try:
                return len(self.connection.recv(1)) == 0
            except OSError:
                return False

        def log_message(self, *_: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 512
        daemon_threads = True

    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    Server(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
