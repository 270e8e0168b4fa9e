"""What a sweep that holds charging waits for, and what to do about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from schedules.plans import SEOUL

CLOCKS_APART = timedelta(seconds=30)
"""How far an instant may lie in the future without a clock having been set."""

UNATTENDED_AFTER = timedelta(minutes=1)
"""Time after the end of its lease by which any running worker would have taken up a hold."""

RELEASE = "again sweep --release"


class ChargingHold(Protocol):
    """A row of a sweep that holds charging."""

    @property
    def started_at(self) -> datetime: ...
    @property
    def until(self) -> datetime: ...
    @property
    def position(self) -> datetime: ...
    @property
    def lease_until(self) -> datetime: ...
    @property
    def failure(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class HoldExplanation:
    """What a hold waits for, in a sentence's second half; `remedy` is empty when nothing is to be done.

    `broken`: it will not end by itself in any time that it was meant to take.
    """

    reason: str
    remedy: str
    broken: bool = False


def explain_hold(
    hold: ChargingHold, *, now: datetime, quiet_period: timedelta, zone: ZoneInfo = SEOUL
) -> HoldExplanation:
    """Return what a hold waits for at an instant, the most urgent cause first."""
    if hold.started_at > now + CLOCKS_APART or hold.until > now + quiet_period + CLOCKS_APART:
        return HoldExplanation(
            f"it lasts until {_local(hold.until, zone)}, which is longer than any hold: a clock was set back since",
            f"a worker sets that right when it next looks; if none does, `{RELEASE}`, once PortOne's console shows "
            "nothing under way",
            broken=True,
        )
    if hold.failure is not None:
        return HoldExplanation(
            f"PortOne's list of payments could not be read: {hold.failure}",
            "look at PortOne's status, AGAIN_PORTONE_KEY and the network; it is asked again by itself",
        )
    if hold.lease_until < now - UNATTENDED_AFTER:
        return HoldExplanation(
            f"no worker compares, since {_local(hold.lease_until, zone)}",
            "start a worker and beat, or run `again sweep` here",
        )
    if hold.until > now:
        return HoldExplanation(
            f"until {_local(hold.until, zone)}, when nothing that was sent before can land any more",
            "it goes on by itself while a worker runs and PortOne answers",
        )
    return HoldExplanation(
        f"payments up to {_local(hold.until, zone)} are compared",
        "it goes on by itself while a worker runs and PortOne answers",
    )


def _local(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
