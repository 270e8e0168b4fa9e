"""The library that moves the clock of a process: compiled from `moved_clock.c` on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("moved_clock.c")
OPTIONS = ("-shared", "-fPIC", "-O2", "-Wall")
ZIG = "ziglang==0.17.0"
"""A C compiler as a wheel, for machines without one."""


class NoLibrary(RuntimeError):
    """The clock cannot be moved here; the message names the cause and the remedy."""


def moved_clock_library(folder: Path) -> Path:
    """Compile the library into a folder and return its path. Raises NoLibrary."""
    if sys.platform != "linux":
        raise NoLibrary("The clock of a process is moved by LD_PRELOAD, which is Linux's: run `make test-dates` there.")
    made = folder / "moved_clock.so"
    compiler = _compiler()
    command = [*compiler, *OPTIONS, "-o", str(made), str(SOURCE), "-ldl"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        said = (ended.stderr or ended.stdout).strip().splitlines() or ["it said nothing"]
        raise NoLibrary(
            f"There is no C compiler that works: `{' '.join(compiler)}` ended with {ended.returncode}: {said[-1]}. "
            "On Debian: apt-get install gcc libc6-dev"
        )
    # PostgreSQL may run as another user, and has to be able to load it.
    folder.chmod(0o755)
    made.chmod(0o755)
    return made


def _compiler() -> list[str]:
    """Return the command of this machine's compiler, else of the wheel's."""
    found = next(filter(None, (shutil.which(name) for name in ("cc", "gcc", "clang"))), None)
    if found is not None:
        return [found]
    print("There is no C compiler here: taking the one of the wheel `ziglang` (100 MB, once) ...", flush=True)
    uv = Path(sys.executable).with_name("uv")
    os.environ.setdefault("UV_SYSTEM_CERTS", "1")
    return [str(uv), "tool", "run", "--quiet", "--python", sys.executable, "--from", ZIG, "python-zig", "cc"]
