"""An attempt whose outcome is being sought, and the waiting times by which it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from schedules.dunning import DunningCalendar
from worker.domain.gateway import ChargeRequest
from worker.domain.states import Via


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAttempt:
    """One attempt whose outcome is being sought, with all that deciding about it takes."""

    attempt_id: int
    charge_id: int
    subscription_id: int
    billing_key_id: int
    number: int
    sends: int
    lookups: int
    started_at: datetime
    refusal: str | None  # what PortOne said when it refused in words that no table knows, or as a duplicate
    via: Via = Via.AGAIN
    window_until: datetime | None = None  # so long a payment window of its merchant_uid may still be paid
    resume_at: datetime | None = None  # when the charge was to be tried before the window opened; None: not by itself
    opened_pgs: frozenset[str] = frozenset()  # through which its windows were opened
    registers: bool = False  # its windows register the billing key, besides
    earlier: tuple[str, ...] = ()  # merchant_uids of the declined attempts before it, which may prove paid
    restored_lately: bool = False  # the books may have forgotten windows of its charge, under whatever number
    held_until: datetime | None = None  # the latest hold's end: what was sent before that hold may land until then
    declines: int
    first_declined_at: datetime | None
    deferrals: int
    dunning: DunningCalendar
    time_zone: ZoneInfo
    charge_hour: int
    request: ChargeRequest

    def is_quiet(self, at: datetime, quiet_period: timedelta) -> bool:
        """Say whether none of its sends can still land at an instant, so that "not found" is believed.

        A send of later than that instant was made before the database's clock was set back; the hold that began then
        has waited for it.
        """
        if self.held_until is not None and at < self.held_until:
            return False
        return at >= self.started_at + quiet_period or (self.started_at > at and self.held_until is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The waiting times that settings decide. `ladder` holds the look-ups' distances from the attempt's start."""

    quiet_period: timedelta
    ladder: tuple[timedelta, ...]
    not_charged_delay: timedelta
    transient_delay: timedelta
