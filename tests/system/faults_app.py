"""Again's Celery app as the fault runs start it: a reconciler that dies gives its look-ups back after seconds."""

from __future__ import annotations

from datetime import timedelta

from worker import reconciliation
from worker.app import app

__all__ = ["app"]

reconciliation.HOLD = timedelta(seconds=6)
