"""`again status`: how far behind events are, and where they do not arrive."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.text import Text

from worker.cli import console, formats
from worker.config.terminal import plain
from worker.domain.alarm_limits import DELIVERY_LATE, RELAY_LATE

if TYPE_CHECKING:
    from worker.events.lag_queries import DestinationLag, RelayLag

LATE = "red"


def print_events(lag: RelayLag, now: datetime) -> None:
    """Print what is not published yet, and how each destination does; in red what an operator should look at."""
    from worker.events.lag_queries import MOST_COUNTED

    if lag.unpublished:
        some = formats.counted(lag.unpublished, "change")
        more = " or more" if lag.unpublished == MOST_COUNTED else ""
        said = f"{some}{more} not published yet, the oldest {formats.age(lag.oldest_at, now)} ago"
        console.output().print(Text(said, LATE if lag.behind(now) > RELAY_LATE else ""))
    else:
        console.say("all published")
    if lag.destinations:
        console.table(
            "DESTINATION",
            "STATUS",
            "WAITING",
            "OLDEST",
            "TROUBLE",
            rows=[
                (
                    each.name,
                    Text(each.status.value, LATE if each.is_disabled else ""),
                    f"{each.waiting:,}{'+' if each.waiting == MOST_COUNTED else ''}",
                    Text(formats.age(each.oldest_at, now), LATE if _is_late(each, now) else ""),
                    _trouble(each, now),
                )
                for each in lag.destinations
            ],
            right=("WAITING", "OLDEST"),
            whole=("STATUS", "WAITING", "OLDEST"),
        )


def _is_late(destination: DestinationLag, now: datetime) -> bool:
    return destination.oldest_at is not None and now - destination.oldest_at > DELIVERY_LATE


def _trouble(destination: DestinationLag, now: datetime) -> str:
    if destination.is_disabled:
        for_how_long = formats.age(destination.status_at, now)
        return f"disabled for {for_how_long}: {plain(destination.status_reason)}; `again doctor destinations`"
    if destination.status.value == "active" and destination.failing_since is not None:
        return f"fails for {formats.age(destination.failing_since, now)}: {plain(destination.last_error or '')}"
    return ""
