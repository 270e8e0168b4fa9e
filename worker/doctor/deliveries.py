"""Checks of events: whether they are published, and whether they arrive."""

from __future__ import annotations

from datetime import datetime

from schedules.beat import RELAY
from schedules.plans import SEOUL
from worker.doctor.finding import CheckContext, Finding, broken, ok, warning
from worker.domain.alarm_limits import DELIVERY_LATE, RELAY_LATE
from worker.events.lag_queries import MOST_COUNTED, DestinationLag, relay_lag


def relay(context: CheckContext) -> Finding:
    """Report changes of state that have not become events for long: nothing that listens learns of them."""
    with context.runtime.sessions() as session:
        lag = relay_lag(session)
    behind = lag.behind(context.now)
    if lag.oldest_at is None:
        return ok("relay", "every change of state is published as an event")
    said = f"{_counted(lag.unpublished, 'change')} not published yet, the oldest {behind.total_seconds():.0f} s old"
    if behind <= RELAY_LATE:
        return ok("relay", said)
    remedy = f"start beat and a worker (`again doctor beat worker tasks`), or look for {RELAY} in the worker's log"
    return broken("relay", said, remedy)


def destinations(context: CheckContext) -> Finding:
    """Report destinations that are disabled, that fail, or that have waited for long, and what to do about each."""
    with context.runtime.sessions() as session:
        known = relay_lag(session).destinations
    troubles = {each.name: trouble for each in known if (trouble := _trouble(each, context.now)) is not None}
    if troubles:
        said = "\n".join(said for said, _ in troubles.values())
        return warning("destinations", said, "\n".join(remedy for _, remedy in troubles.values()), subjects=troubles)
    if not known:
        return ok("destinations", "events are sent nowhere")
    waiting = sum(each.waiting for each in known)
    names = ", ".join(each.name for each in known)
    return ok("destinations", f"events arrive at {names}; {_counted(waiting, 'event')} on the way")


def _trouble(each: DestinationLag, now: datetime) -> tuple[str, str] | None:
    """Return what is wrong with a destination and what to do; None where nothing is."""
    rest = _rest(each)
    if each.is_disabled:
        since = f"{each.status_at:%Y-%m-%dT%H:%M}Z"
        said = f"{each.name} is disabled since {_local(each.status_at)}: {each.status_reason}{rest}"
        return said, (
            f"{each.name}: `again webhook test {each.name}`; once it answers `again webhook enable {each.name}` and "
            f"`again events resend --since {since} --to {each.name}`; or `again webhook remove {each.name}`"
        )
    if each.failing_since is not None:
        said = f"{each.name} fails since {_local(each.failing_since)}: {each.last_error or 'no answer'}{rest}"
        return said, f"{each.name}: look at the endpoint, and try it with `again webhook test {each.name}`"
    if each.oldest_at is not None and now - each.oldest_at > DELIVERY_LATE:
        said = f"{each.name} is behind{rest}"
        return (
            said,
            f"{each.name}: `again doctor worker tasks`; an endpoint that refuses one event holds its subscription",
        )
    return None


def _rest(each: DestinationLag) -> str:
    if each.oldest_at is None:
        return ""
    return f"; {_counted(each.waiting, 'event')} not delivered, the oldest of {_local(each.oldest_at)}"


def _counted(count: int, what: str) -> str:
    more = " or more" if count >= MOST_COUNTED else ""
    return f"{count:,}{more} {what}{'' if count == 1 else 's'}"


def _local(instant: datetime) -> str:
    return f"{instant.astimezone(SEOUL):%Y-%m-%d %H:%M %Z}"
