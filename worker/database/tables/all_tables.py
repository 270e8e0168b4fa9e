"""Every table, whichever module defines it: for migrations, and for tests that compare or empty them."""

from __future__ import annotations

from worker.database.tables import (
    alerts,
    billing,
    bulk,
    changes,
    charges,
    checkout,
    events,
    notices,
    operations,
    pricing,
    refunds,
    totals,
)
from worker.database.tables.base import Base

__all__ = [
    "alerts",
    "billing",
    "bulk",
    "changes",
    "charges",
    "checkout",
    "events",
    "metadata",
    "notices",
    "operations",
    "pricing",
    "refunds",
    "totals",
]

metadata = Base.metadata
