"""A worker that hangs while it ends is ended, with its children; one that ends in order is not."""

from __future__ import annotations

import subprocess
import sys
from time import monotonic, sleep

import psutil
import pytest

from worker.messaging.forced_exit import EXIT_CODE

HANGS = """
import os, signal, sys
from billiard import Process, active_children
from worker.messaging.forced_exit import exit_within

child = Process(target=lambda: signal.pause())
child.start()
if sys.argv[1] == "stopped":
    os.kill(child.pid, signal.SIGSTOP)
print(child.pid, flush=True)
exit_within(0.2, lambda: [each.pid for each in active_children()])
child.join()
"""
ENDS = """
from worker.messaging.forced_exit import exit_within
exit_within(600, lambda: [])
"""


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("child", ["waits", "stopped"])
def test_hanging_worker_is_ended_with_its_children(child: str):
    ended = subprocess.run(
        [sys.executable, "-c", HANGS, child], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == EXIT_CODE, ended.stderr
    assert "did not end in time" in ended.stdout + ended.stderr
    pid = int(ended.stdout.split()[0])
    deadline = monotonic() + 30
    while runs(pid):
        assert monotonic() < deadline
        sleep(0.01)


def test_worker_that_ends_in_order_waits_for_nothing():
    assert subprocess.run([sys.executable, "-c", ENDS], check=False, timeout=60).returncode == 0
