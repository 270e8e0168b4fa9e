"""What must hold after each step, worked out from what was asked for and the sandbox's ledger, not by our own code."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.simulation.changes.acts_audit import Keyed, problems_of_acts
from tests.simulation.engine.checks import payments, period_of
from tests.simulation.engine.world import World
from worker.operations.invariant_results import evaluate

_ITEMS = """
    SELECT c.id AS charge_id, c.status, c.amount AS charged, c.tax_free AS charged_free, c.vat_amount AS charged_vat,
           c.period_start, s.code, i.kind, i.quantity, i.unit_amount, i.amount, i.tax_free, i.vat_amount,
           i.adjustment_id
    FROM charges c JOIN subscriptions s ON s.id = c.subscription_id JOIN charge_items i ON i.charge_id = c.id
    ORDER BY c.id, i.position
"""
_TERMS = """
    SELECT x.id, x.kind, s.code, x.parameters, date_trunc('second', x.effective_at) AS at
    FROM changes x JOIN subscriptions s ON s.id = x.subscription_id
    WHERE x.kind IN ('change_plan', 'change_price') AND x.status = 'applied' ORDER BY x.status_at, x.id
"""
_PERIODS = """
    SELECT s.code, c.id, c.period_start, c.period_end, c.status, s.next_charge_at
    FROM charges c JOIN subscriptions s ON s.id = c.subscription_id WHERE c.status <> 'void'
    ORDER BY s.id, c.period_start
"""
_ADJUSTMENTS = "SELECT * FROM adjustments ORDER BY id"
_GIVEN = """
    SELECT x.id, x.kind, x.status, x.parameters, array_remove(array_agg(a.amount), NULL) AS amounts, count(a.id) AS made
    FROM changes x LEFT JOIN adjustments a ON a.change_id = x.id AND a.kind = x.kind
    WHERE x.kind IN ('credit', 'one_off', 'discount') AND NOT x.parameters ? 'remove' GROUP BY x.id
"""
_PAYMENTS = """
    SELECT a.merchant_uid, c.amount, a.status, c.refunded,
           EXISTS (SELECT FROM refunds r WHERE r.charge_id = c.id AND r.status IN ('requested', 'unclear'))
               AS open_refund
    FROM attempts a JOIN charges c ON c.id = a.charge_id
"""
_CANCELED = """
    SELECT c.id FROM changes x JOIN charges c ON c.subscription_id = x.subscription_id
    WHERE x.kind = 'cancel' AND x.status = 'applied' AND c.period_start >= x.effective_at
"""

# What was on trial is active once the first charge is settled, and not before.
_UNPAID_TRIALS = """
    SELECT a.entity_id AS id, 'is active, and nothing had been paid' AS said FROM audit a
    WHERE a.entity = 'subscription' AND a.from_status = 'trialing' AND a.to_status = 'active' AND NOT EXISTS (
        SELECT FROM charges c LEFT JOIN audit b ON b.entity = 'charge' AND b.entity_id = c.id
        WHERE c.subscription_id = a.entity_id AND (
            c.status IN ('paid', 'uncollectible', 'void') AND c.status_at <= a.at
            OR b.to_status IN ('paid', 'uncollectible', 'void') AND b.at <= a.at))
    UNION ALL
    SELECT s.id, 'is on trial, and has paid' FROM subscriptions s
    WHERE s.status = 'trialing' AND (
        SELECT c.status FROM charges c WHERE c.subscription_id = s.id AND c.status <> 'void'
        ORDER BY c.period_start LIMIT 1) = 'paid'
"""


@dataclass(frozen=True)
class Price:
    """What one period of a plan costs, in won."""

    amount: int
    tax_free: int = 0


@dataclass
class Agreed:
    """What was agreed to: prices by plan and version, the plan with which each subscription began, and what followed.

    `consents` says when the customer has agreed to a change of price that waited for it, by the change's id.
    """

    prices: Mapping[tuple[str, int], Price]
    began_with: dict[str, str] = field(default_factory=dict)
    consents: dict[int, datetime] = field(default_factory=dict)
    keyed: list[Keyed] = field(default_factory=list)


def problems(world: World, agreed: Agreed) -> Iterator[str]:
    """Return what does not hold, in words."""
    items = world.sql(_ITEMS)
    yield from _sums(items)
    yield from _terms(world, items, agreed)
    yield from _adjustments(world, items)
    yield from _applied_once(world)
    yield from _periods(world)
    yield from (f"subscription {row.id} {row.said}" for row in world.sql(_UNPAID_TRIALS))
    yield from _money(world)
    yield from problems_of_acts(world, agreed.keyed)
    yield from _invariants(world)
    yield from (f"failed tick: {each}" for each in world.failed_ticks)
    yield from (f"{worker.name}: {trouble}" for worker in world.workers for trouble in worker.loop.troubles)


def _by_charge(items: Sequence[Any]) -> Mapping[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for item in items:
        found[item.charge_id].append(item)
    return found


def _sums(items: Sequence[Any]) -> Iterator[str]:
    for charge_id, own in _by_charge(items).items():
        vat = None if any(each.vat_amount is None for each in own) else sum(each.vat_amount for each in own)
        sums = sum(each.amount for each in own), sum(each.tax_free for each in own), vat
        first = own[0]
        if sums != (first.charged, first.charged_free, first.charged_vat):
            yield f"items of charge {charge_id} come to {sums}, not {first.charged, first.charged_free}"


def _terms(world: World, items: Sequence[Any], agreed: Agreed) -> Iterator[str]:
    """Each charge has the plan's line of its time, and no more; each discount is what its words say."""
    changes = world.sql(_TERMS)
    for charge_id, own in _by_charge(items).items():
        first, lines = own[0], [each for each in own if each.kind == "plan"]
        plan, version, quantity = agreed.began_with[first.code], 1, 1
        for change in (each for each in changes if each.code == first.code):
            if max(change.at, agreed.consents.get(change.id, change.at)) > first.period_start:
                continue
            asked = change.parameters
            if change.kind == "change_plan":
                version = 1 if asked.get("plan") not in (None, plan) else version
                plan, quantity = asked.get("plan") or plan, asked.get("quantity") or quantity
            else:
                is_agreed = asked.get("agreed") or change.id in agreed.consents
                if agreed.prices[plan, version].amount < agreed.prices[plan, asked["version"]].amount and not is_agreed:
                    yield f"change {change.id} has raised the price of {change.code}, and its customer has not agreed"
                version = asked["version"]
        price = agreed.prices[plan, version].amount
        if [(each.unit_amount, each.quantity) for each in lines] != [(price, quantity)]:
            yield f"charge {charge_id} has {lines}, agreed are {quantity} of {plan}, version {version}, for {price}"
        elif not 0 <= lines[0].amount <= price * quantity:
            yield f"charge {charge_id} has {lines[0].amount} for its plan, more than {quantity} x {price}"


