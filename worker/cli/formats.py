"""How instants, ages and money read. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from worker.config.terminal import plain
from worker.domain.stop_scopes import start_command

_UNITS = (
    (timedelta(days=1), "d"),
    (timedelta(hours=1), "h"),
    (timedelta(minutes=1), "min"),
    (timedelta(seconds=1), "s"),
)


def age(since: datetime | None, now: datetime) -> str:
    """Return how long ago, in the largest unit that fits; empty for never, "now" for less than a second."""
    if since is None:
        return ""
    passed = now - since
    return next((f"{passed // unit} {name}" for unit, name in _UNITS if passed >= unit), "now")


def local(instant: datetime | None, zone: str | ZoneInfo) -> str:
    """Show an instant by the clocks of a zone, which is named; nothing for None."""
    return _formatted(instant, zone, "%Y-%m-%d %H:%M %Z")


def local_time(instant: datetime | None, zone: str | ZoneInfo) -> str:
    """Show an instant by the clocks of a zone that the reader knows; nothing for None."""
    return _formatted(instant, zone, "%Y-%m-%d %H:%M")


def local_date(instant: datetime | None, zone: str | ZoneInfo) -> str:
    return _formatted(instant, zone, "%Y-%m-%d")


def in_zone(zone: str) -> Callable[[datetime], str]:
    """Return a function that formats instants in a time zone."""
    return partial(local, zone=zone)


def money(amount: int, currency: str = "KRW") -> str:
    return f"{amount:,} {currency}"


def counted(count: int, noun: str) -> str:
    """Write a number of things: 1 charge, 1,000 charges."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def is_or_are(count: int) -> str:
    return "is" if count == 1 else "are"


def stopped(scope: str, reason: str, stopped_by: str, stopped_at: datetime, zone: str | ZoneInfo) -> str:
    """Write what stops charges: since when, by whom, why, and what lets them go on."""
    since = local(stopped_at, zone)
    return f"{scope} since {since} by {stopped_by}: {plain(reason)} (`{start_command(scope)}`)"


def owed(count: int, amount: int) -> str:
    """Write what is owed, as it is agreed to: 3 charges, 29,700 KRW."""
    return f"{counted(count, 'charge')}, {money(amount)},"


def spaced(name: str) -> str:
    """Show a name that is stored with underscores as people write it: paid twice."""
    return name.replace("_", " ")


def _formatted(instant: datetime | None, zone: str | ZoneInfo, form: str) -> str:
    if instant is None:
        return ""
    try:
        return instant.astimezone(ZoneInfo(zone) if isinstance(zone, str) else zone).strftime(form)
    except (OverflowError, LookupError, ValueError, OSError):
        # Beyond the calendar there, or a zone that this machine does not know: as it is, and named.
        return f"{instant:%Y-%m-%d %H:%M %Z}"
