"""Run the fast layers on other dates, with every clock moved: Python's, PostgreSQL's and Valkey's."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from tests.dates.library import NoLibrary, moved_clock_library
from tests.dates.moments import GUARD, Moment, moments


def main() -> int:
    """Run all moments, or those whose name has one of the given words; returns the exit code."""
    wanted = sys.argv[1:]
    runs = [each for each in moments(datetime.now(UTC)) if not wanted or any(word in each.name for word in wanted)]
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="again-dates-") as folder:
        try:
            library = moved_clock_library(Path(folder))
        except NoLibrary as why:
            print(f"make test-dates: {why}", file=sys.stderr)
            return 2
        for number, moment in enumerate(runs, start=1):
            print(f"\n[{number}/{len(runs)}] {moment.name}: {moment.begins_at:%A, %d %B %Y, %H:%M:%S %Z}", flush=True)
            started = monotonic()
            passed = _run(moment, library)
            print(
                f"[{number}/{len(runs)}] {'passed' if passed else 'FAILED'} in {monotonic() - started:.0f} s",
                flush=True,
            )
            if not passed:
                failed.append(moment.name)
    if failed:
        print(f"\nmake test-dates: failed on {len(failed)} of {len(runs)} dates: {'; '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _run(moment: Moment, library: Path) -> bool:
    ahead = int((moment.begins_at - datetime.now(UTC)).total_seconds())
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "MOVED_CLOCK_SECONDS": str(ahead),
        "MOVED_CLOCK_BEGINS_AT": str(moment.begins_at.timestamp()),
        "TZ": moment.zone,
    }
    # Enough worker processes to hide each other's waiting on two cores.
    command = (sys.executable, "-m", "pytest", "-q", "-n", "3", "--dist", "worksteal", "-p", "no:cacheprovider")
    return subprocess.run([*command, GUARD, *moment.tests], env=environment, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
