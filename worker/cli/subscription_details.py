"""One subscription with its periods, its charges and its history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from schedules.periods import period_starting
from worker.cli import console, formats
from worker.cli.audit import print_audit
from worker.cli.charge import print_charges
from worker.database.mapping import plan_of

SHOWN_PERIODS = 3


def upcoming_periods(plan_row: Any, shown: Mapping[str, Any]) -> list[Mapping[str, datetime]]:
    """List the next periods that will be charged; none while nothing falls due."""
    plan = plan_of(plan_row)
    start: datetime | None = shown["next_charge_at"]
    periods: list[Mapping[str, datetime]] = []
    while start is not None and len(periods) < SHOWN_PERIODS:
        period = period_starting(plan, shown["anchor_on"], start)
        periods.append({"start": period.start, "end": period.end})
        start = period.end
    return periods


def print_subscription(
    shown: Mapping[str, Any],
    upcoming: Sequence[Mapping[str, datetime]],
    charges: Sequence[Mapping[str, Any]],
    audit: Sequence[Mapping[str, Any]],
) -> None:
    at = formats.in_zone(shown["time_zone"])
    current = shown["current_period_start"]
    console.details(
        {
            "subscription": shown["code"],
            "customer": shown["customer_reference"],
            "plan": shown["plan"],
            "key": _key(shown),
            "status": f"{shown['status']} since {at(shown['status_at'])} ({shown['status_reason']})",
            "anchor": str(shown["anchor_on"]),
            "current period": f"{at(current)} to {at(shown['current_period_end'])}" if current else None,
            "paid until": at(shown["paid_until"]) if shown["paid_until"] else "nothing is paid",
            "waits": _waits(shown, at),
            "next periods": "\n".join(f"{at(each['start'])} to {at(each['end'])}" for each in upcoming) or "none",
        }
    )
    if charges:
        console.head("Charges, the newest first")
        print_charges(charges)
    console.head("History")
    print_audit(audit, shown["time_zone"])


def _waits(shown: Mapping[str, Any], at: Callable[[datetime], str]) -> str | None:
    """Return why its periods pass uncharged, and what ends that; None while they are charged."""
    if shown["waiting_since"] is None:
        return None
    return (
        f"since {at(shown['waiting_since'])}, with {shown['max_open_charges']:,} charges unpaid as its plan allows: "
        "periods that begin until one is paid, or the billing key is replaced, are not owed"
    )


def _key(shown: Mapping[str, Any]) -> str:
    if shown["key_id"] is None:
        return "none; it waits for one"
    label = f"{shown['key_label']} " if shown["key_label"] else ""
    return f"{shown['key_id']} {label}({shown['pg']}, {shown['customer_uid']}, {shown['key_status']})"
