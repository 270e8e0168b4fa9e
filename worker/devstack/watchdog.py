"""Ends what `again up` started when `again up` is killed and cannot do it itself.

It reads `pid signal` lines from a pipe, one per process in the order of starting. `done` means that all has been ended
in order; the end of the pipe without it means that the writer has died, and then the last one started goes first.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

PATIENCE_SECONDS = 30.0
DONE = "done"


class Watchdog:
    """The process that ends the others when this one is killed."""

    def __init__(self, folder: Path, lock: int) -> None:
        """Start it in a session of its own; it keeps the folder's lock until nothing of ours runs there."""
        self._process = subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, "-I", "-S", __file__],
            cwd=folder,
            stdin=subprocess.PIPE,
            pass_fds=[lock],
            start_new_session=True,
            bufsize=0,
        )

    def guard(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        self._write(f"{pid} {number.value}")

    def dismiss(self) -> None:
        """Write to the watchdog that everything has ended in order."""
        self._write(DONE)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it was killed; everything else goes on
            self._process.stdin.write(f"{line}\n".encode())


def end(pid: int, number: int, born: str) -> None:
    """Ask a process to end, wait, and insist. Its number may be another's by now, who was not born when it was."""
    deadline = monotonic() + PATIENCE_SECONDS
    with suppress(ProcessLookupError):
        if born and birth(pid) == born:
            os.kill(pid, number)
        while born and birth(pid) == born:
            if monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                return
            sleep(0.05)


def birth(pid: int) -> str:
    """Return when a process started, as its system prints it; empty for one that has ended.

    In a container no process may reap an orphan; then it has ended, and keeps its number.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - as light as can be
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return "" if os.path.exists("/proc/self/stat") else _birth_by_ps(pid)  # noqa: PTH110
    return "" if fields[0] == "Z" else fields[19]


def _birth_by_ps(pid: int) -> str:
    """Ask `ps`, where there is no /proc."""
    words = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    status, _, started = said.partition(" ")
    return "" if status.startswith("Z") else started.strip()


def watch(lines: Iterable[str]) -> None:
    started = []
    for line in lines:
        if line.strip() == DONE:
            return
        pid, number = map(int, line.split())
        started.append((pid, number, birth(pid)))
    for pid, number, born in reversed(started):
        end(pid, number, born)


if __name__ == "__main__":
    watch(sys.stdin)
