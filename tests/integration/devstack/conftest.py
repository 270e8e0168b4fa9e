"""Data folders in every state that a crash, an operator or another user leaves them in."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a server as another user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that everyone can pass through, PostgreSQL's user under root too."""
    with tempfile.TemporaryDirectory(prefix="again-embedded-") as name:
        Path(name).chmod(0o711)
        yield Path(name).resolve()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with us."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()
