"""One `again up` per data folder: the second is refused before it starts anything."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.embedded import NotAvailable, make_private


@contextmanager
def only_one(lock: Path, command: str) -> Iterator[int]:
    """Hold a file for as long as this lasts, and give its descriptor; raises NotAvailable when another holds it.

    The kernel lets go of it when the last process that has the descriptor ends, however it ends. The file stays: to
    remove it would let two hold "it" at once.
    """
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
