"""What must hold after every history, checked against the sandbox's own ledger and the calendar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from schedules.periods import due_periods, first_start
from schedules.plans import Plan
from tests.simulation.engine import checks, told
from tests.simulation.engine.checks import Period, payments, period_of, shown
from tests.simulation.engine.world import World
from worker.database.mapping import plan_of

ROOM = timedelta(minutes=2)

_CHARGES = """
    SELECT s.code, c.id, c.period_start, c.status, c.next_attempt_at, k.status AS key_status,
           EXISTS (SELECT FROM attempts a WHERE a.charge_id = c.id AND a.flagged_at IS NOT NULL) AS flagged
    FROM charges c JOIN subscriptions s ON s.id = c.subscription_id JOIN billing_keys k ON k.id = s.billing_key_id
    ORDER BY c.id
"""
_SUBSCRIPTIONS = """
    SELECT s.code AS subscription, s.anchor_on, p.*
    FROM subscriptions s JOIN plans p ON p.id = s.plan_id WHERE s.next_charge_at IS NOT NULL
"""


class Violation(AssertionError):
    """A promise was broken."""


def judge(world: World) -> None:
    """Raise Violation with everything that does not hold."""
    charges = world.sql(_CHARGES)
    problems = [*_paid_twice(world), *_forgotten(world, charges), *_stuck(charges), *_disagreements(world, charges)]
    problems += checks.problems(world)
    problems += told.problems(world)
    problems += [f"{worker.name}: {trouble}" for worker in world.workers for trouble in worker.loop.troubles]
    if problems:
        raise Violation("\n".join([*problems, *world.struck, *world.failed_ticks]))


def _paid_twice(world: World) -> Iterator[str]:
    """One payment pays a period. Another was recorded as failed when this one was sent, and is an open discrepancy."""
    several = {period: paid for period, paid in payments(world).items() if len(paid) > 1}
    asked_about = shown(world) if several else set()
    for (code, start), paid in several.items():
        ours = [row for row in paid if not _was_failed_when_another_was_sent(world, row, paid)]
        if len(ours) > 1:
            yield f"paid {len(ours)} times: {code} for the period of {start}"
        hidden = [
            row["imp_uid"]
            for row in paid
            if not asked_about & {(row["merchant_uid"], row["imp_uid"]), (row["merchant_uid"], "")}
        ]
        if len(ours) <= 1 < len(hidden):
            yield f"{code} has paid the period of {start} by {hidden}, and nobody is told"


def _was_failed_when_another_was_sent(world: World, row: Any, paid: Sequence[Any]) -> bool:
    """Return whether PortOne still showed a payment as failed up to the moment when the next one of its period left."""
    if (corrected := world.corrected.get(row["imp_uid"])) is None:
        return False
    too_late = (world.instant(corrected) + ROOM).timestamp()
    return any(row["started_at"] < other["started_at"] < too_late for other in paid)


def _forgotten(world: World, charges: Sequence[Any]) -> Iterator[str]:
    have = {(row.code, row.period_start) for row in charges}
    for row in world.sql(_SUBSCRIPTIONS):
        # The last tick may be a call's length ago, and by a clock that is ahead.
        plan = plan_of(row)
        forgotten = set(_due(row.subscription, plan, row.anchor_on, world.database_now() - ROOM)) - have
        invented = {period for period in have if period[0] == row.subscription} - set(
            _due(row.subscription, plan, row.anchor_on, world.database_now() + ROOM)
        )
        if forgotten or invented:
            yield f"{row.subscription}: forgotten {sorted(forgotten)}, invented {sorted(invented)}"


def _due(code: str, plan: Plan, anchor_on: Any, now: datetime) -> Iterator[Period]:
    opening = due_periods(plan, anchor_on, next_charge_at=first_start(plan, anchor_on), now=now, cap=10_000)
    for period in (*opening.open, *opening.void):
        yield code, period.start


def _stuck(charges: Sequence[Any]) -> Iterator[str]:
    for row in charges:
        terminal = row.status in ("paid", "uncollectible", "void")
        # A dead key is visible to the operator: its charges wait for another one.
        waits_for_a_key = row.status in ("due", "past_due") and row.key_status == "dead"
        if not (terminal or (row.status == "charging" and row.flagged) or waits_for_a_key):
            yield f"stuck: charge {row.id} of {row.code} is {row.status}, next attempt {row.next_attempt_at}"


def _disagreements(world: World, charges: Sequence[Any]) -> Iterator[str]:
    there = set(payments(world))
    here = {(row.code, row.period_start) for row in charges if row.status == "paid"}
    flagged = {(row.code, row.period_start) for row in charges if row.flagged}
    for code, start in sorted(here - there):
        yield f"paid here and not there: {code} for the period of {start}"
    if missing := there - here - flagged:
        missing -= {period_of(merchant_uid) for merchant_uid, _ in shown(world)}
    for code, start in sorted(missing):
        yield f"paid there and not here: {code} for the period of {start}"
