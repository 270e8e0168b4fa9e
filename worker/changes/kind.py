"""What a kind of change is, and what it is given: the subject, locked, and the circumstances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from schedules.plans import Plan
from worker.domain.changes import ChangeKind, Moment, WaitsFor
from worker.domain.previews import Effect
from worker.subscriptions.queries import LockedSubscription


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePolicy:
    """What the settings say about changes. Amounts are won."""

    max_amount: int  # no charge may be higher
    refund_review_amount: int | None = None  # from here on a second operator approves a refund


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The subscription that a change is about, locked, and its charge if it is about one, locked before it."""

    subscription: LockedSubscription
    plan: Plan
    charge_id: int | None = None

    @property
    def id(self) -> int:
        return self.subscription.id

    @property
    def code(self) -> str:
        return self.subscription.code

    @property
    def zone(self) -> ZoneInfo:
        return self.plan.time_zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """When a change counts from, when it is written, and why.

    `at` is its effective time: periods and days are computed from it. `now` is when it is written, later than that
    after an outage. `change_id` is None in a preview, in which everything is rolled back. `at_once` is False in the
    preview of a change that is planned ahead.
    """

    at: datetime
    now: datetime
    reason: str
    policy: ChangePolicy
    change_id: int | None = None
    at_once: bool = True


class NotYet(Exception):
    """The time of a change has come, but something that was due before it has to happen first: it stays scheduled."""


class Kind(Protocol):
    """One kind of change. Everything it does is done in the caller's transaction, through the ledger."""

    @property
    def kind(self) -> ChangeKind: ...

    @property
    def supersedes(self) -> bool:
        """Whether a later one takes the place of one that is scheduled. Those that add up do not."""

    @property
    def default(self) -> Moment:
        """When it takes effect if nothing else is said."""

    def read(self, parameters: Mapping[str, Any]) -> Any:
        """Return the parameters as the kind's own value. Raises Refused for wrong ones."""

    def waits_for(self, parameters: Any, effect: Effect, policy: ChangePolicy) -> WaitsFor | None:
        """Return what such a change waits for besides its time."""

    def apply(self, session: Session, subject: Subject, parameters: Any, given: Circumstances) -> Effect:
        """Do it, and return what it did. Raises Refused when the state is wrong for it, and NotYet to be asked again.

        What was done before it raised is rolled back.
        """


class OrdinaryKind:
    """What most kinds have in common: at the period's end, waiting for nothing else, superseding its like."""

    supersedes = True
    default = Moment.PERIOD_END

    def waits_for(self, parameters: Any, effect: Effect, policy: ChangePolicy) -> WaitsFor | None:  # noqa: ARG002
        return None
