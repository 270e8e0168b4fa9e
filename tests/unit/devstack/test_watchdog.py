"""What `again up` started is ended after its death, and no process that has come by a number since."""

from __future__ import annotations

import signal
import subprocess

from worker.devstack.watchdog import birth, end, watch


def test_guarded_process_is_ended():
    with subprocess.Popen(["sleep", "600"]) as ours:
        watch([f"{ours.pid} {signal.SIGTERM.value}\n"])
        assert ours.wait(10) == -signal.SIGTERM


def test_ended_process_is_not_killed_by_its_number():
    with subprocess.Popen(["sleep", "600"]) as another:
        born_before = str(int(birth(another.pid)) - 1) if birth(another.pid).isdigit() else "long ago"
        end(another.pid, signal.SIGKILL, born_before)
        end(another.pid, signal.SIGKILL, "")
        assert another.poll() is None
        another.kill()


def test_zombie_process_counts_as_ended():
    ended = subprocess.Popen(["true"])
    while birth(ended.pid):
        pass
    assert ended.wait() == 0


def test_process_that_ended_in_order_is_left_alone():
    with subprocess.Popen(["sleep", "600"]) as ours:
        watch([f"{ours.pid} {signal.SIGKILL.value}\n", "done\n"])
        assert ours.poll() is None
        ours.kill()
