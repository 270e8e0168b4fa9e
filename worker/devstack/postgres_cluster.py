"""One PostgreSQL cluster of our own: made, started and stopped with the programs of the wheel.

Of the wheel nothing but the programs is used. Its own start opens every folder above the cluster under root, puts the
socket into the shared temporary folder where a path is long, and ends whatever process has the number in a stale file.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from worker.devstack.postgres_programs import Programs, complaint
from worker.devstack.postmaster import PID_FILE, SOCKET, PidFile, Postmaster
from worker.devstack.private_folders import NotAvailable
from worker.devstack.server_user import ServerUser, is_in_new_cluster_path, new_cluster_path
from worker.devstack.socket_folders import is_private, socket_folder

START_SECONDS = 60.0
"""How long a start may take, recovery after a crash included."""

_STILL_USED = "still in use"
"""What PostgreSQL says while backends of a server that was killed are still ending, which takes them a moment."""


class Cluster:
    """The cluster that a data folder names, which may be a link; the caller locks out other processes meanwhile.

    Raises NotAvailable.
    """

    def __init__(self, folder: Path) -> None:
        self._user = ServerUser.for_root()
        self._programs = Programs(self._user)
        self._log = folder.parent / f"{folder.name}.log"
        self.folder = self._existing(folder) or self._make(folder)
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def _uid(self) -> int:
        return os.geteuid() if self._user is None else self._user.uid

    # --- making -----------------------------------------------------------------------------------------------------

    def _existing(self, folder: Path) -> Path | None:
        if folder.is_symlink() and not folder.exists() and is_in_new_cluster_path(folder.readlink()):
            folder.unlink()  # what it led to is gone
        if not (folder / "PG_VERSION").exists():
            return None
        found = folder.resolve()
        if (status := found.stat()).st_uid == self._uid and status.st_mode & 0o077:
            found.chmod(0o700)
        if self._user is not None:
            self._user.let_through(folder.parent)
            if closed := self._user.closed_folder(found):
                raise NotAvailable(
                    f"Under root, the embedded PostgreSQL runs as a system user, which cannot get through {closed} to "
                    f"{found}. Run this as an ordinary user, or set AGAIN_DATA_DIR or AGAIN_DATABASE_URL."
                )
        return found

    def _make(self, folder: Path) -> Path:
        """Make a cluster beside its place and move it there whole, so that no half-made one is ever found."""
        if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
            raise NotAvailable(
                f"{folder} holds something else than a PostgreSQL cluster: move it away, or set AGAIN_DATA_DIR."
            )
        target = folder.resolve()
        if self._user is not None:
            self._user.let_through(folder.parent)
            if self._user.closed_folder(target):
                target = new_cluster_path()
        making = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            self._initialise(making, folder)
            making.rename(target)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
        if is_in_new_cluster_path(target):
            if folder.exists():
                folder.rmdir()
            folder.symlink_to(target)
        return target

    def _initialise(self, making: Path, folder: Path) -> None:
        if self._user is not None:
            self._user.own(making)
        words = ("-D", str(making), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale")
        program = self._programs.of(None) / "initdb"
        made = subprocess.run(  # noqa: S603 - the wheel's program
            [program, *words],
            **self._programs.popen_arguments(),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if made.returncode != 0:
            raise NotAvailable(_does_not_start(folder, complaint(made.stderr.decode(errors="replace"))))

    # --- starting ---------------------------------------------------------------------------------------------------

    def running(self) -> tuple[Postmaster, PidFile] | None:
        """Return the server that runs on this cluster, once it is ready; None when there is none."""
        while (self.folder / PID_FILE).exists():
            said = PidFile.read(self.folder)
            server = (
                Postmaster.find_any(self.folder, self._uid)
                if said is None
                else Postmaster.find(said.pid, self.folder, self._uid)
            )
            if server is not None and (ready := self._wait(server)):
                if not is_private(ready.socket_folder, self._uid):
                    raise NotAvailable(
                        f"A server runs on {self.folder} whose socket in {ready.socket_folder} others can reach: end "
                        f"process {server.pid} first."
                    )
                return server, ready
            if server is None:
                self._forget(said)
        return None

    def _wait(self, server: Postmaster) -> PidFile | None:
        """Wait until a server has started; None when it has ended, or was ended because its file is no more."""
        started = monotonic()
        while server.is_running:
            said = PidFile.read(self.folder)
            if said is not None and said.pid == server.pid and said.is_ready:
                return said
            waited = monotonic() - started
            if said is None and waited > 2:
                # It would end itself within the minute, for it looks after its file.
                server.stop()
            elif waited > START_SECONDS:
                raise NotAvailable(
                    f"The embedded PostgreSQL in {self.folder} (process {server.pid}) neither starts nor ends; its log "
                    f"is {self._log}."
                )
            sleep(0.02)
        return None

    def _forget(self, said: PidFile | None) -> None:
        """Remove the PID file of a server that has ended: its number may be another process's by now."""
        if said is not None and said.is_answered:
            raise NotAvailable(
                f"A PostgreSQL that this machine's process list does not show, as in another container, runs on "
                f"{self.folder}: end it, or set AGAIN_DATA_DIR."
            )
        (self.folder / PID_FILE).unlink(missing_ok=True)

    def start(self) -> tuple[Postmaster, PidFile]:
        """Return the server that runs, or start one."""
        deadline = monotonic() + START_SECONDS
        while (found := self.running()) is None:
            try:
                return self._start(deadline)
            except NotAvailable as problem:
                if _STILL_USED not in str(problem) or monotonic() > deadline:
                    raise
                sleep(0.1)
        return found

    def _start(self, deadline: float) -> tuple[Postmaster, PidFile]:
        sockets = socket_folder(self.folder, self._user)
        # Their numbers are as old as those of the other file; the folder is private, so they are this user's.
        for left in (sockets / SOCKET, sockets / f"{SOCKET}.lock"):
            left.unlink(missing_ok=True)
        words = ("-D", str(self.folder), "-k", str(sockets), "-p", "5432", "-c", "listen_addresses=")
        with os.fdopen(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
            before = log.seek(0, os.SEEK_END)
            # In a session of its own: Ctrl-C is for us, and this ends last.
            self._child = subprocess.Popen(  # noqa: S603 - the wheel's program
                [self._programs.of(self.folder) / "postgres", *words, "-c", "unix_socket_permissions=0700"],
                **self._programs.popen_arguments(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            while self._child.poll() is None and monotonic() < deadline:
                said = PidFile.read(self.folder)
                if said is not None and said.pid == self._child.pid and said.is_ready:
                    server = Postmaster.find(said.pid, self.folder, self._uid)
                    if server is not None:
                        return server, said
                sleep(0.01)
        except BaseException:
            _end(self._child)
            raise
        reason = complaint(self._log.read_bytes()[before:].decode(errors="replace"))
        if self._child.poll() is None:
            _end(self._child)
            reason = f"it was not ready after {START_SECONDS:g} s"
        raise NotAvailable(_does_not_start(self.folder, reason))

    def remove_socket_folder(self, sockets: Path) -> None:
        """Remove the folder of the sockets, if there is one of its own and nothing is left in it."""
        if sockets != self.folder:
            with suppress(OSError):
                sockets.rmdir()

    def reap(self) -> None:
        """Reap a server of ours that has ended, or it would stay in the process list."""
        if self._child is not None:
            self._child.poll()

    def let_go(self) -> None:
        """Leave the server to its other users: it is no child to be waited for any more."""
        if self._child is not None and self._child.poll() is None:
            self._child.returncode = 0


def _end(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGINT)
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def remove_cluster(folder: Path) -> None:
    """Delete the cluster that a data folder names, wherever it is; a server that a crash has left on it is stopped."""
    target = folder.resolve()
    if (target / "PG_VERSION").exists() and (found := Cluster(folder).running()):
        found[0].stop()
    if folder.is_symlink():
        folder.unlink()
        if not is_in_new_cluster_path(target):
            return
    if (target / "PG_VERSION").exists():
        shutil.rmtree(target)


def _does_not_start(folder: Path, said: str) -> str:
    return (
        f"The embedded PostgreSQL in {folder} does not start: {said}. "
        "Fix that, or set AGAIN_DATA_DIR or AGAIN_DATABASE_URL."
    )
