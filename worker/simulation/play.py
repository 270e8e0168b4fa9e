"""Playing a book through its months: customers act, time goes on, what falls due is charged, and it is all counted."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import groupby
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

STEP = timedelta(days=366)
"""The clock goes from one instant at which something falls due to the next; nothing else has to be looked for."""


def simulate(stage: Stage, book: Book, *, start_on: date, months: int, seed: int, tell: Tell) -> Year:
    """Play a book from the first day of a month on, on an empty stage, and return its figures."""
    started = monotonic()
    runtime, portone = stage.runtime, stage.portone
    begin, end = _midnight(start_on), _midnight(start_on + relativedelta(months=months))
    customers = cast(book, seed=seed, start_on=start_on)
    turn_clock(runtime, portone, begin - runtime.clock(), tell=lambda _: None)
    _fill(stage, book, customers)
    player = replace(player_of(runtime, portone, lambda at, _waits: tell(at)), step=STEP, tells_others=False)
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


def _play(player: Player, actors: Actors, acts: Sequence[Act], *, begin: datetime, end: datetime) -> None:
    """Let time go on from one act to the next. What lies before the beginning is done at once."""
    in_time = sorted((act for act in acts if act.at < end), key=lambda act: (act.at, act.customer, act.deed.value))
    for at, together in groupby(in_time, key=lambda act: max(act.at, begin)):
        if at > begin:
            player.play(at)
        actors.carry_out(together)
    player.play(end)


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
