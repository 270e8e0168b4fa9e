"""Where PostgreSQL's socket is: in the cluster's own folder, or in a private one with a shorter path."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

from worker.devstack.postmaster import SOCKET
from worker.devstack.private_folders import NotAvailable, user_name
from worker.devstack.server_user import ServerUser

LONGEST = 103
"""Bytes of a socket's path that every system takes; Linux takes four more."""

_PLAIN = re.compile(r"[A-Za-z0-9/._~@-]+")
"""Of such a path neither an address nor PostgreSQL's list of folders makes anything else."""


def socket_folder(cluster: Path, user: ServerUser | None) -> Path:
    """Return a folder that only the server's user can enter; it is created unless it is the cluster's own.

    Raises NotAvailable where there is none: better none than one that others can reach, for a user who reaches the
    socket is the database's superuser.
    """
    if _fits(cluster):
        return cluster
    name = f"again-{os.geteuid()}-{hashlib.sha256(os.fsencode(cluster)).hexdigest()[:12]}"
    for place in dict.fromkeys((Path(tempfile.gettempdir()).resolve(), Path("/tmp"))):  # noqa: S108 - private in it
        folder = place / name
        if _fits(folder) and (user is None or not user.closed_folder(folder)):
            _make(folder, user)
            return folder
    raise NotAvailable(
        f"The path of {cluster} is too long for a socket, and so is that of the temporary folder: "
        "set AGAIN_DATA_DIR to a shorter one."
    )


def is_private(folder: Path, uid: int) -> bool:
    """Return whether only this user and root can enter a folder."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and not found.st_mode & 0o077


def _make(folder: Path, user: ServerUser | None) -> None:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        if user is not None:
            user.own(folder)
    uid = os.geteuid() if user is None else user.uid
    if not is_private(folder, uid):
        raise NotAvailable(
            f"{folder} is to hold PostgreSQL's socket, but is no folder of {user_name(uid)}'s alone: remove it, or set "
            "AGAIN_DATA_DIR to a shorter path."
        )


def _fits(folder: Path) -> bool:
    socket = str(folder / SOCKET)
    return _PLAIN.fullmatch(socket) is not None and len(socket) <= LONGEST
