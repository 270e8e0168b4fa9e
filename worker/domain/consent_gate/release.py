"""How a charge that the gate has held came to be free, and what one that it holds still lacks, for a host. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from worker.domain.consent_gate.facts import ChargeFacts, event_of, missing
from worker.domain.consent_gate.rules import BY_CODE, RULES, Rule, RuleCode, Wanted


class GateRelease(StrEnum):
    """How a charge came to be free of the gate."""

    CONSENT = "consent"  # what it lacked last, or one of the last things, was a consent
    MESSAGE = "message"  # what it lacked last was a message, and its days are over
    OVERRIDE = "override"  # an operator decided
    GATE_CHANGED = "gate_changed"  # it lacks something, and its mode is not strict any more
    NOTHING_WANTED = "nothing_wanted"  # the rules want nothing of it any more: a charge before it is another one now
    SETTLED = "settled"  # it was paid or voided while it was held; no charge is stored as released so


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """One thing that a charge lacks. Days are those of the plan's time zone, and both limits count."""

    rule: RuleCode
    wanted: Wanted
    days: int
    not_before: date | None  # the first day on which a consent counts
    by: date | None  # the last day on which a message was in time; a later one counts once its days are over


def release_of(
    facts: ChargeFacts, lacked: Collection[str], *, now: datetime, rules: Iterable[Rule] = RULES
) -> GateRelease:
    """Return how a charge that lacked these things came to be let go, judged once more."""
    rules = tuple(rules)
    if missing(facts, now=now, rules=rules):
        return GateRelease.GATE_CHANGED
    event = event_of(facts)
    came = {rule.wanted for rule in rules if rule.event is event and rule.code in lacked}
    if Wanted.CONSENT in came:
        return GateRelease.CONSENT
    return GateRelease.MESSAGE if Wanted.MESSAGE in came else GateRelease.NOTHING_WANTED


def lacking(codes: Iterable[str], due_at: datetime, zone: ZoneInfo) -> Iterator[Lacking]:
    """Return what a charge lacks that is due then, of which the codes are known."""
    due_on = due_at.astimezone(zone).date()
    for code in codes:
        rule = BY_CODE[RuleCode(code)]
        first = due_on - timedelta(days=rule.days)
        yield Lacking(
            rule=rule.code,
            wanted=rule.wanted,
            days=rule.days,
            not_before=first if rule.wanted is Wanted.CONSENT else None,
            by=first if rule.wanted is Wanted.MESSAGE else None,
        )
