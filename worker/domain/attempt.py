"""An attempt to be made, and one that exists: one send of a charge's request, with what deciding about it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from schedules.dunning import DunningCalendar
from worker.domain.gateway import ChargeRequest
from worker.domain.states import Via


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeTerms:
    """The charge that an attempt is for, whose it is, and with which billing key."""

    id: int
    subscription_id: int
    billing_key_id: int
    due_at: datetime | None = None  # when it fell due to be tried, in a claim
    earlier: tuple[str, ...] = ()  # merchant_uids of its declined attempts, which PortOne may show as paid after all
    may_have_lost_windows: bool = False  # a restored database may have forgotten payment windows of this charge


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryTerms:
    """The facts that the next retry of a charge depends on: its dunning calendar and what has been tried so far."""

    dunning: DunningCalendar
    time_zone: ZoneInfo
    charge_hour: int
    declines: int = 0
    first_declined_at: datetime | None = None
    deferrals: int = 0  # in a row
    period_end: datetime | None = None  # when the period after its own begins, which is charged then
    next_charge_at: datetime | None = None  # when its subscription's next period that has no charge yet falls due
    tried_at: tuple[datetime, ...] = ()  # when its key was tried lately, where its calendar counts that

    def next_period_at(self, declined_at: datetime) -> datetime | None:
        """Return when the first period after a first decline is charged; of a charge that is late, not its own next."""
        coming = (at for at in (self.period_end, self.next_charge_at) if at is not None and at > declined_at)
        return next(coming, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFacts:
    """The payment windows that were opened for a merchant_uid."""

    payable_until: datetime  # until then one of them may still be paid
    resume_at: datetime | None = None  # when the charge was due before the window opened; None: not by itself
    opened_pgs: frozenset[str] = field(default_factory=frozenset)  # through which they were opened
    registers_key: bool = False  # they register the billing key, too


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPlan:
    """An attempt to be claimed: it has a number and a request with its idempotency key, and no row yet."""

    number: int
    request: ChargeRequest
    charge: ChargeTerms
    retry: RetryTerms
    window: WindowFacts | None = None  # when a window was opened under the same merchant_uid before

    def claimed(self, *, attempt_id: int, sends: int, now: datetime) -> Attempt:
        """Return the attempt that a claim has made of this plan: it is sent through `again`."""
        return Attempt(
            id=attempt_id,
            number=self.number,
            request=self.request,
            charge=self.charge,
            retry=self.retry,
            window=self.window,
            sends=sends,
            started_at=now,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt that exists: its row is committed, and its outcome is being sought."""

    id: int
    number: int
    request: ChargeRequest
    charge: ChargeTerms
    retry: RetryTerms
    sends: int
    started_at: datetime  # of the last send
    lookups: int = 0
    refusal: str | None = None  # PortOne's answer when it rejected the send as a duplicate or with an unknown text
    via: Via = Via.AGAIN
    window: WindowFacts | None = None
    held_until: datetime | None = None  # end of the latest charging hold: what was sent before it may land until then

    @property
    def payable_until(self) -> datetime | None:
        """When the last payment window of its merchant_uid can no longer be paid; None when none was opened."""
        return None if self.window is None else self.window.payable_until

    def is_quiet(self, at: datetime, quiet_period: timedelta) -> bool:
        """Return whether none of its sends can still land at an instant, so that "not found" is believed.

        A send of later than that instant was made before the database's clock was set back; the charging hold that
        began then has waited for it.
        """
        if self.held_until is not None and at < self.held_until:
            return False
        return at >= self.started_at + quiet_period or (self.started_at > at and self.held_until is not None)
