"""`again sandbox`: a process of its own."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.integration.cli.conftest import Again


def test_sandbox_serves_until_a_signal(tmp_path: Path):
    ledger = tmp_path / "books" / "sandbox.sqlite"
    options = ("--port", "0", "--ledger", str(ledger), "--latency", "0.01,0.02")
    command = [sys.executable, "-m", "worker.cli", "sandbox", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        assert url is not None
        assert httpx.get(f"{url[0]}/_sandbox/switches", trust_env=False).json()["latency_seconds"] == [0.01, 0.02]
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    assert ledger.exists()


def test_port_in_use_is_reported_without_traceback(again_without_database: Again, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = again_without_database("sandbox", "--port", port, "--ledger", tmp_path / "ledger", code=1)
    assert f"cannot listen on 127.0.0.1:{port}" in ended.said


@pytest.mark.parametrize("latency", ["fast", "-1", "2,1", "1,2,3", "nan", "inf"])
def test_invalid_latency_exits_2(again_without_database: Again, tmp_path: Path, latency):
    ended = again_without_database("sandbox", "--latency", latency, "--ledger", tmp_path / "ledger", code=2)
    assert "number of seconds" in ended.said
