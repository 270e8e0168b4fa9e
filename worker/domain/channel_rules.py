"""What is set for one PG: how many calls a second and at once, its hours and its maintenance. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schedules.open_hours import OpenHours
from worker.domain.errors import Refused

BURST_SECONDS = 0.5
"""Of calls that were not made in time, so many seconds' worth are made up for; with 50 a second, 25 calls."""

LOOK_SECONDS = 0.1
"""A worker that may call no more just now looks again after this: often enough that no call of a second is lost."""

MOST_CALLS_PER_SECOND = 10_000
MOST_IN_FLIGHT = 50_000


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """The rules of one PG; None is no limit. They hold for all workers of the database together."""

    calls_per_second: int | None = None
    in_flight: int | None = None
    open_hours: OpenHours = field(default_factory=OpenHours)

    def __post_init__(self) -> None:
        _require("calls per second", self.calls_per_second, MOST_CALLS_PER_SECOND)
        _require("calls in flight", self.in_flight, MOST_IN_FLIGHT)


@dataclass(frozen=True, slots=True)
class Turn:
    """How many charges may be claimed now, and after how many seconds it is worth asking for more."""

    calls: int
    wait: float


def turn(rules: ChannelRules, wanted: int, *, free_at: datetime | None, in_flight: int, now: datetime) -> Turn:
    """Return how many of the wanted charges may be claimed now.

    `free_at` is when the calls claimed so far have used up their time, each the part of a second that is its own. So
    over any span there are never more than the rate's calls and half a second's more (GCRA, a leaky bucket).
    """
    calls, wait = wanted, LOOK_SECONDS
    if rules.in_flight is not None:
        calls = min(calls, max(0, rules.in_flight - in_flight))
    if rules.calls_per_second is not None:
        debt = _debt(rules.calls_per_second, free_at, now)
        room = BURST_SECONDS - debt
        calls = min(calls, int(room * rules.calls_per_second) + 1 if room >= 0 else 0)
        wait = max(wait, -room)
    return Turn(calls, wait)


def free_after(calls: int, rate: int, *, free_at: datetime | None, now: datetime) -> datetime:
    """Return when so many more calls have used up their time."""
    return now + timedelta(seconds=_debt(rate, free_at, now) + calls / rate)


def closed(rules: Mapping[str, ChannelRules], now: datetime) -> list[str]:
    """List the PGs through which nothing may be charged at an instant."""
    return sorted(pg for pg, each in rules.items() if not each.open_hours.is_open(now))


def opens_at(rules: Mapping[str, ChannelRules], pg: str, at: datetime) -> datetime:
    """Return the first instant from one on at which charges may be made through a PG."""
    return at if pg not in rules else rules[pg].open_hours.opens_at(at)


def _debt(rate: int, free_at: datetime | None, now: datetime) -> float:
    """Return the seconds by which calls were claimed ahead of their time; a clock that was set back leaves no more."""
    if free_at is None or free_at <= now:
        return 0.0
    return min((free_at - now).total_seconds(), BURST_SECONDS + 1 / rate)


def _require(what: str, value: int | None, most: int) -> None:
    if value is not None and not 1 <= value <= most:
        raise Refused(f"{value:,} {what} cannot be set: give a whole number from 1 to {most:,}, or none for no limit.")
