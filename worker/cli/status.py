"""`again status`: what is going on, at one glance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.text import Text

from worker.cli import console, formats
from worker.cli.options import Json
from worker.cli.status_events import print_events
from worker.cli.status_json import StatusDetails, document
from worker.config.terminal import plain

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from worker.database.tables.operations import Sweep, Violation
    from worker.ledger.channel_stops import BlamedSubscription
    from worker.ledger.subscription_holds import HeldSubscription
    from worker.operations.count_queries import Count
    from worker.operations.explain_hold import HoldExplanation
    from worker.operations.status_queries import PaidTotal, WebhookCounts

# What each count is called, whose age it tells, and what it means; in red when it should be nothing.
ROWS: Mapping[str, tuple[str, str, bool]] = {
    "to_open": ("to open", "periods that have started, charge not opened yet", False),
    "due": ("due now", "waiting to be claimed", False),
    "deferred": ("waits for the gateway", "deferred by the gateway; will be retried", False),
    "month_quota": ("waits for next month", "monthly charge quota of the key is used up", False),
    "in_flight": ("in flight", "sent to PortOne, no answer yet", False),
    "abandoned": ("abandoned", "its worker died; will be looked up", False),
    "unknown": ("unknown", "outcome unknown; will be looked up", False),
    "failing": ("cannot be looked up", "look-ups at PortOne fail; `again doctor`", True),
    "needs_person": ("needs a decision", "`again review list`", True),
    "past_due": ("past due", "declined; on the dunning calendar", False),
    "waiting_for_key": ("waits for a key", "owed; no active billing key", True),
    "waiting_for_consent": ("waits for consent", "customer did not agree when the key was replaced", True),
    "held_by_gate": ("held by the gate", "a consent or a message is missing; `again charge list`", True),
    "charged_despite_gate": ("lacked a consent", "or a message, in the last 30 days, and were charged", True),
    "waiting_for_payment": ("waits for payment", "subscriptions with too many unpaid charges", True),
    "uncollectible": ("uncollectible", "given up: dunning calendar exhausted, or written off", False),
    "void": ("void", "not owed", False),
    "refunding": ("refunds under way", "sent or about to be, or looked up", False),
    "waiting_for_approval": ("wait for approval", "refunds; `again change list --status scheduled`", True),
}
LATE = "red"

SOON = timedelta(seconds=30)
"""A part that was seen within this is not late, however often it should be."""


def status(*, as_json: Json = False) -> None:
    """Show what is due, in flight, unknown, past due, stopped, held or violated, and when each part was last seen."""
    from schedules.plans import SEOUL
    from worker.cli.context import command_runtime
    from worker.database import heartbeats
    from worker.operations import count_queries, status_queries
    from worker.operations.explain_hold import explain_hold

    with command_runtime(as_json=as_json) as runtime:
        now, live = runtime.clock(), runtime.settings.live
        quiet_period = runtime.settings.quiet_period
        midnight = now.astimezone(SEOUL).replace(hour=0, minute=0, second=0, microsecond=0)
        with runtime.sessions() as session:
            counts = count_queries.counts(session, now=now)
            paid = status_queries.paid_since(session, midnight)
            details = _details(session)
            heard = status_queries.webhooks_since(session, midnight)
            seen = heartbeats.last_seen(session)
    holding = details.holding
    waiting = None if holding is None else explain_hold(holding, now=now, quiet_period=quiet_period)
    parts = {name: seen.get(name) for name in _expected_parts()}
    if as_json:
        console.print_json(document(now, counts, paid, heard, details, parts, live=live, waiting=waiting))
        return
    mode = Text("LIVE", "bold red") if live else Text("sandbox", "green")
    console.output().print(Text.assemble("Again at ", formats.local(now, SEOUL), ", ", mode))
    console.head("Charges")
    _print_counts(counts, paid, details, now)
    console.head("Stopped")
    _print_stops(details, waiting, now)
    if details.violations:
        console.head("Violated")
        _print_violations(details.violations, now)
    console.head("Compared with PortOne")
    console.say(_last_compared(details.daily))
    if details.failing is not None:
        console.output().print(Text(_failing(details.failing), LATE))
    console.head("Webhooks")
    console.say(_heard(heard))
    console.head("Events")
    print_events(details.relay, now)
    console.head("Last seen")
    console.table("PART", "AGO", rows=[(name, _seen(name, at, now)) for name, at in parts.items()])


def _details(session: Session) -> StatusDetails:
    from worker.events import lag_queries
    from worker.ledger import channel_stops, stops, subscription_holds
    from worker.operations import invariant_results, status_queries

    return StatusDetails(
        stops.active_stops(session),
        subscription_holds.held(session),
        channel_stops.blamed(session),
        status_queries.holding_sweep(session),
        status_queries.last_daily_sweep(session),
        invariant_results.recorded(session),
        status_queries.failing_sweep(session),
        relay=lag_queries.relay_lag(session),
    )


def _print_counts(counts: Mapping[str, Count], paid: PaidTotal, details: StatusDetails, now: datetime) -> None:
    rows: list[Sequence[console.Cell]] = []
    for name, (title, meaning, should_be_none) in ROWS.items():
        found = counts[name]
        style = LATE if should_be_none and found.count else ""
        rows.append((Text(title, style), Text(f"{found.count:,}", style), formats.age(found.oldest_at, now), meaning))
    rows.append(_violations_row(details.violations, now))
    back = f", {formats.money(paid.refunded)} of it refunded" if paid.refunded else ""
    rows.append(("paid today", f"{paid.count:,}", "", f"{formats.money(paid.amount)} since midnight in Seoul{back}"))
    if paid.elsewhere:
        amount = formats.money(paid.amount_elsewhere)
        rows.append(("paid elsewhere", f"{paid.elsewhere:,}", "", f"{amount} since then, not through PortOne"))
    console.table("", "COUNT", "OLDEST", "", rows=rows, right=("COUNT", "OLDEST"), whole=("COUNT", "OLDEST"))


def _violations_row(violated: Sequence[Violation], now: datetime) -> Sequence[console.Cell]:
    style = LATE if violated else ""
    oldest = formats.age(violated[0].since if violated else None, now)
    meaning = "invariants that do not hold; `again doctor`"
    return Text("violations", style), Text(f"{len(violated):,}", style), oldest, meaning


def _print_stops(details: StatusDetails, waiting: HoldExplanation | None, now: datetime) -> None:
    stopped = details.stopped
    if details.held:
        _print_held(details.held, now)
    _print_blamed(details.blamed)
    if (held := details.holding) is not None:
        console.output().print(Text(_held(held), LATE))
        assert waiting is not None
        console.output().print(Text(f"it waits: {waiting.reason}; {waiting.remedy}"))
    if not stopped:
        console.say("nothing" if held is None and not details.held else "nothing else")
        return
    rows = [
        (Text(each.scope, LATE), formats.age(each.stopped_at, now), plain(each.reason), each.stopped_by)
        for each in stopped
    ]
    console.table("SCOPE", "FOR", "REASON", "BY", rows=rows, whole=("SCOPE", "FOR"))


def _print_held(held: Sequence[HeldSubscription], now: datetime) -> None:
    rows = [(Text(each.code, LATE), formats.age(each.held_at, now), plain(each.reason), each.held_by) for each in held]
    console.table("SUBSCRIPTION", "FOR", "REASON", "BY", rows=rows, whole=("SUBSCRIPTION", "FOR"))
    if (more := held[0].held - len(held)) > 0:
        console.say(f"... and {more:,} more")


def _print_blamed(blamed: Sequence[BlamedSubscription]) -> None:
    """Name the first customer of each PG whose refusals blame the configuration while others are paid."""
    for first in {each.pg: each for each in reversed(blamed)}.values():
        more = f" and {first.customers - 1:,} more" if first.customers > 1 else ""
        console.say(
            f"{first.pg}: {first.code}{more} refused because of the configuration, while others are paid; "
            "will be retried"
        )


def _held(sweep: Sweep) -> str:
    from schedules.plans import SEOUL

    return (
        f"held: comparing with PortOne since {formats.local(sweep.started_at, SEOUL)}, at "
        f"{formats.local(sweep.position, SEOUL)}, {sweep.payments:,} payments compared ({sweep.reason})"
    )


def _last_compared(daily: Sweep | None) -> str:
    from schedules.plans import SEOUL

    if daily is None:
        return "never completed"
    return (
        f"{formats.local(daily.finished_at, SEOUL)}: {daily.payments:,} payments, {daily.not_ours:,} of them not ours;"
        f" {daily.repaired:,} repaired, {daily.found:,} left to decide"
    )


def _failing(sweep: Sweep) -> str:
    from schedules.plans import SEOUL

    since = formats.local(sweep.failing_since, SEOUL)
    return f"PortOne's list cannot be read since {since} ({plain(sweep.failure or '')}); `again doctor sweeps`"


def _heard(heard: WebhookCounts) -> str:
    strangers = f"{heard.unknown:,} of them of unknown payments"
    return f"{heard.count:,} since midnight in Seoul, {strangers}; {heard.waiting:,} waiting for a look at PortOne"


def _print_violations(violated: Sequence[Violation], now: datetime) -> None:
    rows = [
        (Text(each.name, LATE), f"{each.count:,}", formats.age(each.since, now), each.examples) for each in violated
    ]
    console.table("INVARIANT", "COUNT", "FOR", "EXAMPLES", rows=rows, right=("COUNT", "FOR"), whole=("COUNT", "FOR"))


def _expected_parts() -> Iterator[str]:
    from schedules.beat import beat_table
    from worker.database import heartbeats

    yield heartbeats.BEAT
    yield from (entry.task for entry in beat_table())


def _seen(name: str, at: datetime | None, now: datetime) -> Text:
    """Return when a part was last seen; in red after three of its intervals, when its tick must have been missed.

    A tick of every second may wait for a moment while every worker process is busy.
    """
    from schedules.beat import KEPT_TICKS, beat_table

    if at is None:
        return Text("never", LATE)
    intervals = {entry.task: entry.every for entry in beat_table() if isinstance(entry.every, timedelta)}
    allowed = max(KEPT_TICKS * intervals.get(name, min(intervals.values())), SOON)
    return Text(formats.age(at, now), LATE if now - at > allowed else "")
