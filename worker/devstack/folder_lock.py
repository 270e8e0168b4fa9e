"""Who uses a folder, told by the kernel: it lets go of a lock when its last holder ends, however that ends.

The files of locks stay where they are: to remove one would let two hold "it" at once.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from worker.devstack.private_folders import NotAvailable, make_private


@contextmanager
def exclusive(lock: Path, command: str) -> Iterator[int]:
    """Hold a file for as long as this lasts, and give its descriptor; raises NotAvailable when another holds it."""
    make_private(lock.parent)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            raise NotAvailable(
                f"`{command}` runs in this folder already (pid {holder}): end it, or set AGAIN_DATA_DIR."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def serialized(lock: Path, *, patience: float = 120.0) -> Iterator[None]:
    """Start or stop a server while no other process does; raises NotAvailable when another takes too long."""
    deadline = monotonic() + patience
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if monotonic() > deadline:
                    raise NotAvailable(
                        f"Another command starts or stops the server of {lock}, for {patience:g} s now: end it."
                    ) from None
                sleep(0.02)
        yield
    finally:
        os.close(descriptor)


class SharedUse:
    """One of the users of a server. Make it, and leave it, only in `serialized`."""

    def __init__(self, file: Path) -> None:
        self._descriptor: int | None = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    @property
    def is_held(self) -> bool:
        return self._descriptor is not None

    def release_as_last_user(self) -> bool:
        """Stop being a user; True when there is no other one."""
        assert self._descriptor is not None
        descriptor, self._descriptor = self._descriptor, None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a fork of this process may have the descriptor too
            os.close(descriptor)
