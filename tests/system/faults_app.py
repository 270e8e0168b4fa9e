"""Again's Celery app as the fault runs start it: what a process that died had in hand is free after seconds."""

from __future__ import annotations

from datetime import timedelta

from worker.app import app
from worker.delivery import webhook_sender
from worker.events import drain
from worker.reconciliation import attempts

__all__ = ["app"]

attempts.LOOKUP_LEASE = timedelta(seconds=6)

# As with the real ones: sending, a call and its write-back fit into a lease.
drain.LEASE = timedelta(seconds=12)
drain.SEND_WITHIN = 4.0
webhook_sender.CALL_SECONDS = 5.0
