"""`again status`: what is going on, at one glance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from worker.cli import console, words
from worker.cli.options import Json

if TYPE_CHECKING:
    from worker.database.overview import Count, Paid
    from worker.database.watch_models import Stop

# What each count is called, whose age it tells, and what it means; in red when it should be nothing.
ROWS: Mapping[str, tuple[str, str, bool]] = {
    "to_open": ("to open", "periods begun whose charge is not opened yet", False),
    "due": ("due now", "waiting to be claimed", False),
    "deferred": ("waits for the gateway", "nobody's fault; tried again later", False),
    "in_flight": ("in flight", "asked at PortOne, no answer yet", False),
    "abandoned": ("abandoned", "the worker died; reconciliation asks", False),
    "unknown": ("unknown", "outcome open; PortOne is asked again", False),
    "flagged": ("needs a person", "nobody asks or charges any more", True),
    "past_due": ("past due", "declined, on the dunning calendar", False),
    "waiting_for_key": ("waits for a key", "owed; billing key dead or none", True),
    "contradictions": ("contradictions", "PortOne and the books disagree", True),
    "uncollectible": ("uncollectible", "dunning calendar spent", False),
    "void": ("void", "not owed after all", False),
}
LATE = "red"


def status(*, as_json: Json = False) -> None:
    """Show what is due, in flight, unknown, past due, stopped, and when everything was last seen."""
    from schedules.plans import SEOUL
    from worker.cli.database import database
    from worker.database import heartbeats, overview, stops

    with database(as_json=as_json) as runtime:
        now, live = runtime.clock(), runtime.settings.live
        midnight = now.astimezone(SEOUL).replace(hour=0, minute=0, second=0, microsecond=0)
        with runtime.sessions() as session:
            counts = overview.counts(session, now=now)
            paid = overview.paid_since(session, midnight)
            stopped = stops.standing(session)
            seen = heartbeats.last_seen(session)
    parts = {name: seen.get(name) for name in (*_expected_parts(), *sorted(seen))}
    if as_json:
        console.print_json(_document(now, counts, paid, stopped, parts, live=live))
        return
    mode = Text("LIVE", "bold red") if live else Text("sandbox", "green")
    console.output().print(Text.assemble("Again at ", words.local(now, SEOUL), ", ", mode))
    console.head("Charges")
    _print_counts(counts, paid, now)
    console.head("Stopped")
    _print_stops(stopped, now)
    console.head("Last seen")
    console.table("PART", "AGO", rows=[(name, _seen(name, at, now)) for name, at in parts.items()])


def _print_counts(counts: Mapping[str, Count], paid: Paid, now: datetime) -> None:
    rows: list[Sequence[console.Cell]] = []
    for name, (title, meaning, should_be_none) in ROWS.items():
        found = counts[name]
        style = LATE if should_be_none and found.count else ""
        rows.append((Text(title, style), Text(f"{found.count:,}", style), words.age(found.oldest_at, now), meaning))
    rows.append(("paid today", f"{paid.count:,}", "", f"{words.money(paid.amount)} since midnight in Seoul"))
    console.table("", "COUNT", "OLDEST", "", rows=rows, right=("COUNT", "OLDEST"), whole=("COUNT", "OLDEST"))


def _print_stops(stopped: Sequence[Stop], now: datetime) -> None:
    if not stopped:
        console.say("nothing")
        return
    rows = [
        (Text(each.scope, LATE), words.age(each.stopped_at, now), console.plain(each.reason), each.stopped_by)
        for each in stopped
    ]
    console.table("SCOPE", "FOR", "REASON", "BY", rows=rows, whole=("SCOPE", "FOR"))


def _expected_parts() -> Iterator[str]:
    from schedules.beat import beat_table
    from worker.database import heartbeats

    yield heartbeats.BEAT
    yield from (entry.task for entry in beat_table())


def _seen(name: str, at: datetime | None, now: datetime) -> Text:
    """Say when a part was last seen; in red after three of its intervals, when its tick must have been missed."""
    from schedules.beat import beat_table

    if at is None:
        return Text("never", LATE)
    expires = {entry.task: entry.expires for entry in beat_table()}
    patience = expires.get(name, min(expires.values()))
    return Text(words.age(at, now), LATE if now - at > patience else "")


def _document(
    now: datetime,
    counts: Mapping[str, Count],
    paid: Paid,
    stopped: Sequence[Stop],
    parts: Mapping[str, datetime | None],
    *,
    live: bool,
) -> Mapping[str, Any]:
    return {
        "at": now,
        "mode": "live" if live else "sandbox",
        "counts": {
            name: {"count": found.count, "oldest_at": found.oldest_at} for name, found in sorted(counts.items())
        },
        "paid_today": {"count": paid.count, "amount": paid.amount, "currency": "KRW", "since": paid.since},
        "stopped": [
            {
                "scope": each.scope,
                "reason": each.reason,
                "stopped_by": each.stopped_by,
                "stopped_at": each.stopped_at,
            }
            for each in stopped
        ],
        "last_seen": parts,
    }
