"""What was done to a charge or a subscription stays done: by what PortOne was asked, not by what we say that we did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from tests.simulation.engine.checks import Period, period_of
from tests.simulation.engine.world import World
from worker.sandbox.store.reports import AGAIN

_ACTS = """
    SELECT x.kind, x.charge_id, x.parameters, x.status_at AS at, s.code, c.period_start, c.status,
           c.paid_elsewhere IS NOT NULL AS elsewhere,
           EXISTS (SELECT FROM attempts a WHERE a.charge_id = c.id AND a.status = 'paid') AS charged,
           (SELECT min(y.status_at) FROM changes y WHERE y.charge_id = x.charge_id AND y.kind = 'collect'
            AND y.status = 'applied' AND y.id > x.id) AS collected_at
    FROM changes x JOIN charges c ON c.id = x.charge_id JOIN subscriptions s ON s.id = c.subscription_id
    WHERE x.status = 'applied' AND x.kind IN ('void', 'write_off', 'paid_elsewhere', 'postpone') ORDER BY x.id
"""
_OVER = """
    SELECT s.code, COALESCE(ended.at, s.status_at) AS at, c.id AS charge_id, c.period_start, c.status
    FROM subscriptions s JOIN charges c ON c.subscription_id = s.id
    CROSS JOIN LATERAL (
        SELECT min(x.status_at) AS at FROM changes x
        WHERE x.subscription_id = s.id AND x.kind IN ('cancel', 'end_dunning') AND x.status = 'applied') ended
    WHERE s.status IN ('canceled', 'ended') ORDER BY c.id
"""
_DEAD = "SELECT customer_uid, min(failed_at) AS at FROM payments WHERE document LIKE ? GROUP BY customer_uid"
_DECLINED = """
    SELECT c.id, s.code, c.period_start,
           (SELECT count(*) FROM changes x WHERE x.charge_id = c.id AND x.kind = 'collect') AS collected
    FROM charges c JOIN subscriptions s ON s.id = c.subscription_id WHERE c.declines > 0
"""
_DEDUCTED = """
    SELECT c.id, before.id AS before_id, before.status
    FROM charges c
    CROSS JOIN LATERAL (
        SELECT b.id, b.status FROM charges b
        WHERE b.subscription_id = c.subscription_id AND b.period_start < c.period_start
        ORDER BY b.period_start DESC LIMIT 1) before
    WHERE EXISTS (SELECT FROM charge_items i WHERE i.charge_id = c.id AND i.kind = 'proration' AND i.amount < 0)
"""
_ENDS = {"void": {"void"}, "paid_elsewhere": {"paid"}, "write_off": {"uncollectible", "void", "paid"}}
HARD = "정기결제 비활성화"
"""The text of a decline that is for good."""

LONGEST_CALENDAR = 4
"""Days of the longest dunning calendar of any plan."""


@dataclass(frozen=True)
class Keyed:
    """A subscription got another billing key, which may be charged with what is unpaid."""

    code: str
    at: datetime


@dataclass(frozen=True)
class Try:
    """A request to charge a key, as PortOne has got it."""

    at: datetime
    key: str


def problems_of_acts(world: World, keyed: Sequence[Keyed]) -> Iterator[str]:
    """Return what was tried though it was forgiven, given up, put off or over, in words."""
    tries = _tries(world)
    for act in world.sql(_ACTS):
        yield from _done_to_a_charge(act, tries[act.code, act.period_start], keyed)
    for row in world.sql(_OVER):
        late = [each for each in tries[row.code, row.period_start] if each.at > row.at]
        if late or row.status in ("due", "past_due"):
            yield f"{row.code} is over, and charge {row.charge_id} is {row.status}, tried at {late}"
    yield from _dead_keys(world, tries)
    yield from _calendars(world, keyed)
    for row in world.sql(_DEDUCTED):
        if row.status not in ("paid", "void"):
            yield f"charge {row.id} deducts unused days of charge {row.before_id}, which is {row.status}"


def _done_to_a_charge(act: Any, tries: Sequence[Try], keyed: Sequence[Keyed]) -> Iterator[str]:
    name, until = f"{act.kind} of charge {act.charge_id} at {act.at}", datetime.max.replace(tzinfo=UTC)
    if act.kind == "postpone":
        woken = [each.at for each in keyed if each.code == act.code and each.at >= act.at]
        until = min([_begins(act.parameters["until"]), *woken])
    until = min(until, act.collected_at or until)
    if act.collected_at is None and act.status not in _ENDS.get(act.kind, {act.status}):
        yield f"{name}: it is {act.status}"
    if early := [each for each in tries if act.at < each.at < until]:
        yield f"{name}: it was tried at {early[0].at}"
    if act.kind in ("void", "paid_elsewhere") and act.charged:
        yield f"{name}: PortOne has charged it"
    if act.kind == "paid_elsewhere" and not act.elsewhere:
        yield f"{name}: it does not count as paid elsewhere"


def _dead_keys(world: World, tries: Mapping[Period, Sequence[Try]]) -> Iterator[str]:
    """A key that PortOne has once said to be dead is charged no more, whatever it would do by now."""
    last = {each.key: each.at for own in tries.values() for each in sorted(own, key=lambda each: each.at)}
    for row in world.sandbox.ledger.execute(_DEAD, (f"%{HARD}%",)):
        # A declined payment is recorded in whole seconds, just after it was asked for.
        if last[row["customer_uid"]].timestamp() > row["at"] + 1:
            yield f"key {row['customer_uid']} is dead, and was charged again at {last[row['customer_uid']]}"


def _begins(day: str) -> datetime:
    """Return when a day begins in Seoul, and so nowhere earlier where a plan is charged."""
    return datetime.combine(date.fromisoformat(day), time(), UTC) - timedelta(hours=9)


def _tries(world: World) -> Mapping[Period, list[Try]]:
    found: dict[Period, list[Try]] = defaultdict(list)
    sql = "SELECT merchant_uid, customer_uid, received_at FROM requests WHERE endpoint = ?"
    for row in world.sandbox.ledger.execute(sql, (AGAIN,)):
        at = datetime.fromtimestamp(row["received_at"], UTC)
        found[period_of(row["merchant_uid"])].append(Try(at, row["customer_uid"]))
    return found


def _calendars(world: World, keyed: Sequence[Keyed]) -> Iterator[str]:
    """A calendar that is spent is spent: each collection and each other key allow one try more."""
    declined: dict[Period, int] = defaultdict(int)
    for row in world.sandbox.ledger.execute("SELECT merchant_uid FROM payments WHERE status = 'failed'"):
        declined[period_of(row["merchant_uid"])] += 1
    for row in world.sql(_DECLINED):
        allowed = 1 + LONGEST_CALENDAR + row.collected + sum(each.code == row.code for each in keyed)
        if (times := declined[row.code, row.period_start]) > allowed:
            yield f"charge {row.id} was declined {times} times, and its calendar allows {allowed}"
