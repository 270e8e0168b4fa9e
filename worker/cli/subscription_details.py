"""One subscription with its periods, its charges and its history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from worker.cli import console, formats
from worker.cli.audit import print_audit
from worker.cli.charge import print_charges
from worker.domain.pricing.adjustments import AdjustmentKind


def print_subscription(
    shown: Mapping[str, Any],
    upcoming: Sequence[Mapping[str, Any]],
    charges: Sequence[Mapping[str, Any]],
    audit: Sequence[Mapping[str, Any]],
) -> None:
    at = formats.in_zone(shown["time_zone"])
    current = shown["current_period_start"]
    console.details(
        {
            "subscription": shown["code"],
            "customer": shown["customer_reference"],
            "plan": _plan(shown),
            "next charges": "\n".join(map(_adjustment, shown["adjustments"])) or None,
            "key": _key(shown),
            "status": f"{shown['status']} since {at(shown['status_at'])} ({shown['status_reason']})",
            "anchor": str(shown["anchor_on"]),
            "current period": f"{at(current)} to {at(shown['current_period_end'])}" if current else None,
            "paid until": at(shown["paid_until"]) if shown["paid_until"] else "nothing is paid",
            "access until": at(shown["access_until"]) if shown["access_until"] else None,
            "waits": _waits(shown, at),
            "stopped": "\n".join(formats.stopped(**each, zone=shown["time_zone"]) for each in shown["stopped"]) or None,
            "next periods": "\n".join(
                f"{at(each['start'])} to {at(each['end'])}: "
                + (formats.money(each["amount"]) if each["owed"] else "not owed")
                for each in upcoming
            )
            or "none",
        }
    )
    if charges:
        console.head("Charges, the newest first")
        print_charges(charges)
    console.head("History")
    print_audit(audit, shown["time_zone"])


def print_changes(changes: Sequence[Mapping[str, Any]]) -> None:
    """Print the newest changes of a subscription, those to come included."""
    if not changes:
        return
    console.head("Changes, the newest first")
    console.table(
        "ID",
        "KIND",
        "STATUS",
        "TAKES EFFECT",
        "WHAT",
        rows=[
            (
                str(row["id"]),
                formats.spaced(row["kind"]),
                row["status"] if row["waits_for"] is None else f"waits for {row['waits_for']}",
                formats.local(row["effective_at"], row["time_zone"]),
                row["preview"]["sentence"]["en"],
            )
            for row in changes
        ],
        right=("ID",),
        whole=("ID", "KIND", "STATUS", "TAKES EFFECT"),
    )


def _plan(shown: Mapping[str, Any]) -> str:
    """Return the plan, how many of it, and what that comes to for a whole period."""
    times = "" if shown["quantity"] == 1 else f" x {shown['quantity']:,}"
    version = "" if shown["price_version"] == 1 else f", price version {shown['price_version']}"
    return f"{shown['plan']}{times}, {formats.money(shown['amount'])} each period{version}"


def _adjustment(each: Mapping[str, Any]) -> str:
    """Return what the next charges differ by, as `12 first year: discount of 50 %, 3 more periods`."""
    named = f"{each['id']} {each['description']}"
    if each["kind"] == AdjustmentKind.DISCOUNT:
        off = f"{each['percent']} %" if each["percent"] is not None else formats.money(each["amount"])
        left = each["periods_left"]
        how_long = "for ever" if left is None else f"{formats.counted(left, 'more period')}"
        return f"{named}: discount of {off}, {how_long}"
    if each["kind"] == AdjustmentKind.CREDIT:
        return f"{named}: credit, {formats.money(each['left'])} left"
    return f"{named}: {formats.money(each['amount'])} with the next charge"


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
