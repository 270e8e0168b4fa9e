"""Charges that are given up become what their plan says: uncollectible, or void."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.orm import Session

from schedules.end_of_dunning import GivenUpAs
from worker.ledger.voiding import void
from worker.ledger.writing_off import write_off


def give_up(session: Session, charge_ids: Collection[int], given_up: GivenUpAs, *, reason: str, now: datetime) -> int:
    """Make charges that are due or past due what their plan says of those that are given up; return how many."""
    if given_up is GivenUpAs.VOID:
        return len(void(session, charge_ids, reason=reason, now=now))
    return len(write_off(session, charge_ids, reason=reason, now=now))
