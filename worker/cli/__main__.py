"""`python -m worker.cli` is `again`."""

from __future__ import annotations

from worker.cli import main

main()
