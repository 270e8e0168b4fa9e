"""A Chromium for the tests: this machine's, else Debian's, else Playwright's own. Never none without a word."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
FONTS = "fonts-nanum"  # without one Korean letters are boxes, which pictures would show
MINUTES = 10

ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Otherwise it calls home at every start, which a closed network answers with refusals.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",  # containers have little of it
    "--renderer-process-limit=1",  # one test looks at a page or two, and a process for each costs a fifth of a second
)

Say = Callable[[str], None]


class NoBrowser(RuntimeError):
    """No Chromium can be had here; the message says what was tried."""


def arguments() -> list[str]:
    """Give the command line; root cannot have the sandbox, and containers run as root."""
    return [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]


def chromium(say: Say) -> Path | None:
    """Find or install a browser, telling what is done; None stands for Playwright's own. Raises NoBrowser.

    Of processes that begin at once one installs, and the others wait for it.
    """
    with _alone():
        tried: list[str] = []
        found = _installed()
        if _may_install() and (missing := [*([] if found else ["chromium"]), *([] if shows_korean() else [FONTS])]):
            say(f"Installing {' and '.join(missing)} with apt-get; a minute or two ...")
            tried += [_run("apt-get", "update", "--quiet")]
            tried += [_run("apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *missing)]
            say("; ".join(tried))
            found = found or _installed()
        if found:
            return found
        say("No Chromium is installed here: taking Playwright's own (a download, unless it was made before) ...")
        tried += [_run(sys.executable, "-m", "playwright", "install", "chromium")]
        say(tried[-1])
    if tried[-1].startswith("ok"):
        return None
    raise NoBrowser("No Chromium can be had. Tried: " + "; ".join(tried))


def shows_korean() -> bool:
    """Say whether there is a font with Korean letters."""
    listing = shutil.which("fc-list")
    return listing is not None and bool(subprocess.run([listing, ":lang=ko"], capture_output=True, check=False).stdout)


def _installed() -> Path | None:
    """Find a browser that starts: Ubuntu's of that name only says how to get another."""
    paths = (Path(found) for name in NAMES if (found := shutil.which(name)))
    return next((path for path in paths if _run(str(path), "--version").startswith("ok")), None)


def _may_install() -> bool:
    return shutil.which("apt-get") is not None and os.geteuid() == 0


@contextmanager
def _alone() -> Iterator[None]:
    path = Path(tempfile.gettempdir()) / f"again-tests-chromium-{os.geteuid()}.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(*command: str) -> str:
    """Run a command without questions, and say how it ended. dpkg wants the administrator's programs in PATH."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
    options = ("-o", "DPkg::Lock::Timeout=120") if command[0] == "apt-get" else ()
    try:
        ended = subprocess.run(
            [command[0], *options, *command[1:]],
            env={**os.environ, "PATH": path, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MINUTES * 60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"`{' '.join(command)}` did not end in {MINUTES} minutes"
    if ended.returncode == 0:
        return f"ok `{' '.join(command)}`"
    lines = (ended.stderr or ended.stdout).strip().splitlines() or ["it said nothing"]
    return f"`{' '.join(command)}`: {next((line for line in lines if 'rror' in line), lines[-1]).strip()}"
