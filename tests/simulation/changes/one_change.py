"""One change from its request until the next period is paid: stopped at every commit, it comes to the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from tests.simulation.changes.acts import Act, subscribed
from tests.simulation.changes.office import A_DAY, Office
from tests.simulation.engine.database import emptied
from tests.simulation.engine.faults import AFTER_COMMIT, BEFORE_COMMIT, Fault, Kind, Plan, Point, applies, at, nothing
from tests.simulation.engine.verdict import Violation
from tests.support.events import assert_events_tell_what_happened
from worker.domain.changes import ChangeKind

AFTERWARDS = 18.0
"""Days until the next period is paid on the terms that the change has left."""

_BOOK = {
    "subscription": """
        SELECT s.status, p.code, s.quantity, s.price_version,
               s.anchor_on, date(s.next_charge_at), date(s.current_period_end)
        FROM subscriptions s JOIN plans p ON p.id = s.plan_id""",
    "charges": """
        SELECT date(c.period_start), date(c.period_end), c.amount, c.status, c.refunded, c.paid_elsewhere,
               date(c.paid_at), (SELECT array_agg(i.kind || ' ' || i.amount ORDER BY i.position)
                                 FROM charge_items i WHERE i.charge_id = c.id)
        FROM charges c ORDER BY c.period_start""",
    "adjustments": """
        SELECT kind, amount, percent, amount_left, periods_left, used_at IS NULL, removed_at
        FROM adjustments ORDER BY id""",
    "changes": """
        SELECT kind, status, regexp_replace(status_reason, '[Cc]harge [0-9]+', 'charge'), date(effective_at)
        FROM changes ORDER BY id""",
    "consents": "SELECT amount, date(next_charge_at), date(agreed_at) FROM consents ORDER BY id",
    "refunds": "SELECT status, amount FROM refunds ORDER BY id",
}
_MONEY = "SELECT sum(charged) AS charged, sum(refunded) AS refunded FROM payments"


@dataclass(frozen=True)
class Told:
    """What a history came to: the book at its end, and the points until the change was applied."""

    book: dict[str, list[Any]]
    points: Sequence[Point]
    again: frozenset[int] = frozenset()  # the numbers of points at which a crash leaves what it does at the one before


class _AtOnce:
    """A plan that notes where nothing has happened since the commit before: what is not committed, a crash undoes."""

    def __init__(self, office: Office, plan: Plan) -> None:
        self.again: list[int] = []
        self._office, self._plan, self._committed_at = office, plan, -1.0

    def __call__(self, point: Point) -> Fault | None:
        if point.what.endswith(BEFORE_COMMIT) and self._committed_at == self._office.world.time:
            self.again.append(point.number)
        self._committed_at = self._office.world.time if point.what.endswith(AFTER_COMMIT) else -1.0
        return self._plan(point)


def tell(engine: Engine, act: Act, plan: Plan = nothing) -> Told:
    """Run a history, and return the book and the money at its end, in days and won."""
    with emptied(engine):
        office = Office(engine)
        world = office.world
        try:
            code = subscribed(office, act)
            world.points.clear()
            at_once = _AtOnce(office, plan)
            world.plan = at_once
            if act.kind is not ChangeKind.END_DUNNING:
                office.ask(act.request(office, code))
            asked = len(world.points) if isinstance(act.when, int) else 0  # that is stopped in the acts at once
            if act.later is not None:
                office.live(act.later_days * A_DAY)
                act.later(office)
            office.live(act.lasts * A_DAY)
            points = world.points[asked:]
            world.plan = nothing
            office.live(AFTERWARDS * A_DAY)
            assert_events_tell_what_happened(office.world.sessions)
            book = {name: [tuple(row) for row in world.sql(sql)] for name, sql in _BOOK.items()}
            book["money"] = [tuple(world.sandbox.ledger.execute(_MONEY).fetchone())]
            return Told(book, points, frozenset(at_once.again))
        finally:
            world.close()


def tell_all(engine: Engine, act: Act, *faults: Fault) -> Iterator[str]:
    """Strike with each fault at each point; raises Violation where a history ends in another book."""
    calm = tell(engine, act)
    statuses = {row[1] for row in calm.book["changes"]}
    if act.ends not in statuses or statuses & ({"scheduled", "failed"} - {act.ends}) or not calm.points:
        raise Violation(f"{act.name} ends as {calm.book['changes']}")
    for fault in faults:
        for point in calm.points:
            if fault.kind is Kind.CRASH and point.number in calm.again:
                continue
            if applies(fault.kind, point) and (act.asks_portone or point.what.startswith("database")):
                name = f"{act.name}, {fault} at {point}"
                _require_same(calm, tell(engine, act, at({point.number: fault})), name)
                yield name


def _require_same(calm: Told, struck: Told, name: str) -> None:
    different = [
        f"{part}\n  is      {struck.book[part]}\n  not     {calm.book[part]}"
        for part in calm.book
        if struck.book[part] != calm.book[part]
    ]
    if different:
        raise Violation("\n".join([name, *different]))
