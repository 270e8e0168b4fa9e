"""`again doctor portone` knows the sandbox from PortOne, and does so before it shows a key."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.sandbox import running_sandbox
from worker.config.settings import Settings
from worker.doctor import servers
from worker.doctor.finding import CheckContext, Finding, Health
from worker.runtime import Runtime

LIVE = {
    "AGAIN_PORTONE_KEY": "imp-key-1234",
    "AGAIN_PORTONE_SECRET": "imp-secret-5678",
    "AGAIN_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
}
TOKEN = {
    "code": 0,
    "message": None,
    "response": {"access_token": "a-token", "now": 1_700_000_000, "expired_at": 1_700_001_800},
}


def examined(url: str, *, live: bool) -> Finding:
    """What the doctor finds at an address. No setting can bring a live key to the sandbox, so it is brought here."""
    settings = Settings.from_env(LIVE if live else {}).model_copy(update={"portone_url": url, "sandbox_url": url})
    runtime = Runtime.create(settings, "postgresql:///again", actor="test")
    finding = servers.portone(CheckContext(runtime, "redis://"))
    runtime.close()
    return finding


@contextmanager
def stranger(answer: bytes) -> Iterator[tuple[str, list[str]]]:
    """A server that issues tokens like PortOne and answers everything else with `answer`; gives what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(404, answer)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self._send(200, json.dumps(TOKEN).encode())

        def _send(self, status: int, body: bytes) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_missing_key_against_the_sandbox_is_in_order():
    with running_sandbox() as sandbox:
        assert examined(sandbox.base_url, live=False).health is Health.OK


def test_live_key_against_sandbox_is_reported():
    with running_sandbox() as sandbox:
        found = examined(sandbox.base_url, live=True)
    assert found.health is Health.BROKEN
    assert "AGAIN_PORTONE_KEY is set, but Again's sandbox answers at" in found.finding


def test_a_sandbox_gets_no_secret():
    with stranger(b'{"sandbox": "PortOne V1", "now": 1}') as (url, asked):
        assert examined(url, live=True).health is Health.BROKEN
    assert asked == ["/_sandbox/health"]


# What a server that is not the sandbox may say to a path that it does not know.
@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"null", b"[]", b'{"code":1,"message":"Not Found"}', b'{"sandbox":1}']
)
def test_missing_key_against_another_server_is_reported(answer: bytes):
    with stranger(answer) as (url, asked):
        found = examined(url, live=False)
    assert found.health is Health.BROKEN
    assert "is not Again's sandbox" in found.finding
    assert "AGAIN_SANDBOX_URL" in found.remedy
    assert asked == ["/_sandbox/health"]


def test_live_key_gets_its_token_from_portone():
    with stranger(b'{"code":1,"message":"Not Found","response":null}') as (url, asked):
        found = examined(url, live=True)
    assert "issues tokens" in found.finding
    assert asked == ["/_sandbox/health", "/users/getToken"]


def test_unreachable_gateway_is_reported_as_such():
    found = examined("http://127.0.0.1:1", live=False)
    assert found.health is Health.BROKEN
    assert "issued no access token" in found.finding
