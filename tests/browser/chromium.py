"""A Chromium for the tests: this machine's, else Debian's, else Playwright's own. Never none without a word."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
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
)


class NoBrowser(RuntimeError):
    """No Chromium can be had here; the message says what was tried."""


def arguments() -> list[str]:
    """Give the command line; root cannot have the sandbox, and containers run as root."""
    return [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]


def chromium() -> Path | None:
    """Find or install a browser; None stands for Playwright's own. Raises NoBrowser."""
    if found := _installed():
        return found
    tried = []
    if shutil.which("apt-get") and os.geteuid() == 0:
        tried.append(_run("apt-get", "update", "--quiet"))
        tried.append(_run("apt-get", "install", "--quiet", "--yes", "--no-install-recommends", "chromium", *_FONTS))
        if found := _installed():
            return found
    tried.append(_run(sys.executable, "-m", "playwright", "install", "chromium"))
    if tried[-1].startswith("ok"):
        return None
    raise NoBrowser("No Chromium can be had. Tried: " + "; ".join(tried))


_FONTS = ("fonts-nanum",)
"""Korean letters are boxes without one; nothing depends on it but screenshots."""


def _installed() -> Path | None:
    return next((Path(found) for name in NAMES if (found := shutil.which(name))), None)


def _run(*command: str) -> str:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ("-o", "DPkg::Lock::Timeout=120") if command[0] == "apt-get" else ()
    try:
        ended = subprocess.run(
            [command[0], *options, *command[1:]],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MINUTES * 60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"`{' '.join(command)}` did not end in {MINUTES} minutes"
    last = (ended.stderr or ended.stdout).strip().splitlines()[-1:]
    return f"ok `{' '.join(command)}`" if ended.returncode == 0 else f"`{' '.join(command)}`: {' '.join(last)}"
