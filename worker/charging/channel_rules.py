"""Setting the rules of a PG: what is given is set, the rest stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from schedules.errors import InvalidOpenHours
from schedules.open_hours import parse_open_hours
from worker.database.engine import Sessions
from worker.domain.channel_rules import ChannelRules
from worker.domain.errors import Refused
from worker.ledger import channel_rules
from worker.pg.catalog import PGS

NO_LIMIT = "none"


@dataclass(frozen=True, slots=True)
class GivenRules:
    """What is to be set, as it was written: `none` takes a rule away, and None leaves it as it is."""

    calls_per_second: str | None = None
    in_flight: str | None = None
    hours: str | None = None
    maintenance: str | None = None


def set_channel_rules(sessions: Sessions, pg: str, given: GivenRules, *, reason: str, now: datetime) -> ChannelRules:
    """Set what is given of a PG's rules, and return all of them. Every claim that begins after that keeps them.

    Raises Refused for a PG that there is not, for what cannot be read, and where no hour would be left to charge in.
    """
    if pg not in PGS:
        raise Refused(f"{pg!r:.40} is no PG that Again charges through; give one of {', '.join(PGS)}.")
    if given == GivenRules():
        raise Refused(
            "Nothing is to be set: give --calls-per-second, --in-flight, --hours or --maintenance; `none` takes a rule "
            "away."
        )
    with sessions.begin() as session:
        before = channel_rules.locked_rules(session, pg)
        rules = _changed(before, given)
        channel_rules.set_rules(session, pg, rules, reason=reason, now=now)
    return rules


def channels(sessions: Sessions) -> Mapping[str, ChannelRules]:
    """Return the rules of each PG that has any."""
    with sessions() as session:
        return dict(sorted(channel_rules.channel_rules(session).items()))


def _changed(before: ChannelRules, given: GivenRules) -> ChannelRules:
    hours = before.open_hours
    try:
        open_hours = parse_open_hours(
            hours.hours if given.hours is None else given.hours,
            hours.maintenance if given.maintenance is None else given.maintenance,
        )
    except InvalidOpenHours as error:
        raise Refused(str(error)) from None
    return ChannelRules(
        calls_per_second=_limit(before.calls_per_second, given.calls_per_second, "--calls-per-second"),
        in_flight=_limit(before.in_flight, given.in_flight, "--in-flight"),
        open_hours=open_hours,
    )


def _limit(before: int | None, given: str | None, option: str) -> int | None:
    if given is None:
        return before
    written = given.strip().lower()
    if written == NO_LIMIT:
        return None
    if not (written.isascii() and written.isdigit() and len(written) <= 9):
        raise Refused(f"{option} {given!r:.40} is no whole number; give one, or none for no limit.")
    return int(written)
