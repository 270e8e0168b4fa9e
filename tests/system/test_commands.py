"""`again demo` and `again up` as a newcomer meets them: no settings, an empty folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that PostgreSQL's own user may enter, as under a home or a checkout."""
    with tempfile.TemporaryDirectory(prefix="again-newcomer-") as name:
        yield Path(name)


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    return {"PATH": path, "HOME": os.path.expanduser("~"), "LANG": "C.UTF-8"}  # noqa: PTH111


def again(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["again", *arguments], cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )


def ours_in(folder: Path) -> list[str]:
    """The processes that run in, or with, a folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = " ".join([*(process.info["cmdline"] or []), process.info["cwd"] or ""])
        if str(folder) in words:
            found.append(words)
    return found


def test_the_demo_ends_with_books_that_agree_and_leaves_nothing_running(folder: Path):
    demo = again(folder, "demo", "--subscriptions", "200")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "The books agree" in demo.stdout
    assert ours_in(folder) == []


def test_up_runs_everything_until_ctrl_c_and_other_commands_find_it(folder: Path):
    ports = ("--sandbox-port", "19101", "--flower-port", "15555")
    up = subprocess.Popen(
        ["again", "up", *ports],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for_line(up, "Ctrl-C stops everything")
        healthy(folder)
        plan = again(folder, "plan", "add", "letter", "--name", "아침 편지", "--amount", "9900", "--cadence", "month")
        assert plan.returncode == 0, plan.stderr
        assert [row["code"] for row in json.loads(again(folder, "plan", "list", "--json").stdout)] == ["letter"]
    finally:
        up.send_signal(signal.SIGINT)
        rest, _ = up.communicate(timeout=60)
    assert up.returncode == 0, rest
    assert ours_in(folder) == []
    # What was written stays for the next time.
    assert [row["code"] for row in json.loads(again(folder, "plan", "list", "--json").stdout)] == ["letter"]


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return
    pytest.fail(f"ended without {text!r}: {''.join(lines)}")


def healthy(folder: Path) -> None:
    """Until beat and the worker have been seen, the doctor has something to say."""
    deadline = monotonic() + 90
    findings: list[dict[str, Any]] = []
    while monotonic() < deadline:
        doctor = again(folder, "doctor", "--json")
        findings = json.loads(doctor.stdout)
        if doctor.returncode == 0:
            return
        sleep(1)
    pytest.fail(f"still broken: {[finding for finding in findings if finding['health'] == 'broken']}")
