"""The audit at the end: what the database says against what the sandbox's ledger says was really charged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from worker.demo import queries
from worker.domain.merchant_uid import parse

Period = tuple[str, datetime]
"""A subscription's code and its period's start: what may be paid once."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Where PortOne and our records differ. `not_ours` are charged merchant_uids that are not ours.

    `untold` are paid periods that have not exactly one event, and `events` how many there are of each type.
    """

    periods: int
    really_paid: int
    charged_twice: tuple[Period, ...]
    paid_only_here: tuple[Period, ...]
    paid_only_there: tuple[Period, ...]
    not_ours: tuple[str, ...]
    waits_for_key: int
    unaccounted: int
    untold: int
    events: Mapping[str, int]

    @property
    def agrees(self) -> bool:
        discrepancies = (self.charged_twice, self.paid_only_here, self.paid_only_there, self.not_ours)
        return not any(discrepancies) and self.unaccounted == self.untold == 0


def compare(session: Session, really_charged: Mapping[str, int]) -> Comparison:
    """Compare the database with how often the sandbox really charged each merchant_uid.

    A charge that is still open (`due` or `charging`) is unaccounted for: its story has not ended. One whose key is dead
    is not: it waits for its customer.
    """
    really: Counter[Period] = Counter()
    not_ours = []
    for merchant_uid, times in really_charged.items():
        parts = parse(merchant_uid)
        if parts is None:
            not_ours.append(merchant_uid)
        else:
            really[parts.subscription_code, parts.period_start] += times
    here = {(row.code, row.period_start) for row in session.execute(queries.PAID_PERIODS)}
    statuses = {row.status: row.charges for row in session.execute(queries.CHARGES_BY_STATUS)}
    return Comparison(
        periods=sum(statuses.values()),
        really_paid=sum(really.values()),
        charged_twice=tuple(period for period, times in really.items() if times > 1),
        paid_only_here=tuple(here - really.keys()),
        paid_only_there=tuple(really.keys() - here),
        not_ours=tuple(not_ours),
        waits_for_key=statuses.get("waits_for_key", 0),
        unaccounted=statuses.get("due", 0) + statuses.get("charging", 0),
        untold=session.scalars(queries.UNTOLD_PERIODS).one(),
        events={row.type: row.events for row in session.execute(queries.EVENTS_BY_TYPE)},
    )
