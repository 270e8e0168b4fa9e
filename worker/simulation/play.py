"""Playing a book through its months: customers act, time goes on, what falls due is charged, and it is all counted."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from time import monotonic

from dateutil.relativedelta import relativedelta

from schedules.plans import SEOUL
from worker.operations.invariant_check import check_invariants
from worker.playback.advance import Player, player_of
from worker.playback.turning import turn_clock
from worker.runtime import Runtime
from worker.sandbox.http.client import SandboxAdmin
from worker.simulation import queries
from worker.simulation.acting import Actors
from worker.simulation.book import Book
from worker.simulation.figures import Payments, Sum, Year, discrepancies_of, months_of
from worker.simulation.script import Act, Customer, cast, script
from worker.simulation.stage import Stage
from worker.subscriptions.csv_import.service import import_subscriptions
from worker.subscriptions.plans import add_plan

Tell = Callable[[datetime], None]
"""Is called with how far the simulated clock has come."""


def simulate(stage: Stage, book: Book, *, start_on: date, months: int, seed: int, tell: Tell) -> Year:
    """Play a book from the first day of a month on, on an empty stage, and return its figures."""
    started = monotonic()
    runtime, portone = stage.runtime, stage.portone
    begin, end = _midnight(start_on), _midnight(start_on + relativedelta(months=months))
    customers = cast(book, seed=seed, start_on=start_on)
    turn_clock(runtime, portone, begin - runtime.clock(), tell=lambda _: None)
    _fill(stage, book, customers)
    player = replace(player_of(runtime, portone, lambda at, _waits: tell(at)), alone=True)
    try:
        with runtime.sessions() as session:
            codes = queries.codes(session)
        actors = Actors(player.process, portone, {each.number: each for each in customers}, codes)
        acts = [act for each in customers for act in script(each, book.habits, seed=seed, until=end)]
        _play(player, actors, acts, begin=begin, end=end)
        violations = tuple(
            check_invariants(runtime.sessions, now=runtime.clock(), thresholds=runtime.thresholds).broken
        )
    finally:
        player.process.close()
    counted = _counted(runtime, portone, book, start_on=start_on, months=months)
    return replace(counted, restarted=actors.restarted, violations=violations, seconds=monotonic() - started)


def _play(player: Player, actors: Actors, acts: Iterable[Act], *, begin: datetime, end: datetime) -> None:
    """Let time go on, customers act, and what falls due be done. What is due at the end is not part of it."""
    waiting = deque(sorted((act for act in acts if act.at < end), key=lambda act: (act.at, act.customer, act.deed)))
    at = begin
    while at < end:
        player.turn_to(at)
        actors.carry_out(_until(at, waiting))
        at = _next_stop(player.do_what_is_due() or end, waiting, end)
    player.turn_to(end)


def _until(at: datetime, waiting: deque[Act]) -> list[Act]:
    """Take out of the acts that wait those up to an instant."""
    taken = []
    while waiting and waiting[0].at <= at:
        taken.append(waiting.popleft())
    return taken


def _next_stop(due_at: datetime, waiting: Sequence[Act], end: datetime) -> datetime:
    """Return where the clock stops next: where something is due, or where customers act.

    Those who act earlier on the same day wait until then: nothing is due in between, so it makes no difference.
    """
    act_at = waiting[0].at if waiting else end
    is_same_day = due_at.astimezone(SEOUL).date() == act_at.date()
    return min(end, due_at if is_same_day and due_at > act_at else min(due_at, act_at))


def _fill(stage: Stage, book: Book, customers: Sequence[Customer]) -> None:
    """Register a key for each customer at the sandbox, add the plans, and import the subscriptions."""
    runtime = stage.runtime
    now, most = runtime.clock(), runtime.settings.max_amount
    stage.portone.create_keys({"customer_uid": each.customer_uid(0), "pg": each.pg} for each in customers)
    for share in book.plans:
        add_plan(runtime.sessions, share.plan, max_amount=most, now=now)
    path = stage.folder / "book.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_reference", "plan", "customer_uid", "pg", "start_on"])
        for each in customers:
            writer.writerow([each.reference, each.plan.code, each.customer_uid(0), each.pg, each.start_on.isoformat()])
    import_subscriptions(runtime.sessions, path, max_amount=most, now=now)


def _counted(runtime: Runtime, portone: SandboxAdmin, book: Book, *, start_on: date, months: int) -> Year:
    with runtime.sessions() as session:
        found = {(each.month, each.what): Sum(each.times, each.won) for each in queries.figures(session)}
        still_owed, here = Sum(*queries.still_owed(session)), queries.payments(session)
    there = _ledger(portone)
    return Year(
        dunning=" / ".join(sorted({str(share.plan.dunning) for share in book.plans})),
        months=months_of(found, start_on=start_on, count=months, subscriptions=book.subscriptions),
        still_owed=still_owed,
        discrepancies=discrepancies_of(here, there),
        ledger=Sum(len(there), sum(paid for paid, _ in there.values())),
    )


def _ledger(portone: SandboxAdmin) -> Payments:
    """Return what the sandbox really charged and refunded under each merchant_uid."""
    found: dict[str, tuple[int, int]] = {}
    for row in portone.payments(charged_only="true"):
        paid, refunded = found.get(row["merchant_uid"], (0, 0))
        found[row["merchant_uid"]] = (paid + row["charged"], refunded + row["refunded"])
    return found


def _midnight(on: date) -> datetime:
    return datetime(on.year, on.month, on.day, tzinfo=SEOUL)
