"""Check of the backlog: whether what is due is charged, opened, looked up and refunded in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.doctor.finding import CheckContext, Finding, ok, warning
from worker.domain.alarm_limits import DUE_LATE, OPENING_LATE, REFUND_LATE, UNKNOWN_LATE
from worker.operations import wait_queries
from worker.operations.wait_queries import Waits

REMEDY = "`again doctor beat worker tasks stops sweeps look-ups` shows what holds it up; then `again status`"


@dataclass(frozen=True, slots=True)
class _Kind:
    """What waits, for how long it may, and how that is said."""

    subject: str
    since: datetime | None
    limit: timedelta
    said: str

    def waited(self, now: datetime) -> timedelta:
        return timedelta(0) if self.since is None else now - self.since


def backlog(context: CheckContext) -> Finding:
    """Report what should have been done by now; of what is stopped, held or behind another charge, nothing is late."""
    now = context.now
    with context.runtime.sessions() as session:
        waits = wait_queries.waits(session, now=now)
    late = [kind for kind in _kinds(waits) if kind.waited(now) > kind.limit]
    if not late:
        return ok("backlog", "what is due is done in time")
    said = "; ".join(f"{kind.said}, for {kind.waited(now) // timedelta(minutes=1):,} min the longest" for kind in late)
    return warning("backlog", said, REMEDY, subjects=[kind.subject for kind in late])


def _kinds(waits: Waits) -> Iterator[_Kind]:
    yield _Kind("to_open", waits.opening_since, OPENING_LATE, "periods have started and have no charge")
    for head in waits.queues:
        yield _Kind(f"due {head.pg}", head.waits_since, DUE_LATE, f"charges through {head.pg} are due and not charged")
    yield _Kind("unknown", waits.unknown_since, UNKNOWN_LATE, "outcomes are unknown")
    yield _Kind("refunding", waits.refunding_since, REFUND_LATE, "refunds are under way")