def _adjustments(world: World, items: Sequence[Any]) -> Iterator[str]:
    """What is given, once or for some periods, is given so and no more; what is charged once, is charged once."""
    kept = [each for each in items if each.status != "void" and each.adjustment_id is not None]
    used: Counter[int] = Counter()
    times: Counter[int] = Counter()
    for each in kept:
        used[each.adjustment_id] += each.amount
        times[each.adjustment_id] += 1
    for row in world.sql(_ADJUSTMENTS):
        what = f"{row.kind} {row.id} of {row.amount or row.percent}"
        if row.kind == "credit" and row.amount - row.amount_left != -used[row.id]:
            yield f"{what}: {-used[row.id]} were taken off charges, and {row.amount_left} are left"
        if row.kind in ("one_off", "carried") and (times[row.id] > 1 or used[row.id] not in (0, row.amount)):
            yield f"{what}: charged {times[row.id]} times, {used[row.id]}"
        if row.kind == "discount" and row.periods is not None and times[row.id] + row.periods_left > row.periods:
            yield f"{what}: given {times[row.id]} times, and {row.periods_left} of {row.periods} are left"
    yield from _discounts(world, items)


def _discounts(world: World, items: Sequence[Any]) -> Iterator[str]:
    rows = {row.id: row for row in world.sql(_ADJUSTMENTS)}
    for charge_id, own in _by_charge(items).items():
        left = sum(each.amount for each in own if each.kind == "plan")
        for each in (each for each in own if each.kind == "discount"):
            row = rows[each.adjustment_id]
            off = min(row.amount, left) if row.percent is None else (left * row.percent + 50) // 100
            if -each.amount != off:
                yield f"charge {charge_id}: discount {row.id} takes off {-each.amount} of {left}, not {off}"
            left -= off


def _applied_once(world: World) -> Iterator[str]:
    for row in world.sql(_GIVEN):
        wanted = 1 if row.status == "applied" else 0
        amount = row.parameters.get("amount")
        if row.made != wanted or (wanted and amount is not None and list(row.amounts) != [amount]):
            yield f"change {row.id} ({row.kind}, {row.status}) has made {row.made}: {row.amounts}, asked was {amount}"


def _periods(world: World) -> Iterator[str]:
    """No day is charged twice, whatever has moved; and nothing is charged that begins after a cancellation."""
    before: Any = None
    for row in world.sql(_PERIODS):
        if before is not None and before.code == row.code and before.period_end > row.period_start:
            yield f"charges {before.id} and {row.id} overlap"
        if row.next_charge_at is not None and row.next_charge_at < row.period_end:
            yield f"the next charge of {row.code} comes at {row.next_charge_at}, before charge {row.id} ends"
        before = row
    yield from (f"charge {row.id} begins after its subscription was canceled" for row in world.sql(_CANCELED))


def _money(world: World) -> Iterator[str]:
    """What our records say was charged and refunded is what the sandbox has, but for what is in flight."""
    for (code, start), paid in payments(world).items():
        if len(paid) > 1:
            yield f"{code} has paid the period of {start} {len(paid)} times"
    really = {
        row["merchant_uid"]: row for row in world.sandbox.ledger.execute("SELECT * FROM payments WHERE charged > 0")
    }
    ours = {row.merchant_uid: row for row in world.sql(_PAYMENTS)}
    for uid, row in really.items():
        mine = ours.get(uid)
        if mine is None or mine.status not in ("paid", "started", "unknown"):
            yield f"{row['charged']} were charged by {uid}, and our attempt is {mine}"
        elif row["charged"] != mine.amount or (row["refunded"] != mine.refunded and not mine.open_refund):
            yield f"{uid}: {row['charged']} charged and {row['refunded']} refunded, ours {mine}"
    for uid, mine in ours.items():
        if mine.status == "paid" and uid not in really:
            yield f"{period_of(uid)} counts as paid by {uid}, which was not charged"


def _invariants(world: World) -> Iterator[str]:
    with world.sessions() as session:
        for each in evaluate(session, now=world.database_now(), thresholds=world.thresholds):
            if each.invariant.name != "payments_are_compared_daily":
                yield f"invariant: {each.invariant.name}, {each.invariant.about} {each.examples}"
