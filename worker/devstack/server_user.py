"""Under root: the system user that PostgreSQL runs as, for it refuses to run as root, and where that user can reach it.

Nothing is opened to that user but the data folder, by its group and to pass through. Where it cannot get to, because a
folder above is closed, a place of its own below `/var/lib` is used, and the data folder holds a link to it.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Self

from worker.devstack.private_folders import SERVER_USER, NotAvailable, is_ours

PLACE = Path("/var/lib/again-embedded")
"""Root's, to pass through and not to list: clusters, and PostgreSQL's programs, both for its user to reach."""

_OURS = re.compile(
    r"(up|demo)\.lock|postgres(\.(lock|users|log))?|valkey|logs|demo|addresses\.json|checkout\.secret"
    r"|sandbox\.sqlite.*|book\.csv|\.made-by-again-demo"
)
"""What Again makes in its data folder."""

_SYSTEM_PROGRAMS = "/usr/local/sbin:/usr/sbin:/sbin"
"""Not in every PATH: `su` without a dash keeps the one of an ordinary user."""


@dataclass(frozen=True, slots=True)
class ServerUser:
    """Who a server runs as."""

    uid: int
    gid: int

    @classmethod
    def for_root(cls) -> Self | None:
        """Find PostgreSQL's user, or make it; None unless we are root: other users run it as themselves.

        Raises NotAvailable.
        """
        if os.geteuid() != 0:
            return None
        entry = _find_user() or _make_user()
        if entry.pw_uid == 0:
            raise NotAvailable(f"The system user {SERVER_USER} is root, and PostgreSQL refuses to run as that.")
        return cls(entry.pw_uid, entry.pw_gid)

    def own(self, folder: Path) -> None:
        """Make this user the owner of a folder of ours."""
        os.chown(folder, self.uid, self.gid)

    def let_through(self, folder: Path) -> None:
        """Let this user, and no other, pass through our data folder, and through one that it is in.

        It is one by its name, or because nothing but ours is in it.
        """
        for each in (folder.parent, folder):
            mine = is_ours(each) or (each == folder and all(_OURS.fullmatch(path.name) for path in each.iterdir()))
            if mine and each.stat().st_uid == 0 and not self._may(each, stat.S_IXOTH):
                os.chown(each, -1, self.gid)
                each.chmod(0o710)

    def closed_folder(self, path: Path) -> Path | None:
        """Return the topmost folder above a path that this user cannot pass through."""
        return next((parent for parent in reversed(path.parents) if not self._may(parent, stat.S_IXOTH)), None)

    def can_run(self, programs: Path) -> bool:
        """Return whether this user can reach and run PostgreSQL's programs."""
        program = programs / "postgres"
        return self.closed_folder(program) is None and self._may(program, stat.S_IXOTH | stat.S_IROTH)

    def _may(self, path: Path, right: int) -> bool:
        found = path.stat()
        if found.st_uid == self.uid:
            right <<= 6
        elif found.st_gid == self.gid:
            right <<= 3
        return found.st_mode & right == right


def is_in_new_cluster_path(cluster: Path) -> bool:
    """Return whether a cluster is below root's folder for clusters."""
    return cluster.parent == PLACE


def new_cluster_path() -> Path:
    """Return a new name for a cluster below root's folder for clusters; raises NotAvailable when it cannot be made."""
    _make_place()
    return PLACE / secrets.token_hex(6)


def reachable_programs(programs: Path, version: str) -> Path:
    """Copy PostgreSQL's programs, once per version of the wheel, to where its user can reach them."""
    _make_place()
    package = programs.parent.parent
    copied = PLACE / f"programs-{version}"
    if not copied.exists():
        making = PLACE / f"{copied.name}.{secrets.token_hex(4)}"
        for part in (programs.parent, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, making / part.relative_to(package.parent), symlinks=True)
        _open(making)
        try:
            making.rename(copied)
        except OSError:  # another command was faster
            shutil.rmtree(making)
    return copied / programs.relative_to(package.parent)


def _open(tree: Path) -> None:
    """Let everyone read and run a copy of ours, whatever the original's rights and our umask were."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runs else 0o644)


def _make_place() -> None:
    try:
        PLACE.mkdir(mode=0o711, parents=True, exist_ok=True)
        found = PLACE.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
            raise NotAvailable(
                f"{PLACE} must be a folder that only root can write in: fix its rights, or move it away."
            )
        PLACE.chmod(0o711)
    except OSError as error:
        raise NotAvailable(
            f"Under root, the embedded PostgreSQL runs as the system user {SERVER_USER}, which cannot get to this "
            f"folder, and {PLACE} cannot be made ({error.strerror}): run this as an ordinary user, set AGAIN_DATA_DIR "
            "to a folder that everyone can pass through to, or set AGAIN_DATABASE_URL."
        ) from None


def _find_user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        return None


def _make_user() -> pwd.struct_passwd:
    with _serialized():
        found = _find_user()  # made by another command while this one waited
        said = "" if found else _useradd()
        found = found or _find_user()
    if found is None:
        raise NotAvailable(
            f"PostgreSQL refuses to run as root, and the system user {SERVER_USER} that it would run as cannot be "
            f"made: {said}. Run this as an ordinary user, make a system user {SERVER_USER}, or set AGAIN_DATABASE_URL."
        )
    return found


@contextmanager
def _serialized() -> Iterator[None]:
    """Hold a lock of our own while a user is made.

    Two `useradd` at the same time both succeed, and the second one's number replaces the first one's.
    """
    folder = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
    try:
        flock(folder, LOCK_EX)
        yield
    finally:
        os.close(folder)


def _useradd() -> str:
    """Make the system user; return what kept it from being made, if anything."""
    program = shutil.which("useradd") or shutil.which("useradd", path=_SYSTEM_PROGRAMS)
    if program is None:
        return "there is no useradd on this machine"
    words = ("--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent")
    made = subprocess.run(  # noqa: S603 - the system's own
        [program, *words, "--shell", "/usr/sbin/nologin", SERVER_USER], capture_output=True, text=True, check=False
    )
    return made.stderr.strip() or f"useradd ended with {made.returncode}"
