"""The demo's own folder: made and marked by a demo, and emptied by the next one of nothing but what a demo made."""

from __future__ import annotations

import shutil
from pathlib import Path

from worker.devstack.addresses import NotAvailable, make_private, remove_postgres

MARK = ".made-by-again-demo"

_MADE = (
    "valkey",
    "logs",
    "addresses.json",
    "book.csv",
    "checkout.secret",
    "postgres.lock",
    "postgres.log",
    "postgres.users",
    "sandbox.sqlite",
    "sandbox.sqlite-shm",
    "sandbox.sqlite-wal",
)


def empty_folder(folder: Path) -> None:
    """Make the folder, or take out of it what an earlier demo made. Nothing may run there.

    Raises NotAvailable for a folder that no demo has made: its contents belong to someone else.
    """
    is_new = not folder.is_symlink() and (not folder.exists() or (folder.is_dir() and not any(folder.iterdir())))
    if not is_new and (folder.is_symlink() or not (folder / MARK).is_file()):
        raise NotAvailable(
            f"{folder} was not made by an earlier `again demo`, so it is left alone: move it away, or set "
            "AGAIN_DATA_DIR to another folder."
        )
    make_private(folder)
    (folder / MARK).touch(mode=0o600)
    remove_postgres(folder / "postgres")
    for path in (folder / name for name in _MADE):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
