"""What it costs to start, and to wait for work (`startup.py`)."""

from __future__ import annotations

from tests.bench.figures import AT_MOST, Figure, Measured
from tests.bench.servers import Bench
from tests.bench.startup import measure_startup

TITLE = "Start-up"

AIMS = {
    "import_cpu_s": ("CPU of `import worker.app`", "s", 0.6),
    "status_cpu_s": ("CPU of `again status`", "s", 0.7),
    "pss_at_start_mib": ("memory of an idle worker of three", "MiB", 150.0),
    "pss_after_ticks_mib": ("memory of it after each tick has run several times", "MiB", 150.0),
}
"""What each measured value is called, its unit, and the most that it may be."""


def measure(bench: Bench) -> Measured:
    """Measure on servers of its own: the broker must have no other messages."""
    measured = measure_startup()
    return Measured(
        figures=tuple(
            Figure(name=name, value=measured[key], unit=unit, aim=aim, bound=AT_MOST)
            for key, (name, unit, aim) in AIMS.items()
        )
    )
