"""Private folders: created for their owner only, and checked before they are used.

The rights of a folder made by another program are never widened, and narrowed only if its name says that it is ours.
"""

from __future__ import annotations

import os
import pwd
import stat
import tempfile
from pathlib import Path

OURS = ".again"
"""The data folder's usual name. What bears it, or stands in it, is made private though it exists already."""

SERVER_USER = "pgserver"
"""PostgreSQL's system user under root; it passes through our data folder by the group, see `server_user`."""


class NotAvailable(RuntimeError):
    """There is no server to talk to, and none may be started."""


def make_private(folder: Path) -> None:
    """Make a folder for its owner only, or see that the one there can be trusted; raises NotAvailable otherwise.

    An existing folder that is not `.again`, or in it, keeps its rights, for it may hold more than ours: what Again
    writes there is private by itself. But it must belong to us or to root, and not everyone may write in it.
    """
    if folder.parent.name == OURS:
        make_private(folder.parent)  # or it would be made with the rights of any folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_trusted(folder, folder.stat())
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise NotAvailable(
            f"The data folder {folder} cannot be used: {error.strerror}. Fix that, or set AGAIN_DATA_DIR to another."
        ) from None


def _require_trusted(folder: Path, found: os.stat_result) -> None:
    if found.st_uid not in (os.geteuid(), 0):
        raise NotAvailable(
            f"The data folder {folder} belongs to the user {user_name(found.st_uid)}: run this as that user, or set "
            "AGAIN_DATA_DIR to another."
        )
    if is_ours(folder) and found.st_uid == os.geteuid():
        kept = 0o710 if _is_server_users(found.st_gid) else 0o700
        if stat.S_IMODE(found.st_mode) & ~kept:
            folder.chmod(stat.S_IMODE(found.st_mode) & kept)
    elif found.st_mode & stat.S_IWOTH:
        # In one such as /tmp too: what others have put there before us would be taken for ours.
        raise NotAvailable(
            f"Everyone may write in the data folder {folder}: set AGAIN_DATA_DIR to a folder in it, or to another."
        )


def is_ours(folder: Path) -> bool:
    """Return whether a folder is a data folder, or in one, by its name: then its rights are ours to set."""
    folder = folder.resolve()
    return OURS in (folder.name, folder.parent.name)


def _is_server_users(gid: int) -> bool:
    try:
        return os.geteuid() == 0 and pwd.getpwnam(SERVER_USER).pw_gid == gid
    except KeyError:
        return False


def user_name(uid: int) -> str:
    """Return a user's name, or the number of one without a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
