"""What a newcomer does in an empty folder, with no settings: starts commands, waits, and presses Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
import pytest

from worker.devstack.stack import free_port


def environment(**settings: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    return {"PATH": path, "HOME": os.path.expanduser("~"), "LANG": "C.UTF-8", **settings}  # noqa: PTH111


def again(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["again", *arguments], cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )


def ours_in(folder: Path) -> list[str]:
    """Return the command lines of the processes that run in, or with, a folder."""
    return [" ".join(process.info["cmdline"] or []) for process in processes_in(folder)]


def processes_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        words = " ".join([*(process.info["cmdline"] or []), process.info["cwd"] or ""])
        if str(folder) in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def until(what: str, reached: Callable[[], bool], *, patience: float) -> None:
    deadline = monotonic() + patience
    while not reached():
        assert monotonic() < deadline, f"not within {patience} s: {what}"
        sleep(0.2)


@contextmanager
def running(folder: Path, *arguments: str, line: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process group of its own, as a shell starts it, once it has printed a line."""
    with subprocess.Popen(
        ["again", *arguments],
        cwd=folder,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    ) as command:
        try:
            wait_for_line(command, line)
            yield command
        finally:
            if command.poll() is None:
                command.terminate()
                command.communicate(timeout=60)


def press_ctrl_c(command: subprocess.Popen[str]) -> str:
    """Send a terminal's signal to the whole group, and return the rest of the output.

    Calls in flight end first, those that hang too, and on a machine that is busy that takes its time.
    """
    os.killpg(command.pid, signal.SIGINT)
    said, _ = command.communicate(timeout=90)
    return said


PORTS = {
    part: free_port(0) for part in ("sandbox", "checkout", "flower", "metrics")
}  # not another run's on this machine
UP = ("up", *(word for part, port in PORTS.items() for word in (f"--{part}-port", str(port))))
RUNNING = "Ctrl-C stops everything"


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return
    pytest.fail(f"ended without {text!r}: {''.join(lines)}")


def healthy(folder: Path) -> None:
    """Wait until beat and the worker have been seen: until then the doctor reports a finding."""
    deadline = monotonic() + 90
    findings: list[dict[str, Any]] = []
    while monotonic() < deadline:
        doctor = again(folder, "doctor", "--json")
        findings = json.loads(doctor.stdout)
        if doctor.returncode == 0:
            return
        sleep(1)
    pytest.fail(f"still broken: {[finding for finding in findings if finding['health'] == 'broken']}")


def in_outline(table: str) -> list[str]:
    """Return a table without its spaces, and with every subscription code and instant alike."""
    lines = [" ".join(line.split()) for line in table.strip().splitlines()]
    return [re.sub(r"[0-9A-Z]{13}", "CODE", re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d)?", "WHEN", line)) for line in lines]
