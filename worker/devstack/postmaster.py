"""Who runs a PostgreSQL cluster: what `postmaster.pid` claims, and whether a process is really that server.

A power failure, or a restarted container, leaves a number in that file which may be another process's by now. So no
process is signalled or waited for before its command line, working folder and user show that it is the server.
"""

from __future__ import annotations

import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

from worker.devstack.wheels import wheel

PID_FILE = "postmaster.pid"
SOCKET = ".s.PGSQL.5432"

_ENDINGS = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
"""PostgreSQL's fast shutdown, its immediate one, and what a server cannot refuse; each with the seconds it is given."""


@dataclass(frozen=True, slots=True)
class PidFile:
    """What the server wrote into its folder about itself; true only as long as it runs."""

    pid: int
    socket_folder: Path
    status: str

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read it; None when there is none, or none that is whole."""
        try:
            lines = (folder / PID_FILE).read_text(errors="replace").splitlines()
            pid, socket_folder = int(lines[0]), lines[4].strip()
        except (OSError, ValueError, IndexError):
            return None
        status = lines[7].strip() if len(lines) > 7 else ""
        return cls(pid, Path(socket_folder), status) if pid > 0 and socket_folder else None

    @property
    def is_ready(self) -> bool:
        return self.status == "ready"

    @property
    def is_answered(self) -> bool:
        """Return whether a server listens on the socket that it names."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            try:
                probe.connect(str(self.socket_folder / SOCKET))
            except OSError:
                return False
            return True


class Postmaster:
    """A process that is known to be the server of one folder."""

    def __init__(self, process: Any) -> None:
        self._process = process

    @classmethod
    def find(cls, pid: int, folder: Path, uid: int) -> Self | None:
        """Return the process with this number if it is the server of this folder, run by this user."""
        psutil = wheel("psutil")
        with suppress(psutil.Error, OSError, OverflowError, ValueError):
            process = psutil.Process(pid)
            if _is_server(process, folder, uid):
                return cls(process)
        return None

    @classmethod
    def find_any(cls, folder: Path, uid: int) -> Self | None:
        """Return the server of a folder whose PID file is unreadable, found among all processes."""
        found = (cls.find(pid, folder, uid) for pid in wheel("psutil").pids())
        return next((each for each in found if each is not None), None)

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    @property
    def is_running(self) -> bool:
        """Return whether this very process still runs; a zombie does not."""
        psutil = wheel("psutil")
        try:
            return bool(self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def stop(self) -> None:
        """End it: ask, wait, and insist. It is asked who it is before each signal, for its number may be another's."""
        for number, patience in _ENDINGS:
            if not self.is_running:
                return
            with suppress(wheel("psutil").NoSuchProcess):
                self._process.send_signal(number)
            deadline = monotonic() + patience
            while self.is_running and monotonic() < deadline:
                sleep(0.01)


def _is_server(process: Any, folder: Path, uid: int) -> bool:
    """Ask a process itself. The first words, for an emulator may stand before the program."""
    words = process.cmdline()
    return (
        process.status() != wheel("psutil").STATUS_ZOMBIE
        and any(Path(word).name == "postgres" for word in words[:3])
        and str(folder) in words[1:]
        and process.uids().real == uid
        and Path(process.cwd()) == folder
    )
