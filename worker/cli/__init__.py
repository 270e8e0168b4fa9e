"""The `again` command: one module per noun, each with its commands; what they do is done by the use cases.

It ends with 0 when it did what was asked; 1 when the answer is no (refused, not found, not confirmed); 2 when the
command line is wrong; 3 when the settings are; 4 when the database or another server does not answer; 5 when the
database is not migrated. `worker.cli.exits` has the table.
"""

from __future__ import annotations

import gc
import io
import sys

GC_ALLOCATIONS = 200_000
"""Objects between two looks of the garbage collector: what a command imports stays to its end."""


def main() -> None:
    """Run the command line of this process."""
    gc.set_threshold(GC_ALLOCATIONS, 10, 10)
    from worker.cli.commands import app

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Korean shows codes, not a traceback
    app()
