"""Again's Celery app as the fault runs start it: a reconciler that dies gives its look-ups back after seconds."""

from __future__ import annotations

from datetime import timedelta

from worker.app import app
from worker.reconciliation import attempts

__all__ = ["app"]

attempts.LOOKUP_LEASE = timedelta(seconds=6)
