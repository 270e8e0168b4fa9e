"""Detects another server that charges with our prefix: a running copy of this database, or its old primary. Pure."""

from __future__ import annotations

from datetime import datetime

from worker.domain.attempt import Attempt
from worker.domain.states import AttemptStatus, Via

STOPPED_BY_OTHER_SERVER = "another server"
"""Value of `stops.stopped_by` when a first send was rejected as already paid."""


def was_paid_by_another(attempt: Attempt, status: AttemptStatus, paid_at: datetime | None) -> bool:
    """Return whether an attempt that we have sent once was paid before that.

    PortOne rejected our first request, and shows a payment of earlier under the same merchant_uid, for which no window
    was ever opened here. Only another server with the same records derives the same merchant_uids.
    """
    return (
        status is AttemptStatus.PAID
        and attempt.via is Via.AGAIN
        and attempt.sends == 1
        and attempt.payable_until is None
        and attempt.refusal is not None
        and paid_at is not None
        and paid_at < attempt.started_at
    )


def reason_of_stop(merchant_uid: str, paid_at: datetime) -> str:
    """Return why everything is stopped, and what to do."""
    return (
        f"another server charges with this prefix: {merchant_uid} was paid at {paid_at:%Y-%m-%d %H:%M:%S} UTC, before "
        "it was sent from here for the first time. Look for a copy of this database, or its former primary, that has "
        "workers of its own, or for a restored snapshot; end it, run `again sweep --restored`, then "
        "`again start`"
    )
