"""What a subscription owes at an instant, charge by charge: what is shown, agreed to, and charged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from schedules.end_of_dunning import ArrearsPolicy
from worker.database.engine import Sessions
from worker.domain.identifiers import read_code
from worker.ledger import adjustments
from worker.ledger.charges import OwedPeriod, owed_charges
from worker.ledger.due_subscriptions import due_subscription
from worker.ledger.opening import opening_of
from worker.ledger.terms import bills
from worker.subscriptions import queries
from worker.subscriptions.locking import not_found


@dataclass(frozen=True, slots=True)
class Arrears:
    """Everything that a subscription owes, in won, and when the next period begins that it will owe.

    `given_up` are older periods, unpaid too, that a new key is not charged with: by the plan's terms, and for good.
    """

    periods: tuple[OwedPeriod, ...]
    next_charge_at: datetime | None
    given_up: tuple[OwedPeriod, ...] = ()

    @property
    def amount(self) -> int:
        return sum(period.amount for period in self.periods)

    @property
    def given_up_amount(self) -> int:
        return sum(period.amount for period in self.given_up)

    @property
    def count(self) -> int:
        return len(self.periods)

    @property
    def chargeable(self) -> Arrears:
        """What is charged without another consent."""
        return Arrears(tuple(each for each in self.periods if not each.awaits_consent), self.next_charge_at)

    def by_new_key(self, policy: ArrearsPolicy) -> Arrears:
        """Return what another key is charged with: the newest of these periods, and what is only due, not unpaid."""
        older = self.periods[: policy.older(self.periods)]
        given_up = tuple(each for each in older if each.unpaid)
        return Arrears(tuple(each for each in self.periods if each not in given_up), self.next_charge_at, given_up)


NOTHING = Arrears((), None)


class BilledSubscription(Protocol):
    """What arrears are worked out from."""

    @property
    def id(self) -> int: ...
    @property
    def next_charge_at(self) -> datetime | None: ...


def arrears_of(session: Session, subscription: BilledSubscription, *, now: datetime) -> Arrears:
    """Return what a subscription owes now, periods included that have started and that no tick has opened yet."""
    periods = list(owed_charges(session, subscription.id))
    due = due_subscription(session, subscription.id, now=now)
    if due is None:
        return Arrears(tuple(periods), subscription.next_charge_at)
    opening = opening_of(due, now=now)
    adjusted = adjustments.open_of(session, due.ids).get(subscription.id, ()) if due.is_adjusted else ()
    made = zip(opening.open, bills(due.line, adjusted, opening.open), strict=True)
    periods += [OwedPeriod(each.start, bill.amount, unpaid=not due.has_key) for each, bill in made if bill.amount]
    return Arrears(tuple(periods), opening.next_charge_at)


def owed_by(sessions: Sessions, code: str, *, now: datetime) -> Arrears:
    """Return what a subscription owes now: to be shown before something is done that has it charged."""
    code = read_code(code)
    with sessions() as session:
        row = queries.found(session, code)
        if row is None:
            raise not_found(code)
        return arrears_of(session, row, now=now)
