"""`again status --json`: what is known about everything, as one document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from worker.database.tables.operations import Stop, Sweep, Violation
    from worker.events.lag_queries import RelayLag
    from worker.ledger.channel_stops import BlamedSubscription
    from worker.ledger.subscription_holds import HeldSubscription
    from worker.operations.count_queries import Count
    from worker.operations.explain_hold import HoldExplanation
    from worker.operations.status_queries import PaidTotal, WebhookCounts


@dataclass(frozen=True, slots=True)
class StatusDetails:
    """What blocks charging, and what checks our records: stops, holds, sweeps and violated invariants."""

    stopped: Sequence[Stop]
    held: Sequence[HeldSubscription]  # subscriptions
    blamed: Sequence[BlamedSubscription]  # subscriptions whose refusals blame the configuration, while others are paid
    holding: Sweep | None
    daily: Sweep | None
    violations: Sequence[Violation]
    failing: Sweep | None  # whose list at PortOne cannot be read
    relay: RelayLag


def document(
    now: datetime,
    counts: Mapping[str, Count],
    paid: PaidTotal,
    heard: WebhookCounts,
    details: StatusDetails,
    parts: Mapping[str, datetime | None],
    *,
    live: bool,
    waiting: HoldExplanation | None,
) -> Mapping[str, Any]:
    """Return everything under the names that scripts rely on."""
    return {
        "at": now,
        "mode": "live" if live else "sandbox",
        "counts": {
            name: {"count": found.count, "oldest_at": found.oldest_at} for name, found in sorted(counts.items())
        },
        "paid_today": {
            "count": paid.count,
            "amount": paid.amount,
            "refunded": paid.refunded,
            "count_elsewhere": paid.elsewhere,
            "amount_elsewhere": paid.amount_elsewhere,
            "currency": "KRW",
            "since": paid.since,
        },
        "stopped": [
            {
                "scope": each.scope,
                "reason": each.reason,
                "stopped_by": each.stopped_by,
                "stopped_at": each.stopped_at,
            }
            for each in details.stopped
        ],
        "held_subscriptions": {
            "count": details.held[0].held if details.held else 0,
            "longest": [
                {"subscription": each.code, "reason": each.reason, "held_by": each.held_by, "held_at": each.held_at}
                for each in details.held
            ],
        },
        "refused_by_configuration": [{"pg": each.pg, "subscription": each.code} for each in details.blamed],
        "held": _held(details.holding, waiting),
        "last_daily_sweep": _sweep(details.daily),
        "failing_sweep": _sweep(details.failing),
        "violations": [
            {
                "name": each.name,
                "count": each.count,
                "examples": each.examples,
                "since": each.since,
                "checked_at": each.checked_at,
            }
            for each in details.violations
        ],
        "webhooks": {
            "count": heard.count,
            "unknown": heard.unknown,
            "waiting": heard.waiting,
            "since": heard.since,
        },
        "events": {
            "unpublished": details.relay.unpublished,
            "oldest_at": details.relay.oldest_at,
            "destinations": [asdict(each) for each in details.relay.destinations],
        },
        "last_seen": parts,
    }


def _held(sweep: Sweep | None, waiting: HoldExplanation | None) -> Mapping[str, Any] | None:
    held = _sweep(sweep)
    if held is None or waiting is None:
        return held
    return {**held, "waits": waiting.reason, "remedy": waiting.remedy, "broken": waiting.broken}


def _sweep(sweep: Sweep | None) -> Mapping[str, Any] | None:
    if sweep is None:
        return None
    names = (
        "reason",
        "started_at",
        "finished_at",
        "position",
        "until",
        "payments",
        "not_ours",
        "repaired",
        "found",
        "failing_since",
        "failure",
    )
    return {name: getattr(sweep, name) for name in names}
