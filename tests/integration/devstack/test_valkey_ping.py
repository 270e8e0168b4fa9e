"""An embedded Valkey is known by its password, and nothing that listens on its port is taken for it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.devstack.servers import Valkey
from worker.devstack.valkey_ping import answers


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that connections wait at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_running_server_answers(tmp_path: Path):
    server = Valkey(tmp_path / "valkey")
    assert answers(server.url, timeout=5)
    server.close()
    assert not answers(server.url, timeout=5)


def test_server_with_another_password_does_not_answer(tmp_path: Path):
    server = Valkey(tmp_path / "valkey")
    assert not answers(server.url.replace(server.password, "another"), timeout=5)
    server.close()


def test_listener_that_says_nothing_does_not_answer(listener: socket.socket):
    assert not answers(f"redis://:x@127.0.0.1:{listener.getsockname()[1]}/0", timeout=0.05)


@pytest.mark.parametrize("url", ["", "redis://", "redis://:x@127.0.0.1:many/0", "not an address"])
def test_unreadable_address_does_not_answer(url: str):
    assert not answers(url, timeout=0.05)
